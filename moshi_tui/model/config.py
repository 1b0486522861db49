"""The shape of a Moshi model, as Kyutai's `config.json` says it.

The keys are those of Kyutai's repos; a missing key has the value of Moshi 7B v0.1. A key that asks
for something that this program does not have is refused by name, because running the model
without it would give plausible nonsense.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from moshi_tui.errors import MoshiTuiError

log = logging.getLogger(__name__)

SUPPORTED: dict[str, tuple[Any, ...]] = {
    "causal": (True,),
    "layer_scale": (None,),
    "gating": ("silu",),
    "positional_embedding": ("rope",),
    "kv_repeat": (1,),
    "norm_emb": (False,),
    "bias_proj": (False,),
    "cross_attention": (False, None, []),
    "demux_second_stream": (False,),
    "demux_second_text_stream": (False,),
    "extra_heads_num_heads": (0,),
    "lora": (False,),
    "depformer_causal": (True,),
    "depformer_layer_scale": (None,),
    "depformer_gating": ("silu",),
    "depformer_pos_emb": ("none",),
    "depformer_kv_repeat": (1,),
    "depformer_norm": (None,),
    "depformer_multi_linear": (True,),
    "depformer_weights_per_step": (True,),
}
"""Keys that change the computation, and the values of them that this program can compute."""

LARGEST = 10**6
"""More than any size in a model; a larger one is a mistake."""

_SIZES = (
    "dim num_layers num_heads context n_q dep_q card text_card depformer_dim "
    "depformer_dim_feedforward depformer_num_layers depformer_num_heads "
    "depformer_low_rank_embeddings"
)
_SIZE = (int, lambda n: 0 < n < LARGEST, f"a whole number from 1 to {LARGEST - 1}")
_LIST = (list, lambda ns: all(type(n) is int for n in ns), "a list of whole numbers")
_OBJECT = (dict, lambda _: True, "an object")
_POSITIVE = ((int, float), lambda n: n > 0, "a number above 0")

KINDS: dict[str, tuple[type | tuple[type, ...], Callable[[Any], bool], str]] = {
    **dict.fromkeys(_SIZES.split(), _SIZE),
    "existing_text_padding_id": (int, lambda n: 0 <= n < LARGEST, "a token's number"),
    "hidden_scale": _POSITIVE,
    "max_period": _POSITIVE,
    "delays": _LIST,
    "depformer_weights_per_step_schedule": _LIST,
    "norm": (str, lambda _: True, "a name"),
    "conditioners": _OBJECT,
    "fuser": _OBJECT,
    "lm_gen_config": _OBJECT,
}
"""Of each key: the Python type, what makes a value plausible, and that in words."""

NULLABLE = frozenset(
    (
        "depformer_dim_feedforward",
        "depformer_low_rank_embeddings",
        "depformer_weights_per_step_schedule",
        "conditioners",
        "fuser",
        "lm_gen_config",
    )
)
"""Keys that may be null, which is as if they were missing."""

NORM_EPS = {"rms_norm_f32": 1e-8, "rms_norm": 1e-5}
"""What the two RMS norms of the PyTorch implementation add to the mean square."""

IGNORED = frozenset(
    [
        "moshi_name",
        "mimi_name",
        "tokenizer_name",
        "model_type",
        "model_id",
        "lm_gen_config",
        "tts_config",
        "stt_config",
        "text_card_out",
        "depformer_context",
        "depformer_max_period",
        "fuser",
        "conditioners",
        "norm",
    ]
)
"""Keys that are read elsewhere, or that change nothing here: the depth transformer has no
positions and always sees all slices of its frame (as in PyTorch, which drops its context)."""


@dataclass(frozen=True)
class LutConditioner:
    """A look-up table that turns one of `possible_values` into a vector added to every step."""

    n_bins: int
    dim: int
    possible_values: tuple[str, ...]


@dataclass(frozen=True)
class LmConfig:
    """Sizes and wiring of one model. Field names are the keys of `config.json`."""

    dim: int = 4096
    num_layers: int = 32
    num_heads: int = 32
    hidden_scale: float = 4.125
    context: int = 3000
    max_period: float = 10_000
    n_q: int = 16
    """Audio codebooks that the model reads: its own `dep_q` first, then the user's."""
    dep_q: int = 8
    """Audio codebooks that the model generates."""
    card: int = 2048
    text_card: int = 32_000
    existing_text_padding_id: int = 3
    delays: tuple[int, ...] = (0, *(0, *(1,) * 7) * 2)
    """Steps by which each stream lags: text, then `n_q` audio codebooks."""
    depformer_dim: int = 1024
    depformer_dim_feedforward: int = 4224
    depformer_num_layers: int = 6
    depformer_num_heads: int = 16
    depformer_weights_per_step_schedule: tuple[int, ...] | None = None
    """Which weights each slice of the depth transformer uses; None: each its own."""
    depformer_low_rank_embeddings: int | None = None
    norm_eps: float = 1e-8
    conditioners: Mapping[str, LutConditioner] = field(default_factory=dict)
    lm_gen_config: Mapping[str, Any] = field(default_factory=dict)
    """Sampling that the checkpoint suggests: temp, temp_text, top_k, top_k_text."""

    @property
    def n_user(self) -> int:
        """Codebooks of the user's side."""
        return self.n_q - self.dep_q

    @property
    def max_delay(self) -> int:
        """Steps until all codebooks of a frame are known."""
        return max(self.delays)

    @property
    def dim_feedforward(self) -> int:
        """What the PyTorch configs call so; `gating_hidden` gives the width of the layer."""
        return int(self.hidden_scale * self.dim)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], source: str = "config.json") -> LmConfig:
        """Read the keys of a `config.json`. Raises MoshiTuiError with the key's name."""
        _check_types(data, source)
        _refuse_unsupported(data, source)
        values = {f.name: data[f.name] for f in fields(cls) if f.name in data and f.name in KINDS}
        for name in ("delays", "depformer_weights_per_step_schedule"):
            if values.get(name) is not None:
                values[name] = tuple(values[name])
        if values.get("depformer_dim_feedforward") is None:
            scale = data.get("hidden_scale", cls.hidden_scale)
            values["depformer_dim_feedforward"] = int(
                scale * data.get("depformer_dim", cls.depformer_dim)
            )
        values["norm_eps"] = NORM_EPS[data.get("norm", "rms_norm_f32")]
        values["conditioners"] = _conditioners(data, source)
        values["lm_gen_config"] = dict(data.get("lm_gen_config") or {})
        config = cls(**values)
        config._check(source)
        for key in sorted(set(data) - {f.name for f in fields(cls)} - set(SUPPORTED) - IGNORED):
            log.warning("%s: unknown key %r ignored", source, key)
        return config

    @classmethod
    def from_file(cls, path: Path) -> LmConfig:
        """Read a `config.json`. Raises MoshiTuiError."""
        hint = "Fetch the file again, or name another one with --lm-config."
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise MoshiTuiError(
                "Cannot read the config", f"{path}: {error.strerror}", hint
            ) from error
        except (ValueError, RecursionError) as error:
            raise MoshiTuiError("Config is not JSON", f"{path}: {error}", hint) from error
        if not isinstance(data, dict):
            raise MoshiTuiError(
                "Config is not a JSON object", f"{path}: {type(data).__name__}", hint
            )
        return cls.from_dict(data, str(path))

    def _check(self, source: str) -> None:
        if self.n_user < 1:
            raise _bad(source, "dep_q", self.dep_q, f"no codebook of {self.n_q} is the user's")
        if len(self.delays) != self.n_q + 1 or min(self.delays) < 0:
            raise _bad(source, "delays", list(self.delays), f"expected {self.n_q + 1} from 0 up")
        for dim, heads in (("dim", "num_heads"), ("depformer_dim", "depformer_num_heads")):
            if getattr(self, dim) % getattr(self, heads):
                raise _bad(source, heads, getattr(self, heads), f"does not divide {dim}")
        if self.dim // self.num_heads % 2:
            raise _bad(source, "num_heads", self.num_heads, "heads must be of an even size")
        schedule = self.depformer_weights_per_step_schedule
        if schedule is not None and (len(schedule) != self.dep_q or min(schedule) < 0):
            name = "depformer_weights_per_step_schedule"
            raise _bad(source, name, list(schedule), f"expected {self.dep_q} from 0 up")


