// One step of Moshi in one kernel launch.
//
// The blocks stay on the GPU for the whole step and meet at a barrier after each phase, instead of
// being launched anew some thousand times. `source.py` puts the sizes, as #defines, before this
// text; `runner.py` says what the arguments are. Everything is computed in float32, whatever the
// weights are stored in.
//
// A matrix product is a matter of memory: each warp takes rows (two at a time where two belong
// together), reads them in pieces of 16 bytes ("chunks") and multiplies them by a vector that its
// block keeps in shared memory. All blocks have the whole vector, so each computes for itself what
// comes before a product (norms, the merging of attention, the draw of a token): that is cheaper
// than one more barrier.
//
// The tests compile the same text for the CPU (tests/model/emulator/emulator.h), hence the functions
// under EMULATED.

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

// ---- numbers as they are stored

template <int TYPE>
DEVICE float number(const void* numbers, size_t i) {
  if (TYPE == F32) return static_cast<const float*>(numbers)[i];
  unsigned short h = static_cast<const unsigned short*>(numbers)[i];
  return TYPE == BF16 ? __uint_as_float(static_cast<unsigned>(h) << 16) : half_to_float(h);
}

template <int TYPE>
DEVICE void store(void* numbers, size_t i, float v) {
  if (TYPE == F32) {
    static_cast<float*>(numbers)[i] = v;
  } else if (TYPE == F16) {
    static_cast<unsigned short*>(numbers)[i] = float_to_half(v);
  } else {
    unsigned u = __float_as_uint(v);  // to nearest, ties to even
    static_cast<unsigned short*>(numbers)[i] = (u + 0x7fff + (u >> 16 & 1)) >> 16;
  }
}

// A stack of matrices of equal width. BITS: 4 or 8 for MLX's affine quantisation, 0 for plain
// numbers; TYPE: of those numbers, or of scales and biases.
template <int BITS_, int GROUP_, int TYPE_>
struct Matrix {
  static constexpr int BITS = BITS_, GROUP = GROUP_, TYPE = TYPE_;
  static constexpr int CHUNK = BITS ? 128 / BITS : TYPE == F32 ? 4 : 8;  // columns in 16 bytes
  const void* numbers;
  const void* scales;
  const void* biases;
};

// One element, for the embeddings.
template <class M, int COLUMNS>
DEVICE float element(const M& m, size_t row, int column) {
  size_t i = row * COLUMNS + column;
  if (!M::BITS) return number<M::TYPE>(m.numbers, i);
  constexpr int PACKED = M::BITS ? 32 / M::BITS : 1, GROUP = M::BITS ? M::GROUP : 1;
  unsigned word = static_cast<const unsigned*>(m.numbers)[i / PACKED];
  unsigned code = word >> (i % PACKED * M::BITS) & ((1u << M::BITS) - 1);
  size_t group = i / GROUP;
  return number<M::TYPE>(m.scales, group) * code + number<M::TYPE>(m.biases, group);
}

// ---- vector times matrix

// Where column `c` lies in Shared::x: such that the lanes of a warp, each at its own chunk, read
// neighbouring float4s and not the same bank.
template <int CHUNK>
DEVICE int place(int c) {
  int chunk = c / CHUNK, e = c % CHUNK;
  return chunk / 32 * (32 * CHUNK) + e / 4 * 128 + chunk % 32 * 4 + e % 4;
}

// To be called by all threads once x is placed.
template <class M, int COLUMNS>
DEVICE void placed(Shared& sh) {
  __syncthreads();
  if (!M::BITS) return;
  for (int chunk = threadIdx.x; chunk < COLUMNS / M::CHUNK; chunk += THREADS) {
    float sum = 0;
    for (int e = 0; e < M::CHUNK; e += 4) {
      const float4 v = *reinterpret_cast<float4*>(sh.x + place<M::CHUNK>(chunk * M::CHUNK + e));
      sum += (v.x + v.y) + (v.z + v.w);
    }
    sh.sums[chunk] = sum;
  }
  __syncthreads();
}

// Take x as it is.
template <class M, int COLUMNS>
DEVICE void take(const float* x, Shared& sh) {
  for (int c = 4 * threadIdx.x; c < COLUMNS; c += 4 * THREADS)
    *reinterpret_cast<float4*>(sh.x + place<M::CHUNK>(c)) = fresh4(x + c);
  placed<M, COLUMNS>(sh);
}

