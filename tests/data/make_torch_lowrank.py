"""Makes golden/torch_lowrank with the public PyTorch implementation.

Run in an environment of its own: pip install torch==2.13.0 einops safetensors, and
moshi==0.2.13 with --no-deps. Not used by the tests themselves.
"""

import json
from pathlib import Path

import numpy as np
import torch
from moshi.models.lm import LMGen, LMModel
from safetensors.torch import save_file

CONFIG = {
    "dim": 64,
    "text_card": 200,
    "existing_text_padding_id": 3,
    "n_q": 8,
    "dep_q": 4,
    "card": 64,
    "num_heads": 4,
    "num_layers": 2,
    "hidden_scale": 4.125,
    "causal": True,
    "layer_scale": None,
    "context": 16,
    "max_period": 10000,
    "gating": "silu",
    "norm": "rms_norm_f32",
    "positional_embedding": "rope",
    "depformer_dim": 32,
    "depformer_dim_feedforward": 96,
    "depformer_num_heads": 4,
    "depformer_num_layers": 2,
    "depformer_layer_scale": None,
    "depformer_multi_linear": True,
    "depformer_context": 8,
    "depformer_max_period": 10000,
    "depformer_gating": "silu",
    "depformer_pos_emb": "none",
    "depformer_weights_per_step": True,
    "depformer_low_rank_embeddings": 8,
    "depformer_weights_per_step_schedule": [0, 1, 2, 2],
    "delays": [0, 0, 2, 2, 2, 0, 2, 2, 2],
}
STEPS = 60


def main() -> None:
    folder = Path(__file__).parent / "golden" / "torch_lowrank"
    folder.mkdir(exist_ok=True)
    torch.manual_seed(7)
    model = LMModel(**CONFIG).eval()
    for parameter in model.parameters():
        if parameter.dim() == 2:
            torch.nn.init.normal_(parameter, std=parameter.shape[1] ** -0.5)
    tensors = {k: v.detach().clone().contiguous() for k, v in model.state_dict().items()}
    save_file(tensors, str(folder / "model.safetensors"))
    (folder / "config.json").write_text(json.dumps(CONFIG, indent=1))

    generator = LMGen(model, use_sampling=False, temp=0, temp_text=0)
    n_user = CONFIG["n_q"] - CONFIG["dep_q"]
    users = np.random.default_rng(3).integers(0, CONFIG["card"], (STEPS, n_user))
    texts, outputs = [], []
    generator.on_text_hook = lambda token: texts.append(int(token.flatten()[0]))
    with torch.no_grad(), generator.streaming(1):
        for frame in users:
            out = generator.step(torch.tensor(frame)[None, :, None])
            outputs.append(None if out is None else out[0, :, 0].tolist())
    trace = {
        "steps": STEPS,
        "user_codes": users.tolist(),
        "text_tokens": texts,
        "outputs": outputs,
        "source": f"moshi 0.2.13 (PyTorch {torch.__version__}), greedy, float32, CPU",
    }
    (folder / "trace.json").write_text(json.dumps(trace))


if __name__ == "__main__":
    main()