MOSHI_7B = LmConfig()
"""Moshi 7B v0.1: moshiko and moshika, whose repos have no `config.json`."""


def gating_hidden(dim: int, dim_feedforward: int, *, torch_naming: bool) -> int:
    """Width of a gated feed-forward layer.

    Both public implementations take 2/3 of `dim_feedforward`, but at exactly 4 * dim they round to
    different multiples of `dim`: 21/8 (PyTorch) and 11/4 (MLX).
    """
    if dim_feedforward != 4 * dim:
        return 2 * dim_feedforward // 3
    return 21 * dim // 8 if torch_naming else 11 * dim // 4


def _check_types(data: Mapping[str, Any], source: str) -> None:
    """Before anything is computed from them, values must be of their kind and within reason."""
    for key, (kind, fits, expected) in KINDS.items():
        value = data.get(key)
        if key in data and not (value is None and key in NULLABLE) and not _is(value, kind, fits):
            raise _bad(source, key, value, f"expected {expected}")
    for name, spec in (data.get("conditioners") or {}).items():
        lut = spec.get("lut", {}) if isinstance(spec, dict) else None
        if not isinstance(lut, dict):
            raise _bad(source, f"conditioners.{name}", spec, "expected an object with its type")
        if spec.get("type") == "lut":
            values, bins = lut.get("possible_values"), lut.get("n_bins")
            if not (isinstance(values, list) and isinstance(bins, int) and bins >= len(values)):
                raise _bad(source, f"conditioners.{name}.lut", lut, "needs n_bins for its values")
            if not _is(lut.get("dim"), int, lambda n: n > 0):
                raise _bad(source, f"conditioners.{name}.lut.dim", lut.get("dim"), "a size")
    for key, value in (data.get("lm_gen_config") or {}).items():
        known = key in ("temp", "temp_text", "top_k", "top_k_text")
        if known and not _is(value, (int, float), lambda n: 0 <= n < LARGEST):
            raise _bad(source, f"lm_gen_config.{key}", value, "expected a number from 0 up")
    sums = (data.get("fuser") or {}).get("sum")
    if sums is not None and not isinstance(sums, list):
        raise _bad(source, "fuser.sum", sums, "expected a list of names")


