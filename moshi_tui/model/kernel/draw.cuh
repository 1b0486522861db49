// Drawing a token from logits; each block does it for itself.

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