// Take the RMS norm of x, which `get(c)` gives in fours.
template <class M, int COLUMNS, class Get>
DEVICE void take_norm(Get get, const float* weight, Shared& sh) {
  constexpr int FOURS = (COLUMNS / 4 + THREADS - 1) / THREADS;
  float4 v[FOURS];
  float sum = 0;
#pragma unroll
  for (int i = 0; i < FOURS; ++i) {
    int c = 4 * (i * THREADS + threadIdx.x);
    if (c >= COLUMNS) break;
    v[i] = get(c);
    sum += (v[i].x * v[i].x + v[i].y * v[i].y) + (v[i].z * v[i].z + v[i].w * v[i].w);
  }
  float scale = 1.0f / sqrtf(block_sum(sum, sh) / COLUMNS + NORM_EPS);
#pragma unroll
  for (int i = 0; i < FOURS; ++i) {
    int c = 4 * (i * THREADS + threadIdx.x);
    if (c >= COLUMNS) break;
    const float4 w = *reinterpret_cast<const float4*>(weight + c);
    *reinterpret_cast<float4*>(sh.x + place<M::CHUNK>(c)) =
        make_float4(v[i].x * scale * w.x, v[i].y * scale * w.y, v[i].z * scale * w.z,
                    v[i].w * scale * w.w);
  }
  placed<M, COLUMNS>(sh);
}

DEVICE float dot(float4 a, float b0, float b1, float b2, float b3, float sum) {
  return fmaf(a.x, b0, fmaf(a.y, b1, fmaf(a.z, b2, fmaf(a.w, b3, sum))));
}

// 1 + q / 16 for the four bits of `word` at `at`: one shift, one three-way operation. The ones are
// taken off again with the sum of x.
DEVICE float sixteenth(unsigned word, int at) {
  unsigned moved = at <= 19 ? word << (19 - at) : word >> (at - 19);
  return __uint_as_float((moved & 0x780000u) | 0x3f800000u);
}

DEVICE float byte_of(unsigned word, int at) {
  return __uint_as_float((word >> at & 255u) | 0x4b000000u) - 8388608.0f;
}

// Adds to `sums` the dot products of R chunks with x, without scale and bias. `x`: of their first
// column; what is read of it serves all R.
template <class M, int R>
DEVICE void add_chunks(const uint4 (&chunks)[R], const float* x, float (&sums)[R]) {
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    unsigned words[R];
#pragma unroll
    for (int r = 0; r < R; ++r)
      words[r] = j == 0 ? chunks[r].x : j == 1 ? chunks[r].y : j == 2 ? chunks[r].z : chunks[r].w;
    if (M::BITS == 4) {
      const float4 a = *reinterpret_cast<const float4*>(x + 2 * j * 128);
      const float4 b = *reinterpret_cast<const float4*>(x + (2 * j + 1) * 128);
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const unsigned w = words[r];
        float& sum = sums[r];
        sum = dot(a, sixteenth(w, 0), sixteenth(w, 4), sixteenth(w, 8), sixteenth(w, 12), sum);
        sum = dot(b, sixteenth(w, 16), sixteenth(w, 20), sixteenth(w, 24), sixteenth(w, 28), sum);
      }
    } else if (M::BITS == 8) {
      const float4 a = *reinterpret_cast<const float4*>(x + j * 128);
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const unsigned w = words[r];
        sums[r] = dot(a, byte_of(w, 0), byte_of(w, 8), byte_of(w, 16), byte_of(w, 24), sums[r]);
      }
    } else if (M::TYPE == F32) {
#pragma unroll
      for (int r = 0; r < R; ++r) sums[r] = fmaf(__uint_as_float(words[r]), x[j], sums[r]);
    } else {
      const float2 a = *reinterpret_cast<const float2*>(x + j / 2 * 128 + j % 2 * 2);
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const unsigned w = words[r];
        const bool bf16 = M::TYPE == BF16;
        const float low = bf16 ? __uint_as_float(w << 16) : half_to_float(w & 0xffff);
        const float high = bf16 ? __uint_as_float(w & 0xffff0000u) : half_to_float(w >> 16);
        sums[r] = fmaf(a.x, low, fmaf(a.y, high, sums[r]));
      }
    }
  }
}

