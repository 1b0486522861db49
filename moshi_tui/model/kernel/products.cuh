// Matrices as they are stored, and the product of their rows with a vector.
//
// Each warp takes rows (two at a time where two belong together), reads them in pieces of 16 bytes
// ("chunks") and multiplies them by a vector that its block keeps in shared memory.

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
