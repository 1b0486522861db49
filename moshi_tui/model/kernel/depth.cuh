// The depth transformer: its slices one after another, each a few layers, a head and a draw.

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