// The products of R rows with the placed vector; a warp's work, the result in all lanes.
template <class M, int COLUMNS, int R>
DEVICE void dots(const M& m, const size_t (&rows)[R], const Shared& sh, float (&result)[R]) {
  constexpr int CHUNKS = COLUMNS / M::CHUNK, TURNS = (CHUNKS + 31) / 32;
  constexpr int BATCH = TURNS < LOADS_AHEAD ? TURNS : LOADS_AHEAD;
  constexpr int GROUPS = M::BITS ? COLUMNS / (M::BITS ? M::GROUP : 1) : 1;
  float sums[R] = {};
#pragma unroll
  for (int turn = 0; turn < TURNS; turn += BATCH) {
    uint4 chunks[BATCH][R];
    float scales[BATCH][R], biases[BATCH][R];
#pragma unroll
    for (int b = 0; b < BATCH; ++b) {
      const int chunk = (turn + b) * 32 + lane();
      if (turn + b >= TURNS || chunk >= CHUNKS) continue;
#pragma unroll
      for (int r = 0; r < R; ++r) {
        chunks[b][r] = stream(static_cast<const uint4*>(m.numbers) + rows[r] * CHUNKS + chunk);
        if (!M::BITS) continue;
        const size_t group = rows[r] * GROUPS + chunk * M::CHUNK / (M::BITS ? M::GROUP : 1);
        scales[b][r] = number<M::TYPE>(m.scales, group);
        biases[b][r] = number<M::TYPE>(m.biases, group);
      }
    }
#pragma unroll
    for (int b = 0; b < BATCH; ++b) {
      const int chunk = (turn + b) * 32 + lane();
      if (turn + b >= TURNS || chunk >= CHUNKS) continue;
      const float* x = sh.x + (turn + b) * (32 * M::CHUNK) + lane() * 4;
      if (!M::BITS) {
        add_chunks<M, R>(chunks[b], x, sums);
        continue;
      }
      float products[R] = {};
      add_chunks<M, R>(chunks[b], x, products);
      const float all = sh.sums[chunk];
#pragma unroll
      for (int r = 0; r < R; ++r) {
        const float scale = M::BITS == 4 ? 16 * scales[b][r] : scales[b][r];
        const float bias = M::BITS == 4 ? biases[b][r] - scale : biases[b][r];
        sums[r] += fmaf(scale, products[r], bias * all);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < R; ++r) result[r] = warp_sum(sums[r]);
}

// A product of rows with the placed vector, in items of R rows: `NEXT` rows from one item to the
// next, `BETWEEN` rows between those of one item.
template <class M_, int COLUMNS_, int R_, int ITEMS_, int NEXT, int BETWEEN>
struct Product {
  using M = M_;
  static constexpr int COLUMNS = COLUMNS_, R = R_, ITEMS = ITEMS_;
  const M& matrix;
  size_t first;  // row
  DEVICE size_t row(int item, int r) const {
    return first + static_cast<size_t>(item) * NEXT + r * BETWEEN;
  }
};

// The first item of a warp; neighbours go to different blocks.
DEVICE int first_item() { return warp() * gridDim.x + blockIdx.x; }

// Call `give(item, results)` on lane 0 for each item.
template <class P, class Give>
DEVICE void multiply(const P& product, const Shared& sh, Give give) {
  for (int item = first_item(); item < P::ITEMS; item += gridDim.x * WARPS) {
    size_t rows[P::R];
    float result[P::R];
#pragma unroll
    for (int r = 0; r < P::R; ++r) rows[r] = product.row(item, r);
    dots<typename P::M, P::COLUMNS, P::R>(product.matrix, rows, sh, result);
    if (lane() == 0) give(item, result);
  }
}

using ProjectIn = Product<InProj, DIM, 2, 3 * DIM / 2, 2, 1>;
using ProjectOut = Product<OutProj, DIM, 2, DIM / 2, 2, 1>;
using Gate = Product<GateIn, DIM, 2, HIDDEN, 1, HIDDEN>;
using GateBack = Product<GateOut, HIDDEN, 2, DIM / 2, 2, 1>;
using TextHead = Product<TextLinear, DIM, 2, TEXT_CARD / 2, 2, 1>;
using SlicesIn = Product<DepthLinearIn, DIM, 2, DEP_Q * DEPTH_DIM / 2, 2, 1>;
using DepthProjectIn = Product<DepthInProj, DEPTH_DIM, 2, 3 * DEPTH_DIM / 2, 2, 1>;
using DepthProjectOut = Product<DepthOutProj, DEPTH_DIM, 1, DEPTH_DIM, 1, 1>;
using DepthGate = Product<DepthGateIn, DEPTH_DIM, 2, DEPTH_HIDDEN, 1, DEPTH_HIDDEN>;
using DepthGateBack = Product<DepthGateOut, DEPTH_HIDDEN, 1, DEPTH_DIM, 1, 1>;
using AudioHead = Product<DepthLinearOut, DEPTH_DIM, 1, CARD, 1, 1>;

// ---- what the phases work on

struct Step {
  const int* controls;     // tokens [1 + n_q], then the position
  const float* sampling;   // text temperature, text top-k, audio temperature, audio top-k
  const float* noise;      // [text_card] (none if text is greedy) and dep_q times [card]
  const float* condition;  // [dim]
  void* ring;              // [layers, 2, heads, context, head_dim]
  float* scratch;          // as the constants below
  unsigned* sync;          // arrivals, and how many there were when this step began
  int* spoken;             // [1 + dep_q]; the first is -1 if the barriers were given up
  const float *norm1, *norm2, *out_norm, *depth_norm1, *depth_norm2;
  TextEmb text_emb;
  AudioEmb audio_emb;
  InProj in_proj;
  OutProj out_proj;
  GateIn gate_in;
  GateOut gate_out;
  TextLinear text_linear;
  DepthLinearIn depth_linear_in;
  DepthTextEmb depth_text_emb;
  DepthAudioEmb depth_audio_emb;
  DepthInProj depth_in_proj;
  DepthOutProj depth_out_proj;
  DepthGateIn depth_gate_in;
  DepthGateOut depth_gate_out;
  DepthLinearOut depth_linear_out;
};

// Parts of `scratch`, in floats. The logits come first: tests read them.
constexpr size_t TEXT_LOGITS = 0;
constexpr size_t AUDIO_LOGITS = TEXT_LOGITS + TEXT_CARD_4;
constexpr size_t X = AUDIO_LOGITS + DEP_Q * CARD_4;
constexpr size_t QUERY = X + DIM;
constexpr size_t GATED = QUERY + DIM;
constexpr size_t PARTS = GATED + HIDDEN;  // of attention: [heads * splits, head_dim + 4]
constexpr size_t SLICES = PARTS + HEADS * SPLITS * (HEAD_DIM + 4);  // [dep_q, depth_dim]
constexpr size_t DEPTH_X = SLICES + DEP_Q * DEPTH_DIM;
constexpr size_t DEPTH_QUERY = DEPTH_X + DEPTH_DIM;
constexpr size_t DEPTH_GATED = DEPTH_QUERY + DEPTH_DIM;
constexpr size_t DEPTH_KV = DEPTH_GATED + DEPTH_HIDDEN;  // [depth_layers, dep_q, 2, depth_dim]
static_assert(DEPTH_KV + DEPTH_LAYERS * DEP_Q * 2 * DEPTH_DIM == SCRATCH_FLOATS,
              "source.py has counted otherwise");

DEVICE float silu(float v) { return v / (1.0f + expf(-v)); }

DEVICE int position(const Step& s) { return s.controls[1 + N_Q]; }

// ---- the temporal transformer

DEVICE void embed(const Step& s) {
  for (int c = blockIdx.x * THREADS + threadIdx.x; c < DIM; c += gridDim.x * THREADS) {
    float v = element<TextEmb, DIM>(s.text_emb, s.controls[0], c);
    for (int i = 0; i < N_Q; ++i)
      v += element<AudioEmb, DIM>(s.audio_emb, i * (CARD + 1) + s.controls[1 + i], c);
    s.scratch[X + c] = v + s.condition[c];
  }
}

// Keys or values (`which`) of one head, one step.
DEVICE size_t ring_at(int layer, int which, int head, int slot) {
  return (((static_cast<size_t>(layer) * 2 + which) * HEADS + head) * CONTEXT + slot) * HEAD_DIM;
}

DEVICE ProjectIn project_in_of(const Step& s, int layer) {
  return {s.in_proj, static_cast<size_t>(layer) * 3 * DIM};
}

// Queries, keys and values; a pair of rows is a pair that RoPE turns.
DEVICE void project_in(const Step& s, int layer, Shared& sh) {
  take_norm<InProj, DIM>([&](int c) { return fresh4(s.scratch + X + c); }, s.norm1 + layer * DIM,
                         sh);
  const int at = position(s);
  multiply(project_in_of(s, layer), sh, [&](int item, const float(&v)[2]) {
    const int row = 2 * item, which = row / DIM, head = row % DIM / HEAD_DIM;
    const int e = row % HEAD_DIM;
    float a = v[0], b = v[1];
    if (which < 2) {
      float sine, cosine;
      sincosf(at * exp2f(-LOG2_PERIOD * e / HEAD_DIM), &sine, &cosine);
      a = v[0] * cosine - v[1] * sine;
      b = v[0] * sine + v[1] * cosine;
    }
    if (which == 0) {
      s.scratch[QUERY + row] = a;
      s.scratch[QUERY + row + 1] = b;
    } else {
      const size_t i = ring_at(layer, which - 1, head, at % CONTEXT) + e;
      store<RING>(s.ring, i, a);
      store<RING>(s.ring, i + 1, b);
    }
  });
}

// How a warp reads the keys and values of a head: LANES lanes take one step, EACH neighbouring
// elements at a time; if a head is a power of two of 16 bytes, they take it at once, and the other
// lanes take the next steps.
constexpr int BYTES = RING == F32 ? 4 : 2;
constexpr int PIECES = HEAD_DIM * BYTES / 16;
constexpr bool WHOLE = HEAD_DIM * BYTES % 16 == 0 && PIECES <= 32 && (PIECES & (PIECES - 1)) == 0;
constexpr int LANES = WHOLE ? PIECES : 32, EACH = WHOLE ? 16 / BYTES : 1;
constexpr int HELD = WHOLE ? EACH : (HEAD_DIM + 31) / 32;  // elements that a lane has of a head
constexpr int TOGETHER = 32 / LANES;                       // steps that a warp reads together
constexpr int AT_ONCE = HELD <= 8 ? 4 : 2;                 // times that it asks before it waits
static_assert(GROUPS_OF_A_WARP == TOGETHER, "source.py has counted otherwise");

// Which element of its head a lane's i-th is.
DEVICE int element_of(int i) { return (i / EACH * LANES + lane() % LANES) * EACH + i % EACH; }

// Some of a head, as it is stored if it is read at once.
struct Part {
  uint4 words;
  float values[WHOLE ? 1 : HELD];
};

DEVICE Part read_part(const Step& s, size_t at) {
  Part part;
  if (WHOLE) {
    part.words = fresh_words(static_cast<const char*>(s.ring) + (at + element_of(0)) * BYTES);
    return part;
  }
#pragma unroll
  for (int i = 0; i < (WHOLE ? 1 : HELD); ++i) {
    const size_t e = at + min(element_of(i), HEAD_DIM - 1);
    if (RING == F32) {
      part.values[i] = fresh(static_cast<const float*>(s.ring) + e);
    } else {
      const unsigned short h = fresh_half(static_cast<const unsigned short*>(s.ring) + e);
      part.values[i] = number<RING>(&h, 0);
    }
    if (element_of(i) >= HEAD_DIM) part.values[i] = 0;
  }
  return part;
}

DEVICE float value_of(const Part& part, int i) {
  if (!WHOLE) return part.values[WHOLE ? 0 : i];
  const int word = i * BYTES / 4;
  const unsigned w = word == 0   ? part.words.x
                     : word == 1 ? part.words.y
                     : word == 2 ? part.words.z
                                 : part.words.w;
  if (RING == F32) return __uint_as_float(w);
  if (RING == BF16) return __uint_as_float(i % 2 ? w & 0xffff0000u : w << 16);
  return half_to_float(i % 2 ? w >> 16 : w & 0xffff);
}

// A softmax on its way: the sum of exp(score - largest) times value, and of the weights.
struct Attended {
  float values[HELD], weight, largest;
};

// What a warp asks the ring for before it waits.
struct Batch {
  Part keys[AT_ONCE], values[AT_ONCE];
};

DEVICE Batch read_batch(const Step& s, int layer, int head, int from, int to) {
  Batch batch;
#pragma unroll
  for (int n = 0; n < AT_ONCE; ++n) {
    const int slot = min(from + n * TOGETHER + lane() / LANES, to - 1);
    batch.keys[n] = read_part(s, ring_at(layer, 0, head, slot));
  }
#pragma unroll
  for (int n = 0; n < AT_ONCE; ++n) {
    const int slot = min(from + n * TOGETHER + lane() / LANES, to - 1);
    batch.values[n] = read_part(s, ring_at(layer, 1, head, slot));
  }
  return batch;
}

DEVICE void attend(const Batch& batch, int from, int to, const float (&query)[HELD],
                   Attended& sum) {
  float scores[AT_ONCE], largest = sum.largest;
#pragma unroll
  for (int n = 0; n < AT_ONCE; ++n) {
    float v = 0;
#pragma unroll
    for (int i = 0; i < HELD; ++i) v = fmaf(value_of(batch.keys[n], i), query[i], v);
    v = group_sum<LANES>(v);
    scores[n] = from + n * TOGETHER + lane() / LANES < to ? v : LOWEST;
    largest = fmaxf(largest, scores[n]);
  }
  const float kept = expf(sum.largest - largest);
  sum.weight *= kept;
#pragma unroll
  for (int i = 0; i < HELD; ++i) sum.values[i] *= kept;
#pragma unroll
  for (int n = 0; n < AT_ONCE; ++n) {
    const float weight = expf(scores[n] - largest);
    sum.weight += weight;
#pragma unroll
    for (int i = 0; i < HELD; ++i)
      sum.values[i] = fmaf(weight, value_of(batch.values[n], i), sum.values[i]);
  }
  sum.largest = largest;
}

// The slots in use are parted among `SPLITS` blocks: where part `split` begins.
DEVICE int part_of_context(const Step& s, int split) {
  const int steps = min(position(s) + 1, CONTEXT);
  return static_cast<long long>(steps) * split / SPLITS;
}

// Over one head and one part of the slots: a warp's share of them.
DEVICE Attended attend_part(const Step& s, int layer, int head, int from, int to) {
  float query[HELD];
#pragma unroll
  for (int i = 0; i < HELD; ++i) {
    const int e = element_of(i);
    query[i] = e < HEAD_DIM ? fresh(s.scratch + QUERY + head * HEAD_DIM + e) * ATTENTION_SCALE : 0;
  }
  Attended sum = {{}, 0, -1e30f};
  constexpr int MANY = AT_ONCE * TOGETHER;
  int at = from + warp() * MANY;
  if (at >= to) return sum;
  Batch next = read_batch(s, layer, head, at, to);
  while (at < to) {
    const Batch batch = next;
    const int then = at + WARPS * MANY;
    if (then < to) next = read_batch(s, layer, head, then, to);
    attend(batch, at, to, query, sum);
    at = then;
  }
  return sum;
}

// Each item is one head and one part of the slots; the sums of a block's warps meet in shared
// memory. Merged with the other parts by `merge_parts`.
DEVICE void attend_all(const Step& s, int layer, Shared& sh) {
  constexpr int SUMS = WARPS * TOGETHER, SIZE = HEAD_DIM + 2;
  for (int item = blockIdx.x; item < HEADS * SPLITS; item += gridDim.x) {
    const Attended sum = attend_part(s, layer, item % HEADS, part_of_context(s, item / HEADS),
                                     part_of_context(s, item / HEADS + 1));
    float* mine = sh.x + (warp() * TOGETHER + lane() / LANES) * SIZE;
#pragma unroll
    for (int i = 0; i < HELD; ++i)
      if (element_of(i) < HEAD_DIM) mine[element_of(i)] = sum.values[i];
    if (lane() % LANES == 0) mine[HEAD_DIM] = sum.weight, mine[HEAD_DIM + 1] = sum.largest;
    __syncthreads();
    float* part = s.scratch + PARTS + item * (HEAD_DIM + 4);
    for (int e = threadIdx.x; e <= HEAD_DIM; e += THREADS) {
      float largest = -1e30f, total = 0;
      for (int i = 0; i < SUMS; ++i) largest = fmaxf(largest, sh.x[i * SIZE + HEAD_DIM + 1]);
      for (int i = 0; i < SUMS; ++i)
        total = fmaf(expf(sh.x[i * SIZE + HEAD_DIM + 1] - largest), sh.x[i * SIZE + e], total);
      part[e] = total;
      if (e == HEAD_DIM) part[e + 1] = largest;
    }
    __syncthreads();
  }
}

// What attention gives, in the order of the heads, placed for `out_proj`.
DEVICE void merge_parts(const Step& s, Shared& sh) {
  for (int c = threadIdx.x; c < DIM; c += THREADS) {
    const int head = c / HEAD_DIM, e = c % HEAD_DIM;
    const float* parts = s.scratch + PARTS + head * (HEAD_DIM + 4);
    constexpr int NEXT = HEADS * (HEAD_DIM + 4);
    float largest = -1e30f, total = 0, weight = 0;
#pragma unroll
    for (int i = 0; i < SPLITS; ++i)
      largest = fmaxf(largest, fresh(parts + i * NEXT + HEAD_DIM + 1));
#pragma unroll
    for (int i = 0; i < SPLITS; ++i) {
      const float share = expf(fresh(parts + i * NEXT + HEAD_DIM + 1) - largest);
      total = fmaf(share, fresh(parts + i * NEXT + e), total);
      weight = fmaf(share, fresh(parts + i * NEXT + HEAD_DIM), weight);
    }
    sh.x[place<OutProj::CHUNK>(c)] = total / weight;
  }
  placed<OutProj, DIM>(sh);
}

// x += W v for the placed v.
template <class P>
DEVICE void add_product(const P& product, float* x, const Shared& sh) {
  multiply(product, sh, [&](int item, const float(&v)[P::R]) {
#pragma unroll
    for (int r = 0; r < P::R; ++r) x[item * P::R + r] = fresh(x + item * P::R + r) + v[r];
  });
}

// silu(a) * b for the placed v, where the rows of an item give a and b.
template <class P>
DEVICE void gate(const P& product, float* gated, const Shared& sh) {
  multiply(product, sh,
           [&](int item, const float(&v)[2]) { gated[item] = silu(v[0]) * v[1]; });
}

DEVICE void temporal(const Step& s, Grid& grid, Shared& sh) {
  float* x = s.scratch + X;
  embed(s);
  barrier(grid, sh);
  for (int layer = 0; layer < LAYERS; ++layer) {
    const size_t row = static_cast<size_t>(layer) * DIM;
    const ProjectOut out = {s.out_proj, row};
    const Gate gates = {s.gate_in, static_cast<size_t>(layer) * 2 * HIDDEN};
    const GateBack back = {s.gate_out, row};
    project_in(s, layer, sh);
    barrier(grid, sh);
    attend_all(s, layer, sh);
    barrier(grid, sh);
    merge_parts(s, sh);
    add_product(out, x, sh);
    barrier(grid, sh);
    take_norm<GateIn, DIM>([&](int c) { return fresh4(x + c); }, s.norm2 + row, sh);
    gate(gates, s.scratch + GATED, sh);
    barrier(grid, sh);
    take<GateOut, HIDDEN>(s.scratch + GATED, sh);
    add_product(back, x, sh);
    barrier(grid, sh);
  }
}

// Text logits, and what each slice of the depth transformer sees of this step. Both take the same
// vector; it is placed twice only where their chunks differ.
DEVICE void heads(const Step& s, Shared& sh) {
  auto x = [&](int c) { return fresh4(s.scratch + X + c); };
  take_norm<TextLinear, DIM>(x, s.out_norm, sh);
  multiply(TextHead{s.text_linear, 0}, sh, [&](int item, const float(&v)[2]) {
    s.scratch[TEXT_LOGITS + 2 * item] = v[0];
    s.scratch[TEXT_LOGITS + 2 * item + 1] = v[1];
  });
  if (TextLinear::CHUNK != DepthLinearIn::CHUNK || TextLinear::BITS != DepthLinearIn::BITS) {
    __syncthreads();
    take_norm<DepthLinearIn, DIM>(x, s.out_norm, sh);
  }
  multiply(SlicesIn{s.depth_linear_in, 0}, sh, [&](int item, const float(&v)[2]) {
    s.scratch[SLICES + 2 * item] = v[0];
    s.scratch[SLICES + 2 * item + 1] = v[1];
  });
}

// ---- drawing a token

// A number that orders as the float does.
DEVICE unsigned order_of(float v) {
  unsigned u = __float_as_uint(v);
  return u & 0x80000000u ? ~u : u | 0x80000000u;
}

// `order_of` the k-th largest of `count` numbers: eight bits at a time, from the top.
template <class Get>
DEVICE unsigned kth_largest(Get get, int count, unsigned k, Shared& sh) {
  unsigned found = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < 256; i += THREADS) sh.histogram[i] = 0;
    __syncthreads();
    for (int i = threadIdx.x; i < count; i += THREADS) {
      const unsigned u = order_of(get(i));
      if (shift == 24 || u >> (shift + 8) == found >> (shift + 8))
        atomicAdd(&sh.histogram[u >> shift & 255], 1u);
    }
    __syncthreads();
    if (warp() == 0) {  // lane n has bins 8 n to 8 n + 7
      unsigned bins[8], sum = 0;
      for (int i = 0; i < 8; ++i) sum += bins[i] = sh.histogram[8 * lane() + i];
      unsigned from_here = sum;
      for (int by = 1; by < 32; by *= 2) from_here += from_lane_above(from_here, by);
      unsigned above = from_here - sum;
      if (above < k && k <= from_here) {
        int bin = 7;
        while (above + bins[bin] < k) above += bins[bin--];
        sh.bin = 8 * lane() + bin;
        sh.above = above;
      }
    }
    __syncthreads();
    found |= sh.bin << shift;
    k -= sh.above;
    __syncthreads();
  }
  return found;
}

