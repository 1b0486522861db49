"""The kernel's text: the sizes of one model, the files beside this one, and a body that names its
arguments."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

import mlx.core as mx

from moshi_tui.model.config import LmConfig
from moshi_tui.model.kernel.pack import TYPES, Format

SHARED_BYTES = 48 * 1024
"""Shared memory that a block may declare on every NVIDIA GPU."""

HISTOGRAM = 256
PATIENCE = 4_000_000_000
"""Clock ticks (about two seconds) after which a barrier is given up."""

FILES = (
    "blocks.cuh",
    "products.cuh",
    "layout.cuh",
    "attention.cuh",
    "temporal.cuh",
    "draw.cuh",
    "depth.cuh",
    "step.cu",
)
"""In the order in which they need each other."""

ARGUMENTS = ("controls", "sampling", "noise", "condition", "ring", "scratch", "sync")
"""Inputs before the weights; the last three are written to."""

NORMS = ("norm1", "norm2", "out_norm", "depth_norm1", "depth_norm2")


@dataclass(frozen=True)
class Tuning:
    """What does not change the result."""

    blocks: int
    """One for each multiprocessor at most: all must run at once."""
    threads: int = 512
    """In a block."""
    loads_ahead: int = 4
    """Pieces of 16 bytes that a thread asks for before it uses the first, for each row."""


@dataclass(frozen=True)
class Layout:
    """Sizes that follow from the model and the tuning."""

    config: LmConfig
    formats: Mapping[str, Format]
    hidden: int
    depth_hidden: int
    ring: mx.Dtype
    tuning: Tuning

    @property
    def splits(self) -> int:
        """Parts of the context that different blocks attend to."""
        return max(1, self.tuning.blocks // self.config.num_heads)

    @property
    def vector_floats(self) -> int:
        """Shared memory for the vector of a product, and for what takes its place."""
        config, warps = self.config, self.tuning.threads // 32
        vectors = [_up(f.columns, 32 * f.chunk) for f in self.formats.values()]
        sums = warps * self.groups_of_a_warp * (config.dim // config.num_heads + 2)
        return _up(max(*vectors, sums, config.card), 4)

    @property
    def groups_of_a_warp(self) -> int:
        """Steps of the context that a warp reads together."""
        size = self.config.dim // self.config.num_heads * self.ring.size
        pieces = size // 16
        whole = size % 16 == 0 and pieces <= 32 and pieces & (pieces - 1) == 0
        return 32 // pieces if whole else 1

    @property
    def sum_floats(self) -> int:
        """Shared memory for the sums of a vector's chunks."""
        return _up(max(f.columns // f.chunk if f.bits else 1 for f in self.formats.values()), 4)

    @property
    def shared_bytes(self) -> int:
        """All of a block's shared memory."""
        small = 2 * self.tuning.threads // 32 + 4
        return 4 * (self.vector_floats + self.sum_floats + HISTOGRAM + small)

    @property
    def scratch_floats(self) -> int:
        """Memory through which the blocks speak to each other."""
        c, head_dim = self.config, self.config.dim // self.config.num_heads
        logits = _up(c.text_card, 4) + c.dep_q * _up(c.card, 4)
        temporal = 2 * c.dim + self.hidden + c.num_heads * self.splits * (head_dim + 4)
        depth = (c.dep_q + 2) * c.depformer_dim + self.depth_hidden
        return logits + temporal + depth + c.depformer_num_layers * c.dep_q * 2 * c.depformer_dim

    @property
    def problem(self) -> str | None:
        """Why the kernel can't be made for it; None if it can."""
        c = self.config
        heads = (c.dim / c.num_heads, c.depformer_dim / c.depformer_num_heads)
        if heads[0] % 4 or heads[1] % 2:
            return f"its heads have {heads[0]:g} and {heads[1]:g} elements"
        if c.text_card % 2:
            return f"it has {c.text_card} text tokens"
        if self.shared_bytes > SHARED_BYTES:
            return f"it takes {self.shared_bytes} bytes of shared memory, {SHARED_BYTES} are there"
        return None


def _up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def header(layout: Layout, *, timed: bool = False) -> str:
    """Sizes as #defines, the types of the matrices, then the kernel's files.

    Args:
        timed: let the first block write down, from `sync[2]` on, at which tick of its clock (32
            bits of it) it came to each barrier and when that opened.
    """
    c, head_dim = layout.config, layout.config.dim // layout.config.num_heads
    depth_head_dim = c.depformer_dim // c.depformer_num_heads
    sizes: dict[str, object] = {
        "THREADS": layout.tuning.threads,
        "LOADS_AHEAD": layout.tuning.loads_ahead,
        "PATIENCE": f"{PATIENCE}ll",
        "VECTOR_FLOATS": layout.vector_floats,
        "SUM_FLOATS": layout.sum_floats,
        "SPLITS": layout.splits,
        "SCRATCH_FLOATS": layout.scratch_floats,
        "GROUPS_OF_A_WARP": layout.groups_of_a_warp,
        "RING": TYPES[layout.ring],
        "NORM_EPS": f"{c.norm_eps!r}f",
        "LOG2_PERIOD": f"{math.log2(c.max_period)!r}f",
        "DIM": c.dim,
        "LAYERS": c.num_layers,
        "HEADS": c.num_heads,
        "HEAD_DIM": head_dim,
        "ATTENTION_SCALE": f"{head_dim**-0.5!r}f",
        "HIDDEN": layout.hidden,
        "CONTEXT": c.context,
        "N_Q": c.n_q,
        "DEP_Q": c.dep_q,
        "CARD": c.card,
        "CARD_4": _up(c.card, 4),
        "TEXT_CARD": c.text_card,
        "TEXT_CARD_4": _up(c.text_card, 4),
        "DEPTH_DIM": c.depformer_dim,
        "DEPTH_LAYERS": c.depformer_num_layers,
        "DEPTH_HEADS": c.depformer_num_heads,
        "DEPTH_HEAD_DIM": depth_head_dim,
        "DEPTH_ATTENTION_SCALE": f"{depth_head_dim**-0.5!r}f",
        "DEPTH_HIDDEN": layout.depth_hidden,
    }
    lines = [f"#define {name} {value}" for name, value in sizes.items()]
    if timed:
        lines.append("#define TIMED")
    lines += [f"#define {_camel(name)} {f.cuda}" for name, f in layout.formats.items()]
    return "\n".join([*lines, "", step_text()])


def step_text() -> str:
    """The kernel's files, one after another: MLX takes one text."""
    folder = resources.files(__package__)
    return "\n".join((folder / file).read_text(encoding="utf-8") for file in FILES)


def inputs(formats: Mapping[str, Format]) -> list[str]:
    """Names of all inputs, in order."""
    weights = []
    for name, each in formats.items():
        weights.append(name)
        if each.bits:
            weights += [f"{name}_scales", f"{name}_biases"]
    return [*ARGUMENTS, *NORMS, *weights]


def body(formats: Mapping[str, Format]) -> str:
    """The kernel's own lines: its arguments by name, and the call."""
    given = ["controls", "sampling", "noise", "condition"]
    # MLX hands out inputs as constants. These three are nobody else's: they are written in place.
    written = [f"const_cast<{kind}>({name})" for kind, name in _WRITTEN]
    matrices = [
        f"{{{name}, {name}_scales, {name}_biases}}" if f.bits else f"{{{name}, nullptr, nullptr}}"
        for name, f in formats.items()
    ]
    members = ", ".join([*given, *written, "spoken", *NORMS, *matrices])
    return f"SHARED_MEMORY(shared);\nconst Step step = {{{members}}};\nmoshi_step(step, shared);\n"


_WRITTEN = (
    ("void*", "static_cast<const void*>(ring)"),
    ("float*", "scratch"),
    ("unsigned*", "sync"),
)


def kernel_name(text: str) -> str:
    """A name for a kernel with this text: MLX keeps what it has built under its name, over
    restarts, whatever the text."""
    return f"moshi_step_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))