def _is(value: object, kind: type | tuple[type, ...], fits: Callable[[Any], bool]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool) and bool(fits(value))


def _refuse_unsupported(data: Mapping[str, Any], source: str) -> None:
    for key, allowed in SUPPORTED.items():
        if key in data and not any(data[key] is a or data[key] == a for a in allowed):
            raise _bad(source, key, data[key], f"this program has {allowed[0]!r} only")
    norm = data.get("norm", "rms_norm_f32")
    if norm not in NORM_EPS:
        raise _bad(source, "norm", norm, f"this program has {' and '.join(NORM_EPS)}")
    text_out = data.get("text_card_out")
    if text_out is not None and text_out != data.get("text_card", LmConfig.text_card):
        raise _bad(source, "text_card_out", text_out, "must equal text_card")
    for way in ("cross", "prepend"):
        if (data.get("fuser") or {}).get(way):
            raise _bad(source, f"fuser.{way}", data["fuser"][way], "conditions can only be summed")


def _conditioners(data: Mapping[str, Any], source: str) -> dict[str, LutConditioner]:
    found: dict[str, LutConditioner] = {}
    for name, spec in (data.get("conditioners") or {}).items():
        key = f"conditioners.{name}"
        if spec.get("type") != "lut":
            raise _bad(source, f"{key}.type", spec.get("type"), "this program has 'lut' only")
        lut = spec["lut"]
        if lut.get("tokenizer", "noop") != "noop":
            raise _bad(source, f"{key}.lut.tokenizer", lut["tokenizer"], "only 'noop'")
        if not lut.get("possible_values"):
            raise _bad(source, f"{key}.lut.possible_values", None, "a list of names is needed")
        found[name] = LutConditioner(lut["n_bins"], lut["dim"], tuple(lut["possible_values"]))
    summed = (data.get("fuser") or {}).get("sum")
    return found if summed is None else {n: c for n, c in found.items() if n in summed}


def _bad(source: str, key: str, value: object, why: str) -> MoshiTuiError:
    return MoshiTuiError(
        "Model is not supported",
        f"{source}: {key} = {value!r}: {why}",
        "Choose another checkpoint, e.g. --voice moshiko --quant 4.",
    )
