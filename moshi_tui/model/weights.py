"""From files to a model: `load`, the published tensor names, quantisation on the way.

Memory: every tensor is read, cast, quantised and let go before the next, so that the peak is the
result plus the largest tensor. Which file says what:

* names: Kyutai's MLX files name our own module tree; PyTorch files are renamed by `_torch_sources`;
* quantisation: read off the file (`.scales` beside a weight; bits and group size from the shapes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import mlx.core as mx
from mlx.nn.layers.base import Module
from safetensors import SafetensorError, safe_open

from moshi_tui.errors import MoshiTuiError
from moshi_tui.model.config import MOSHI_7B, LmConfig
from moshi_tui.model.device import keep_kernels
from moshi_tui.model.layers import Weight, named_parameters
from moshi_tui.model.lm import Lm
from moshi_tui.tensorfile import promised_size

GROUP_SIZE = {4: 32, 8: 64}
"""Bits and group size of Kyutai's quantised files; the same for `quant`."""

CACHE_LIMIT = 512 * 1024**2
"""Bytes of freed memory that MLX may keep for reuse; without a limit it grows into swap on Macs."""

FLOATS = ("F16", "BF16", "F32", "F64")
PACKED = "U32"
"""Types of numbers, and of quantised codes, as safetensors names them."""

Shapes = dict[str, tuple[int, ...]]
Progress = Callable[[int, int], None]


class Files(Protocol):
    """What a resolved checkpoint offers (`checkpoint.CheckpointFiles`)."""

    @property
    def moshi(self) -> Path:
        """The model's safetensors file."""
        ...

    @property
    def config(self) -> Path | None:
        """Its `config.json`; None: Moshi 7B v0.1."""
        ...


@dataclass(frozen=True)
class Source:
    """Where a parameter's numbers lie: part `part` of `parts` equal row blocks of tensor `name`."""

    name: str
    part: int = 0
    parts: int = 1


def load(
    path_or_files: str | Path | Files,
    quant: int | None = None,
    dtype: mx.Dtype | None = None,
    *,
    progress: Progress | None = None,
) -> Lm:
    """Load a Moshi language model. All its arrays belong to the calling thread.

    Args:
        path_or_files: a safetensors file (a `config.json` beside it is used; without one it is
            Moshi 7B v0.1), a folder with one, or resolved checkpoint files.
        quant: 4 or 8: quantise an unquantised file while loading (group size 32 or 64).
        dtype: what to compute in; None: float32 on the CPU, where half precision is many times
            slower, bfloat16 on a GPU.
        progress: called with bytes done and bytes in all; what it raises stops the loading.

    Raises MoshiTuiError naming the file and the first tensors that do not fit.
    """
    path, config_path = _locate(path_or_files)
    if quant is not None and quant not in GROUP_SIZE:
        raise ValueError(f"quant {quant!r}: expected 4 or 8")
    config = LmConfig.from_file(config_path) if config_path else MOSHI_7B
    if dtype is None:
        dtype = mx.float32 if mx.default_device() == mx.Device(mx.cpu) else mx.bfloat16
    shapes = _read_shapes(path)
    torch_naming = "depformer_text_emb.weight" in shapes
    model = Lm(config, torch_naming=torch_naming)
    sources = _torch_sources(model, shapes) if torch_naming else _own_sources(model, shapes)
    _check(path, model, shapes, sources)
    if quant is not None and any(name.endswith(".scales") for name in shapes):
        _check_already_quantised(path, model, shapes, quant)
        quant = None
    mx.set_cache_limit(CACHE_LIMIT)
    keep_kernels()
    _fill(model, path, sources, quant, dtype, progress)
    model.set_dtype_of_activations(dtype)
    return model


def _locate(path_or_files: str | Path | Files) -> tuple[Path, Path | None]:
    if not isinstance(path_or_files, str | Path):
        return path_or_files.moshi, path_or_files.config
    path = Path(path_or_files).expanduser()
    if path.is_dir():
        found = sorted(path.glob("model*.safetensors"))
        if len(found) != 1:
            names = ", ".join(f.name for f in found) or "none"
            raise MoshiTuiError(
                "No single model file in the folder",
                f"{path} has model*.safetensors: {names}",
                "Name the file itself.",
            )
        path = found[0]
    config = path.with_name("config.json")
    return path, config if config.is_file() else None


def _read_shapes(path: Path) -> Shapes:
    """Names and shapes of the file's tensors; the header is checked against the file's size."""
    hint = "Fetch the file again; a download that broke off is resumed by `moshi-tui` itself."
    try:
        with safe_open(path, framework="numpy") as file:
            views = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118
            _check_types(path, {name: str(view.get_dtype()) for name, view in views.items()})
            return {name: tuple(view.get_shape()) for name, view in views.items()}
    except FileNotFoundError as error:
        raise MoshiTuiError("Model file not found", str(path), "Check the path.") from error
    except OSError as error:
        raise MoshiTuiError("Cannot read the model file", f"{path}: {error}", hint) from error
    except SafetensorError as error:
        size, promised = path.stat().st_size, promised_size(path)
        if promised is not None and size < promised:
            text = f"{path} has {size:,} bytes of at least {promised:,}"
            raise MoshiTuiError("Model file is truncated", text, hint) from error
        raise MoshiTuiError("Not a safetensors file", f"{path}: {error}", hint) from error


