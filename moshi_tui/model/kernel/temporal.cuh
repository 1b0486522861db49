// The temporal transformer, with the embeddings before it and the heads after it.

DEVICE void embed(const Step& s) {
  for (int c = blockIdx.x * THREADS + threadIdx.x; c < DIM; c += gridDim.x * THREADS) {
    float v = element<TextEmb, DIM>(s.text_emb, s.controls[0], c);
    for (int i = 0; i < N_Q; ++i)
      v += element<AudioEmb, DIM>(s.audio_emb, i * (CARD + 1) + s.controls[1 + i], c);
    s.scratch[X + c] = v + s.condition[c];
  }
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