// The token, in all threads of all blocks.
template <class Get>
DEVICE int draw_from(Get get, int count, float temperature, int k, const float* noise,
                     Shared& sh) {
  float largest = LOWEST;
  int token = count;
  for (int i = threadIdx.x; i < count; i += THREADS)
    if (get(i) > largest) largest = get(i), token = i;
  block_largest(largest, token, sh);
  if (temperature == 0) return min(token, count - 1);
  const unsigned least = k < count ? kth_largest(get, count, k, sh) : 0;
  float best = LOWEST;
  token = count;
  for (int i = threadIdx.x; i < count; i += THREADS) {
    const float v = get(i);
    if (order_of(v) < least) continue;
    const float score = v + temperature * noise[i];
    if (score > best) best = score, token = i;
  }
  block_largest(best, token, sh);
  return min(token, count - 1);  // with NaN for logits nothing is largest
}

DEVICE int draw_text(const Step& s, Shared& sh) {
  const float* logits = s.scratch + TEXT_LOGITS;
  return draw_from([&](int i) { return fresh(logits + i); }, TEXT_CARD, s.sampling[0],
                   static_cast<int>(s.sampling[1]), s.noise, sh);
}

DEVICE int draw_audio(const Step& s, int slice, Shared& sh) {
  const float* logits = s.scratch + AUDIO_LOGITS + slice * CARD_4;
  for (int i = threadIdx.x; i < CARD; i += THREADS) sh.x[i] = fresh(logits + i);
  __syncthreads();
  const float* noise = s.noise + (s.sampling[0] == 0 ? 0 : TEXT_CARD) + slice * CARD;
  return draw_from([&](int i) { return sh.x[i]; }, CARD, s.sampling[2],
                   static_cast<int>(s.sampling[3]), noise, sh);
}

