// Attention over the ring: a block takes one head and one part of the context; the parts are merged
// by each block for itself, before the product that needs them.

// Keys or values (`which`) of one head, one step.
DEVICE size_t ring_at(int layer, int which, int head, int slot) {
  return (((static_cast<size_t>(layer) * 2 + which) * HEADS + head) * CONTEXT + slot) * HEAD_DIM;
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
