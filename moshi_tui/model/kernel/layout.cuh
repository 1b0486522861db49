// What the phases of a step work on.

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

// Parts of `scratch`, in floats.
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