// ---- the depth transformer

DEVICE float4 depth_embedding(const Step& s, int slice, int token, int c) {
  float v[4];
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    v[i] = slice == 0 ? element<DepthTextEmb, DEPTH_DIM>(s.depth_text_emb, token, c + i)
                      : element<DepthAudioEmb, DEPTH_DIM>(
                            s.depth_audio_emb, (slice - 1) * (CARD + 1) + token, c + i);
  }
  return make_float4(v[0], v[1], v[2], v[3]);
}

DEVICE DepthProjectIn depth_project_in_of(const Step& s, int matrix) {
  return {s.depth_in_proj, static_cast<size_t>(matrix) * 3 * DEPTH_DIM};
}

// Queries, keys and values of a slice. The first layer's x is made here, by each block for itself,
// and written down by the first one.
DEVICE void depth_project_in(const Step& s, int slice, int layer, int token, Shared& sh) {
  const int matrix = slice * DEPTH_LAYERS + layer;
  auto x = [&](int c) {
    if (layer) return fresh4(s.scratch + DEPTH_X + c);
    const float4 a = fresh4(s.scratch + SLICES + slice * DEPTH_DIM + c);
    const float4 b = depth_embedding(s, slice, token, c);
    const float4 v = make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
    if (blockIdx.x == 0) *reinterpret_cast<float4*>(s.scratch + DEPTH_X + c) = v;
    return v;
  };
  take_norm<DepthInProj, DEPTH_DIM>(x, s.depth_norm1 + matrix * DEPTH_DIM, sh);
  float* kv = s.scratch + DEPTH_KV + (layer * DEP_Q + slice) * 2 * DEPTH_DIM;
  multiply(depth_project_in_of(s, matrix), sh, [&](int item, const float(&v)[2]) {
    const int row = 2 * item;
    float* to = row < DEPTH_DIM ? s.scratch + DEPTH_QUERY + row : kv + row - DEPTH_DIM;
    to[0] = v[0];
    to[1] = v[1];
  });
}

