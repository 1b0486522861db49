// Threads, warps, blocks: what they have in common, and how they wait for each other. Under
// EMULATED the tests' emulator has its own.

enum Type { F32, F16, BF16 };

#define DEVICE __device__ __forceinline__

constexpr int WARPS = THREADS / 32;
constexpr float LOWEST = -3.402823466e38f;

struct alignas(16) Shared {
  float x[VECTOR_FLOATS];      // the vector of this phase, see `place`
  float sums[SUM_FLOATS];      // of each chunk of it, for quantised matrices
  unsigned histogram[256];
  float partial[2 * WARPS];
  unsigned bin, above, stuck;
};

struct Grid {
  unsigned* counter;  // arrivals at barriers since the buffer was made; wraps
  unsigned target;    // arrivals after which the next barrier opens
#ifdef TIMED
  unsigned at;        // where after the counter the times of the next barrier go
#endif
};

#ifndef EMULATED

DEVICE int lane() { return threadIdx.x % 32; }
DEVICE int warp() { return threadIdx.x / 32; }

DEVICE float warp_sum(float v) {
#pragma unroll
  for (int i = 16; i; i /= 2) v += __shfl_xor_sync(~0u, v, i);
  return v;
}

// The sum over each LANES neighbouring lanes, a power of two.
template <int LANES>
DEVICE float group_sum(float v) {
#pragma unroll
  for (int i = LANES / 2; i; i /= 2) v += __shfl_xor_sync(~0u, v, i);
  return v;
}

// The largest value and its index, the lowest one of equals; in all lanes.
DEVICE void warp_largest(float& value, int& index) {
#pragma unroll
  for (int i = 16; i; i /= 2) {
    float v = __shfl_xor_sync(~0u, value, i);
    int j = __shfl_xor_sync(~0u, index, i);
    if (v > value || (v == value && j < index)) value = v, index = j;
  }
}

// What lanes `lane() + by` and up have; 0 beyond the last.
DEVICE unsigned from_lane_above(unsigned v, int by) {
  unsigned other = __shfl_down_sync(~0u, v, by);
  return lane() + by < 32 ? other : 0;
}

// Weights are read once a step: they need not stay in the first cache.
DEVICE uint4 stream(const uint4* at) {
  uint4 v;
  asm volatile("ld.global.nc.L1::no_allocate.v4.u32 {%0, %1, %2, %3}, [%4];"
               : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
               : "l"(at));
  return v;
}

// What other blocks wrote must come from the second cache, which they share.
DEVICE float fresh(const float* at) { return __ldcg(at); }
DEVICE float4 fresh4(const float* at) { return __ldcg(reinterpret_cast<const float4*>(at)); }
DEVICE uint4 fresh_words(const void* at) { return __ldcg(static_cast<const uint4*>(at)); }
DEVICE unsigned short fresh_half(const unsigned short* at) { return __ldcg(at); }

DEVICE float half_to_float(unsigned short h) {
  float v;
  asm("cvt.f32.f16 %0, %1;" : "=f"(v) : "h"(h));
  return v;
}
DEVICE unsigned short float_to_half(float v) {
  unsigned short h;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(v));
  return h;
}

DEVICE unsigned arrived(const unsigned* counter) {
  unsigned v;
  asm volatile("ld.acquire.gpu.global.u32 %0, [%1];" : "=r"(v) : "l"(counter) : "memory");
  return v;
}
DEVICE void arrive(unsigned* counter) {
  asm volatile("red.release.gpu.global.add.u32 [%0], 1;" ::"l"(counter) : "memory");
}
DEVICE long long now() { return clock64(); }
DEVICE void relax() {}

#define SHARED_MEMORY(name) __shared__ Shared name
// MLX declares the kernel: this limits its registers to what such a block can have.
#undef __global__
#define __global__ __attribute__((global)) __launch_bounds__(THREADS)

#endif

// Until all blocks have come. A GPU that can't hold all blocks at once would wait for ever: after
// PATIENCE clock ticks it is given up, and so are all later barriers; the result says so.
DEVICE void barrier(Grid& grid, Shared& sh) {
#ifdef TIMED
  const long long came = now();
#endif
  __syncthreads();
  grid.target += gridDim.x;
  if (threadIdx.x == 0) {
    arrive(grid.counter);
    long long begin = now();
    while (!sh.stuck && static_cast<int>(arrived(grid.counter) - grid.target) < 0) {
      if (now() - begin > PATIENCE) sh.stuck = 1;
      relax();
    }
  }
  __syncthreads();
#ifdef TIMED
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    grid.counter[grid.at] = static_cast<unsigned>(came);
    grid.counter[grid.at + 1] = static_cast<unsigned>(now());
  }
  grid.at += 2;
#endif
}

DEVICE float block_sum(float v, Shared& sh) {
  v = warp_sum(v);
  if (lane() == 0) sh.partial[warp()] = v;
  __syncthreads();
  v = 0;
#pragma unroll
  for (int i = 0; i < WARPS; ++i) v += sh.partial[i];
  __syncthreads();
  return v;
}

DEVICE void block_largest(float& value, int& index, Shared& sh) {
  warp_largest(value, index);
  int* indices = reinterpret_cast<int*>(sh.partial + WARPS);
  if (lane() == 0) sh.partial[warp()] = value, indices[warp()] = index;
  __syncthreads();
#pragma unroll
  for (int i = 0; i < WARPS; ++i) {
    float v = sh.partial[i];
    int j = indices[i];
    if (v > value || (v == value && j < index)) value = v, index = j;
  }
  __syncthreads();
}