def _check_types(path: Path, types: dict[str, str]) -> None:
    """Codes that are quantised must be whole numbers of 32 bits, all else floating point."""
    for name, kind in types.items():
        packed = name.endswith(".weight") and f"{name.removesuffix('weight')}scales" in types
        if kind != PACKED if packed else kind not in FLOATS:
            expected = PACKED if packed else " or ".join(FLOATS)
            raise MoshiTuiError(
                "Model file has numbers of another kind",
                f"{path}: {name} is {kind}, expected {expected}",
                "Kyutai's MLX and PyTorch repos work; other quantisations don't.",
            )


def _own_sources(model: Lm, shapes: Shapes) -> dict[str, Source]:
    """Our parameters under their own names, the quantised ones with scales and biases."""
    sources = {}
    for name in named_parameters(model):
        sources[name] = Source(name)
        base = name.removesuffix("weight")
        if f"{base}scales" in shapes:
            sources[f"{base}scales"] = Source(f"{base}scales")
            sources[f"{base}biases"] = Source(f"{base}biases")
    return sources


def _torch_sources(model: Lm, shapes: Shapes) -> dict[str, Source]:
    """Our parameters under the names of Kyutai's PyTorch files."""
    config = model.config
    schedule = config.depformer_weights_per_step_schedule or tuple(range(config.dep_q))
    return {name: _torch_source(name, schedule, shapes) for name in named_parameters(model)}


def _torch_source(name: str, schedule: tuple[int, ...], shapes: Shapes) -> Source:
    words = name.split(".")
    if words[0] == "audio_embs":
        return Source(f"emb.{words[1]}.weight")
    if words[0] == "depformer":
        return _torch_slice_source(int(words[2]), words[3:], schedule, shapes)
    if words[0] == "transformer":
        return _torch_layer_source(words, 0, 1, shapes)
    return Source(name.replace("out_norm.weight", "out_norm.alpha"))


def _torch_slice_source(
    index: int, words: list[str], schedule: tuple[int, ...], shapes: Shapes
) -> Source:
    shared = schedule[index]
    if words[0] == "linear_in":
        return Source(f"depformer_in.{shared}.weight")
    if words[0] == "linear_out":
        return Source(f"linears.{index}.weight")
    if words[0] == "emb":
        table = "depformer_text_emb" if index == 0 else f"depformer_emb.{index - 1}"
        return Source(".".join([table, *words[1:]]))
    return _torch_layer_source(["depformer", *words[1:]], shared, max(schedule) + 1, shapes)


def _torch_layer_source(words: list[str], part: int, parts: int, shapes: Shapes) -> Source:
    """`words`: stack, "layers", number, then self_attn | gating | norm1 | norm2."""
    layer, kind = ".".join(words[:3]), words[3]
    if kind.startswith("norm"):
        return Source(f"{layer}.{kind}.alpha")
    if kind == "gating":
        middle = f"gating.{part}" if words[0] == "depformer" else "gating"
        return Source(f"{layer}.{middle}.{words[4]}.weight")
    # One matrix for all slices (older files), or one for each (newer: in_projs.0.weight, ...).
    each = f"{layer}.self_attn.{words[4]}s.{part}.weight"
    if each in shapes:
        return Source(each)
    weight = "in_proj_weight" if words[4] == "in_proj" else "out_proj.weight"
    return Source(f"{layer}.self_attn.{weight}", part, parts)


def _check(path: Path, model: Lm, shapes: Shapes, sources: dict[str, Source]) -> None:
    """Every parameter must be there in its shape, and nothing else."""
    missing = [f"{s.name} is missing" for s in sources.values() if s.name not in shapes]
    wrong = [
        line
        for name, value in named_parameters(model).items()
        if (line := _mismatch(name, value.shape, shapes, sources))
    ]
    extra = [
        f"{name} is unknown" for name in sorted(set(shapes) - {s.name for s in sources.values()})
    ]
    problems = missing + wrong + extra
    if not problems:
        return
    total = len(sources)
    if len(missing) == total or not set(shapes) & {s.name for s in sources.values()}:
        title, problems = (
            "Not a Moshi model",
            [f"it has {', '.join(sorted(shapes)[:3]) or 'no tensors'}"],
        )
    else:
        title = "Model file does not match its config"
    rest = f" (and {len(problems) - 4} more)" if len(problems) > 4 else ""
    raise MoshiTuiError(
        title,
        f"{path}: {'; '.join(problems[:4])}{rest}",
        "Check that config.json belongs to this file (--lm-config names another one; without any, "
        "Moshi 7B v0.1 is assumed), or fetch both again.",
    )