// Attention over the slices so far, by each block for itself: a warp takes a head.
DEVICE void depth_attend(const Step& s, int slice, int layer, Shared& sh) {
  const float* kv = s.scratch + DEPTH_KV + layer * DEP_Q * 2 * DEPTH_DIM;
  constexpr int MANY = (DEPTH_HEAD_DIM + 31) / 32;
  for (int head = warp(); head < DEPTH_HEADS; head += WARPS) {
    float query[MANY], sum[MANY] = {}, scores[DEP_Q], largest = LOWEST, weight = 0;
#pragma unroll
    for (int i = 0; i < MANY; ++i) {
      const int e = i * 32 + lane();
      query[i] = e < DEPTH_HEAD_DIM ? fresh(s.scratch + DEPTH_QUERY + head * DEPTH_HEAD_DIM + e) *
                                          DEPTH_ATTENTION_SCALE
                                    : 0;
    }
#pragma unroll
    for (int n = 0; n < DEP_Q; ++n) {
      float v = 0;
#pragma unroll
      for (int i = 0; i < MANY; ++i) {
        const int e = i * 32 + lane();
        if (n <= slice && e < DEPTH_HEAD_DIM)
          v = fmaf(query[i], fresh(kv + n * 2 * DEPTH_DIM + head * DEPTH_HEAD_DIM + e), v);
      }
      scores[n] = v;
    }
#pragma unroll
    for (int n = 0; n < DEP_Q; ++n) {
      const float score = warp_sum(scores[n]);
      scores[n] = n <= slice ? score : LOWEST;
      largest = fmaxf(largest, scores[n]);
    }
#pragma unroll
    for (int n = 0; n < DEP_Q; ++n) {
      const float share = expf(scores[n] - largest);
      weight += share;
#pragma unroll
      for (int i = 0; i < MANY; ++i) {
        const int e = i * 32 + lane();
        if (n <= slice && e < DEPTH_HEAD_DIM)
          sum[i] = fmaf(
              share, fresh(kv + (n * 2 + 1) * DEPTH_DIM + head * DEPTH_HEAD_DIM + e), sum[i]);
      }
    }
#pragma unroll
    for (int i = 0; i < MANY; ++i) {
      const int e = i * 32 + lane();
      if (e < DEPTH_HEAD_DIM)
        sh.x[place<DepthOutProj::CHUNK>(head * DEPTH_HEAD_DIM + e)] = sum[i] / weight;
    }
  }
  placed<DepthOutProj, DEPTH_DIM>(sh);
}

