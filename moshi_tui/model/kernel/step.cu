// One step of Moshi in one kernel launch.
//
// The blocks stay on the GPU for the whole step and meet at a barrier after each phase, instead of
// being launched anew some thousand times. `source.py` puts the sizes, as #defines, and the other
// files of this folder before this text; `runner.py` says what the arguments are. Everything is
// computed in float32, whatever the weights are stored in.
//
// A matrix product is a matter of memory. All blocks keep the whole vector in shared memory, so
// each computes for itself what comes before a product (norms, the merging of attention, the draw
// of a token): that is cheaper than one more barrier.
//
// The tests compile the same text for the CPU (tests/model/emulator/emulator.h).

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