def _mismatch(
    name: str, want: tuple[int, ...], shapes: Shapes, sources: dict[str, Source]
) -> str | None:
    source = sources[name]
    have = shapes.get(source.name)
    if have is None:
        return None
    base = name.removesuffix("weight")
    if f"{base}scales" in sources:
        scales, biases = (shapes.get(sources[f"{base}{k}"].name) for k in ("scales", "biases"))
        if scales is None or biases is None or _is_quantised(want, have, scales, biases):
            return None
        return f"{source.name} has {list(have)} and scales {list(scales)} for {list(want)}"
    rows = want[0] * source.parts
    squeezed = [n for n in have if n != 1] if len(have) != len(want) else list(have)
    if squeezed == [rows, *want[1:]]:
        return None
    return f"{source.name} has {list(have)}, expected {[rows, *want[1:]]}"


def _is_quantised(
    want: tuple[int, ...], codes: tuple[int, ...], scales: tuple[int, ...], biases: tuple[int, ...]
) -> bool:
    """Do these shapes hold a matrix [rows, columns]?"""
    if len(want) != 2 or scales[-1:] == (0,):
        return False
    rows, columns = want
    if scales != biases or len(scales) != 2 or len(codes) != 2 or {codes[0], scales[0]} != {rows}:
        return False
    bits = codes[1] * 32 / columns
    return bits in (2, 3, 4, 5, 6, 8) and columns / scales[1] in (32, 64, 128)


def _check_already_quantised(path: Path, model: Lm, shapes: Shapes, quant: int) -> None:
    wide = {
        name: shape.shape[1]
        for name, shape in named_parameters(model).items()
        if name.replace("weight", "scales") in shapes
    }
    bits = {shapes[name][1] * 32 // columns for name, columns in wide.items()}
    if bits != {quant}:
        raise MoshiTuiError(
            "The model is already quantised",
            f"{path} has {sorted(bits)} bits, {quant} were asked for",
            "Leave out --quant, or name an unquantised file.",
        )


def _fill(
    model: Lm,
    path: Path,
    sources: dict[str, Source],
    quant: int | None,
    dtype: mx.Dtype,
    progress: Progress | None,
) -> None:
    """Give every module its numbers, one module at a time."""
    arrays = cast("dict[str, mx.array]", mx.load(str(path)))
    total, done = sum(a.nbytes for a in arrays.values()), 0
    waiting: dict[str, int] = {}
    for source in sources.values():
        waiting[source.name] = waiting.get(source.name, 0) + 1
    for prefix, module in _leaves(model):
        own = [
            k for k in ("weight", "scales", "biases", "learnt_padding") if f"{prefix}{k}" in sources
        ]
        taken = {k: _take(arrays, sources[f"{prefix}{k}"], waiting) for k in own}
        _set(module, taken, quant, dtype)
        for source in (sources[f"{prefix}{k}"] for k in own):
            if not waiting[source.name]:
                done += arrays.pop(source.name).nbytes
        del taken
        mx.clear_cache()
        if progress:
            progress(done, total)


def _leaves(model: Lm) -> Iterator[tuple[str, Module]]:
    """The modules that hold parameters of their own, in an order that keeps the parts of one
    PyTorch tensor together (all slices of a layer), with their name and a dot."""
    leaves = [
        (f"{name}.", module)
        for name, module in model.named_modules()
        if any(isinstance(v, mx.array) for v in module.values())
    ]

    def order(leaf: tuple[str, Module]) -> tuple[str, str]:
        words = leaf[0].split(".")
        is_slice = words[:2] == ["depformer", "slices"]
        return (".".join(words[3:]), words[2].zfill(3)) if is_slice else ("", leaf[0])

    return iter(sorted(leaves, key=order))


def _take(arrays: dict[str, mx.array], source: Source, waiting: dict[str, int]) -> mx.array:
    array = arrays[source.name]
    waiting[source.name] -= 1
    if source.parts == 1:
        return array
    rows = array.shape[0] // source.parts
    return array[source.part * rows : (source.part + 1) * rows]


def _set(module: Module, taken: dict[str, mx.array], quant: int | None, dtype: mx.Dtype) -> None:
    """Cast, quantise if asked, evaluate: after this the file's own bytes are not needed."""
    if "scales" in taken and isinstance(module, Weight):
        module.set_quantised(
            taken["weight"], taken["scales"].astype(dtype), taken["biases"].astype(dtype)
        )
    else:
        for key, value in taken.items():
            shape = module[key].shape
            module[key] = value.reshape(shape).astype(dtype)
        if quant is not None and isinstance(module, Weight):
            _quantise(module, quant)
    mx.eval(module.parameters())


def _quantise(module: Weight, bits: int) -> None:
    group = GROUP_SIZE[bits]
    if module.shape[1] % group == 0:
        module.set_quantised(*mx.quantize(module.weight, group_size=group, bits=bits))
