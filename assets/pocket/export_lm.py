"""Write the trained language model in the published MLX format, with its `config.json`.

    PYTHONPATH=. python assets/pocket/export_lm.py --weights W/lm.pt --out moshi_tui/demo/pocket

Needs PyTorch, MLX and this repository. Linear layers and tables are quantised as Kyutai's files
are, the norms are bfloat16.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import torch
from lm import PocketLm
from shapes import LM_CONFIG, TEXT_CARD
from torch import Tensor
from train_lm import fill

from moshi_tui.model.config import LmConfig
from moshi_tui.model.layers import named_parameters
from moshi_tui.model.lm import Lm
from moshi_tui.model.weights import GROUP_SIZE

NAMES = {4: "model.q4.safetensors", 8: "model.q8.safetensors", 16: "model.safetensors"}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", type=Path, required=True, help="lm.pt")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shipped files")
    parser.add_argument("--bits", type=int, choices=sorted(NAMES), default=8)
    parser.add_argument("--temp-text", type=float, default=0.7)
    parser.add_argument("--top-k-text", type=int, default=25)
    parser.add_argument("--temp", type=float, default=0.8)
    parser.add_argument("--top-k", type=int, default=250)
    args = parser.parse_args()
    model = PocketLm()
    fill(model, args.weights)
    sampling = {
        "temp": args.temp,
        "temp_text": args.temp_text,
        "top_k": args.top_k,
        "top_k_text": args.top_k_text,
    }
    path = write(model, args.out, args.bits, sampling)
    print(f"export_lm: {path}, {path.stat().st_size:,} bytes", flush=True)


def write(model: PocketLm, out: Path, bits: int, sampling: dict[str, Any]) -> Path:
    """Write `config.json` and the model file, whose path is returned, into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    config = LM_CONFIG | {"moshi_name": NAMES[bits], "lm_gen_config": sampling}
    parameters = published(model)
    _check(parameters, LmConfig.from_dict(config))
    arrays: dict[str, mx.array] = {}
    for name, tensor in parameters.items():
        value = mx.array(tensor.detach().float().numpy()).astype(mx.bfloat16)
        arrays |= _stored(name, value, bits)
    path = out / NAMES[bits]
    mx.save_safetensors(str(path), arrays)
    (out / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    return path


def published(model: PocketLm) -> dict[str, Tensor]:
    """The parameters under the names of Kyutai's MLX files."""
    named = {
        "text_emb.weight": model.text_emb,
        "out_norm.weight": model.out_norm.weight,
        "text_linear.weight": model.text_linear.weight,
    }
    named |= {f"audio_embs.{i}.weight": table for i, table in enumerate(model.audio_embs)}
    for index, layer in enumerate(model.layers):
        named |= _layer(f"transformer.layers.{index}", layer, None)
    depth = model.depth
    inputs = depth.linear_in.weight.chunk(len(depth.emb))
    for k, table in enumerate(depth.emb):
        base = f"depformer.slices.{k}"
        named[f"{base}.emb.weight"] = table if k else table[: TEXT_CARD + 1]
        named[f"{base}.linear_in.weight"] = inputs[k]
        named[f"{base}.linear_out.weight"] = depth.linear_out.weight[k]
        for index, layer in enumerate(depth.layers):
            named |= _layer(f"{base}.transformer.layers.{index}", layer, k)
    return named


def _layer(base: str, layer: torch.nn.Module, part: int | None) -> dict[str, Tensor]:
    """A layer's parameters; `part`: of one slice of the depth transformer."""
    ours = {
        "norm1": "norm1",
        "norm2": "norm2",
        "self_attn.in_proj": "in_proj",
        "self_attn.out_proj": "out_proj",
        "gating.linear_in": "gate_in",
        "gating.linear_out": "gate_out",
    }
    found = {}
    for published_name, name in ours.items():
        weight = layer.get_submodule(name).weight
        weight = weight if part is None else weight[part]
        found[f"{base}.{published_name}.weight"] = (
            weight.flatten() if name.startswith("norm") else weight
        )
    return found


def _check(parameters: dict[str, Tensor], config: LmConfig) -> None:
    """The program must know every name in its shape, and miss none."""
    want = {name: value.shape for name, value in named_parameters(Lm(config)).items()}
    have = {name: tuple(value.shape) for name, value in parameters.items()}
    wrong = sorted(n for n in want.keys() | have.keys() if want.get(n) != have.get(n))
    if wrong:
        name = wrong[0]
        raise SystemExit(f"{name}: {have.get(name)} here, {want.get(name)} in the program")


def _stored(name: str, value: mx.array, bits: int) -> dict[str, mx.array]:
    """As the file holds a parameter: matrices quantised unless `bits` is 16."""
    if bits == 16 or value.ndim == 1:
        return {name: value}
    base = name.removesuffix("weight")
    codes, scales, biases = mx.quantize(value, group_size=GROUP_SIZE[bits], bits=bits)
    return {name: codes, f"{base}scales": scales, f"{base}biases": biases}


if __name__ == "__main__":
    main()