DEVICE void depth_slice(const Step& s, int slice, int token, Grid& grid, Shared& sh) {
  float* x = s.scratch + DEPTH_X;
  const AudioHead head = {s.depth_linear_out, static_cast<size_t>(slice) * CARD};
  for (int layer = 0; layer < DEPTH_LAYERS; ++layer) {
    const size_t matrix = slice * DEPTH_LAYERS + layer;
    const DepthProjectOut out = {s.depth_out_proj, matrix * DEPTH_DIM};
    const DepthGate gates = {s.depth_gate_in, matrix * 2 * DEPTH_HIDDEN};
    const DepthGateBack back = {s.depth_gate_out, matrix * DEPTH_DIM};
    depth_project_in(s, slice, layer, token, sh);
    barrier(grid, sh);
    depth_attend(s, slice, layer, sh);
    add_product(out, x, sh);
    barrier(grid, sh);
    take_norm<DepthGateIn, DEPTH_DIM>([&](int c) { return fresh4(x + c); },
                                      s.depth_norm2 + matrix * DEPTH_DIM, sh);
    gate(gates, s.scratch + DEPTH_GATED, sh);
    barrier(grid, sh);
    take<DepthGateOut, DEPTH_HIDDEN>(s.scratch + DEPTH_GATED, sh);
    add_product(back, x, sh);
    barrier(grid, sh);
  }
  take<DepthLinearOut, DEPTH_DIM>(x, sh);
  float* logits = s.scratch + AUDIO_LOGITS + slice * CARD_4;
  multiply(head, sh, [&](int item, const float(&v)[1]) { logits[item] = v[0]; });
  barrier(grid, sh);
}

DEVICE void moshi_step(const Step& s, Shared& sh) {
  if (threadIdx.x == 0) sh.stuck = 0;
  Grid grid = {s.sync, arrived(s.sync + 1)};
#ifdef TIMED
  grid.at = 2;
#endif
  temporal(s, grid, sh);
  heads(s, sh);
  barrier(grid, sh);
  int token = draw_text(s, sh);
  if (blockIdx.x == 0 && threadIdx.x == 0) s.spoken[0] = token;
  for (int slice = 0; slice < DEP_Q; ++slice) {
    depth_slice(s, slice, token, grid, sh);
    token = draw_audio(s, slice, sh);
    if (blockIdx.x == 0 && threadIdx.x == 0) s.spoken[1 + slice] = token;
    __syncthreads();
  }
  if (threadIdx.x == 0 && sh.stuck) s.spoken[0] = -1;
  if (threadIdx.x == 0 && blockIdx.x == 0) s.sync[1] = grid.target;
}
