// Just enough of CUDA to run step.cu on the CPU, in one thread of the operating system.
//
// Each CUDA thread is a fiber (ucontext to start it, _setjmp and _longjmp to switch, which need no
// system call). A fiber runs until it waits for others: at warp_sum and the like for its warp, at
// __syncthreads for its block, at the grid's barrier for everybody. Threads of a warp run next to
// each other, so that waiting for the warp is cheap.

#pragma once
#define EMULATED 1

#include <setjmp.h>
#include <ucontext.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#define __device__
#define __forceinline__ inline
#define __global__
#define __syncthreads() emulated::wait_for_block()

struct float2 { float x, y; };
struct float4 { float x, y, z, w; };
struct uint2 { unsigned x, y; };
struct uint4 { unsigned x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float __uint_as_float(unsigned u) { float v; memcpy(&v, &u, 4); return v; }
inline unsigned __float_as_uint(float v) { unsigned u; memcpy(&u, &v, 4); return u; }
inline int min(int a, int b) { return a < b ? a : b; }
inline unsigned atomicAdd(unsigned* at, unsigned v) { unsigned old = *at; *at += v; return old; }

namespace emulated {

constexpr size_t STACK = 128 * 1024;

struct Meeting {  // where `size` fibers wait for each other, again and again
  int size = 0, waiting = 0;
  unsigned round = 0;
};

struct Fiber {
  ucontext_t start;
  jmp_buf at;
  bool started = false, done = false;
  int thread = 0, block = 0;
  std::unique_ptr<char[]> stack;
};

struct Index { int x; };
inline Index thread_index, block_index, grid_size;
inline std::vector<Fiber> fibers;
inline std::vector<Meeting> warps, blocks;
inline std::vector<float> values;  // what each fiber brings to its warp's meeting
inline std::vector<int> numbers;
inline std::vector<std::shared_ptr<void>> shared;
inline std::function<void()> kernel;
inline size_t current;
inline jmp_buf scheduler;
inline int threads;

inline void yield() {
  if (_setjmp(fibers[current].at) == 0) _longjmp(scheduler, 1);
}

inline void meet(Meeting& meeting) {
  unsigned round = meeting.round;
  if (++meeting.waiting == meeting.size) {
    meeting.waiting = 0;
    ++meeting.round;
    return;
  }
  while (meeting.round == round) yield();
}

inline void wait_for_block() { meet(blocks[block_index.x]); }
inline Meeting& my_warp() { return warps[current / 32]; }

inline void run_fiber() {
  kernel();
  fibers[current].done = true;
  _longjmp(scheduler, 1);
}

// Not in `launch`: what is there must survive _longjmp.
inline void enter(Fiber& fiber) {
  thread_index.x = fiber.thread;
  block_index.x = fiber.block;
  if (_setjmp(scheduler) != 0) return;
  if (fiber.started) _longjmp(fiber.at, 1);
  fiber.started = true;
  setcontext(&fiber.start);
}

// A warp's fibers take turns until each of them is done or waits for more than its warp.
inline bool run_warp(size_t first) {
  bool alive = false;
  unsigned round;
  do {
    round = warps[first / 32].round;
    for (current = first; current < first + 32; ++current) {
      if (fibers[current].done) continue;
      alive = true;
      enter(fibers[current]);
    }
  } while (round != warps[first / 32].round);
  return alive;
}

inline void launch(int grid, int per_block, std::function<void()> body) {
  threads = per_block;
  grid_size.x = grid;
  kernel = std::move(body);
  size_t many = static_cast<size_t>(grid) * per_block;
  fibers = std::vector<Fiber>(many);
  warps.assign(many / 32, Meeting{32});
  blocks.assign(grid, Meeting{per_block});
  values.assign(many, 0);
  numbers.assign(many, 0);
  shared.assign(grid, nullptr);
  for (size_t i = 0; i < many; ++i) {
    Fiber& fiber = fibers[i];
    fiber.thread = i % per_block;
    fiber.block = i / per_block;
    fiber.stack.reset(new char[STACK]);
    getcontext(&fiber.start);
    fiber.start.uc_stack.ss_sp = fiber.stack.get();
    fiber.start.uc_stack.ss_size = STACK;
    makecontext(&fiber.start, run_fiber, 0);
  }
  static bool alive;  // survives _longjmp
  do {
    alive = false;
    for (size_t first = 0; first < many; first += 32) alive |= run_warp(first);
  } while (alive);
}

template <class T>
T& shared_memory() {
  auto& mine = shared[block_index.x];
  if (!mine) mine = std::shared_ptr<void>(new (std::align_val_t(16)) T, [](void* p) {
    ::operator delete(p, std::align_val_t(16));
  });
  return *static_cast<T*>(mine.get());
}

}  // namespace emulated

#define threadIdx emulated::thread_index
#define blockIdx emulated::block_index
#define gridDim emulated::grid_size
#define SHARED_MEMORY(name) Shared& name = emulated::shared_memory<Shared>()

inline int lane() { return threadIdx.x % 32; }
inline int warp() { return threadIdx.x / 32; }

template <int LANES>
inline float group_sum(float v) {
  emulated::values[emulated::current] = v;
  emulated::meet(emulated::my_warp());
  float sum = 0;
  for (int i = 0; i < LANES; ++i) sum += emulated::values[emulated::current / LANES * LANES + i];
  emulated::meet(emulated::my_warp());
  return sum;
}

inline float warp_sum(float v) { return group_sum<32>(v); }

inline void warp_largest(float& value, int& index) {
  emulated::values[emulated::current] = value;
  emulated::numbers[emulated::current] = index;
  emulated::meet(emulated::my_warp());
  for (int i = 0; i < 32; ++i) {
    float v = emulated::values[emulated::current / 32 * 32 + i];
    int j = emulated::numbers[emulated::current / 32 * 32 + i];
    if (v > value || (v == value && j < index)) value = v, index = j;
  }
  emulated::meet(emulated::my_warp());
}

inline unsigned from_lane_above(unsigned v, int by) {
  emulated::numbers[emulated::current] = static_cast<int>(v);
  emulated::meet(emulated::my_warp());
  unsigned other = lane() + by < 32 ? emulated::numbers[emulated::current + by] : 0;
  emulated::meet(emulated::my_warp());
  return other;
}

inline uint4 stream(const uint4* at) { return *at; }
inline float fresh(const float* at) { return *at; }
inline float4 fresh4(const float* at) { return *reinterpret_cast<const float4*>(at); }
inline uint4 fresh_words(const void* at) { return *static_cast<const uint4*>(at); }
inline unsigned short fresh_half(const unsigned short* at) { return *at; }

inline float half_to_float(unsigned short h) {
  _Float16 v;
  memcpy(&v, &h, 2);
  return v;
}
inline unsigned short float_to_half(float v) {
  _Float16 f = static_cast<_Float16>(v);
  unsigned short h;
  memcpy(&h, &f, 2);
  return h;
}

inline unsigned arrived(const unsigned* counter) { return *counter; }
inline void arrive(unsigned* counter) { ++*counter; }
inline long long emulated_ticks = 0;
inline long long now() { return emulated_ticks += 1000000; }
inline void relax() { emulated::yield(); }
