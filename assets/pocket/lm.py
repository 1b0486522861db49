"""The language model in PyTorch: the twin of `moshi_tui.model.lm.Lm`, for training.

Where the runtime takes a step, this one takes all steps of a batch at once, given the tokens that
were said ("teacher forcing"). Names: B sequences, T steps, D width, S slices of the depth
transformer, N = B * T. Streams are ordered text, Moshi's codebooks, the user's codebooks.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from intents import CLASSES
from shapes import CARD, CODEBOOKS, LM_CONFIG, TEXT_CARD, USER_CODEBOOKS
from torch import Tensor, nn

EPS = 1e-8
STREAMS = 1 + CODEBOOKS + USER_CODEBOOKS
DELAYS: tuple[int, ...] = tuple(LM_CONFIG["delays"])
MAX_DELAY = max(DELAYS)
INITIAL = (TEXT_CARD,) + (CARD,) * (CODEBOOKS + USER_CODEBOOKS)
"""What each stream holds before a dialogue begins."""
HEADS = ("user_head", "intent_head")
"""Of use in training only: not exported."""
CONTEXT: int = LM_CONFIG["context"]


@dataclass(frozen=True)
class Sizes:
    """Of the two transformers; the tables' sizes are those of `shapes`."""

    dim: int = LM_CONFIG["dim"]
    layers: int = LM_CONFIG["num_layers"]
    heads: int = LM_CONFIG["num_heads"]
    hidden: int = 2 * int(LM_CONFIG["hidden_scale"] * LM_CONFIG["dim"]) // 3
    period: float = LM_CONFIG["max_period"]
    depth_dim: int = LM_CONFIG["depformer_dim"]
    depth_layers: int = LM_CONFIG["depformer_num_layers"]
    depth_heads: int = LM_CONFIG["depformer_num_heads"]
    depth_hidden: int = 2 * LM_CONFIG["depformer_dim_feedforward"] // 3


class Norm(nn.Module):
    """RMS norm in float32. Args: `parts`: how many weights, one for each index of axis 0."""

    def __init__(self, dim: int, parts: int = 0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones((parts, 1, dim) if parts else (dim,)))

    def forward(self, x: Tensor) -> Tensor:
        """`x` [..., dim], or [parts, N, dim] -> the same shape."""
        x = x.float()
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + EPS) * self.weight


class Sliced(nn.Module):
    """A bias-free linear layer for each of `parts`: x [parts, N, inputs] -> [parts, N, outputs]."""

    def __init__(self, parts: int, inputs: int, outputs: int, std: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(parts, outputs, inputs) * std)

    def forward(self, x: Tensor) -> Tensor:
        """All parts in one matrix product."""
        return torch.bmm(x, self.weight.transpose(1, 2))


def _linear(inputs: int, outputs: int, std: float) -> nn.Linear:
    layer = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(layer.weight, std=std)
    return layer


def rotations(positions: Tensor, head_dim: int, period: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of RoPE for `positions` [...]: [..., head_dim / 2] each, float32."""
    pair = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    angles = positions.float()[..., None] * period ** (-pair / head_dim)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """RoPE on neighbouring pairs: `x` [B, heads, T, head_dim], rotations [T, head_dim / 2]."""
    cos, sin = rotation
    even, odd = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack((even * cos - odd * sin, even * sin + odd * cos), -1)
    return turned.flatten(-2).to(x.dtype)


class Block(nn.Module):
    """A layer of the temporal transformer."""

    def __init__(self, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        dim, std = sizes.dim, sizes.dim**-0.5
        out_std = (2 * sizes.layers) ** -0.5
        self.heads, self.dropout = sizes.heads, dropout
        self.norm1, self.norm2 = Norm(dim), Norm(dim)
        self.in_proj = _linear(dim, 3 * dim, std)
        self.out_proj = _linear(dim, dim, std * out_std)
        self.gate_in = _linear(dim, 2 * sizes.hidden, std)
        self.gate_out = _linear(sizes.hidden, dim, sizes.hidden**-0.5 * out_std)

    def qkv(self, x: Tensor, rotation: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Query, key and value of `x` [B, T, D], the first two rotated: [B, heads, T, head_dim]."""
        parts = self.in_proj(self.norm1(x)).unflatten(-1, (3, self.heads, -1)).transpose(1, 3)
        query, key, value = parts.unbind(2)
        return rotate(query, rotation), rotate(key, rotation), value

    def finish(self, x: Tensor, heard: Tensor) -> Tensor:
        """What follows on attention: `x` [B, T, D], `heard` [B, heads, T, head_dim]."""
        heard = self.out_proj(heard.transpose(1, 2).flatten(2))
        x = x + F.dropout(heard, self.dropout, self.training)
        gate, value = self.gate_in(self.norm2(x)).chunk(2, -1)
        gated = self.gate_out(F.silu(gate) * value)
        return x + F.dropout(gated, self.dropout, self.training)

    def forward(self, x: Tensor, rotation: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
        """`x` [B, T, D] -> the same shape; `mask` [B, 1, T, T] is added to the scores."""
        query, key, value = self.qkv(x, rotation)
        heard = F.scaled_dot_product_attention(query, key, value, mask.to(query.dtype))
        return self.finish(x, heard)


class DepthBlock(nn.Module):
    """A layer of the depth transformer: weights for each slice, attention over slices."""

    def __init__(self, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        dim, hidden, std = sizes.depth_dim, sizes.depth_hidden, sizes.depth_dim**-0.5
        out_std = (2 * sizes.depth_layers) ** -0.5
        self.heads, self.dropout = sizes.depth_heads, dropout
        self.norm1, self.norm2 = Norm(dim, CODEBOOKS), Norm(dim, CODEBOOKS)
        self.in_proj = Sliced(CODEBOOKS, dim, 3 * dim, std)
        self.out_proj = Sliced(CODEBOOKS, dim, dim, std * out_std)
        self.gate_in = Sliced(CODEBOOKS, dim, 2 * hidden, std)
        self.gate_out = Sliced(CODEBOOKS, hidden, dim, hidden**-0.5 * out_std)

    def forward(self, x: Tensor) -> Tensor:
        """`x` [S, N, dim] -> the same shape; slice i sees slices 0 to i."""
        slices = x.shape[0]
        parts = self.in_proj(self.norm1(x)).unflatten(-1, (3, self.heads, -1))
        query, key, value = parts.permute(2, 1, 3, 0, 4).flatten(1, 2).unbind(0)
        scores = (query @ key.transpose(1, 2)).float() * key.shape[-1] ** -0.5
        later = torch.ones(slices, slices, dtype=torch.bool, device=x.device).triu(1)
        shares = scores.masked_fill(later, float("-inf")).softmax(-1).to(value.dtype)
        heard = (shares @ value).unflatten(0, (-1, self.heads)).permute(2, 0, 1, 3).flatten(2)
        x = x + F.dropout(self.out_proj(heard), self.dropout, self.training)
        gate, up = self.gate_in(self.norm2(x)).chunk(2, -1)
        return x + F.dropout(self.gate_out(F.silu(gate) * up), self.dropout, self.training)


class Depth(nn.Module):
    """The depth transformer, all slices of a frame at once."""

    def __init__(self, sizes: Sizes, dropout: float) -> None:
        super().__init__()
        dim = sizes.depth_dim
        self.emb = nn.Parameter(torch.randn(CODEBOOKS, CARD + 1, dim) * 0.3)
        """Of the token before each slice; slice 0 uses the first `TEXT_CARD` + 1 rows."""
        self.linear_in = _linear(sizes.dim, CODEBOOKS * dim, sizes.dim**-0.5)
        self.linear_out = Sliced(CODEBOOKS, dim, CARD, dim**-0.5)
        self.layers = nn.ModuleList(DepthBlock(sizes, dropout) for _ in range(sizes.depth_layers))

    def forward(self, temporal: Tensor, before: Tensor) -> Tensor:
        """Logits [S, N, CARD] of the first S slices.

        Args:
            temporal: [N, D], what the temporal transformer says.
            before: [S, N] int, the token before each slice; all `CODEBOOKS` of them.
        """
        x = self.linear_in(temporal).unflatten(-1, (CODEBOOKS, -1)).transpose(0, 1)
        rows = before + (torch.arange(CODEBOOKS, device=before.device) * (CARD + 1))[:, None]
        x = x + F.embedding(rows, self.emb.flatten(0, 1))
        for layer in self.layers:
            x = layer(x)
        return self.linear_out(x)


class PocketLm(nn.Module):
    """The model. `dropout`: share of each layer's result that training leaves out."""

    def __init__(self, sizes: Sizes | None = None, dropout: float = 0.0) -> None:
        super().__init__()
        self.sizes = sizes = sizes or Sizes()
        dim = sizes.dim
        self.text_emb = nn.Parameter(torch.randn(TEXT_CARD + 1, dim) * 0.3)
        self.audio_embs = nn.Parameter(torch.randn(STREAMS - 1, CARD + 1, dim) * 0.3)
        self.layers = nn.ModuleList(Block(sizes, dropout) for _ in range(sizes.layers))
        self.out_norm = Norm(dim)
        self.text_linear = _linear(dim, TEXT_CARD, dim**-0.5)
        self.depth = Depth(sizes, dropout)
        self.user_head = _linear(dim, CARD, dim**-0.5)
        """Guesses the user's next code 0."""
        self.intent_head = _linear(dim, len(CLASSES), dim**-0.5)
        """Tells what the user has just said."""

    @property
    def head_dim(self) -> int:
        """Of the temporal transformer."""
        return self.sizes.dim // self.sizes.heads

    def embed(self, tokens: Tensor) -> Tensor:
        """The sum of the vectors of `tokens` [B, streams, T]: [B, T, D]."""
        offsets = torch.arange(STREAMS - 1, device=tokens.device) * (CARD + 1)
        audio = F.embedding(tokens[:, 1:] + offsets[:, None], self.audio_embs.flatten(0, 1))
        return F.embedding(tokens[:, 0], self.text_emb) + audio.sum(1)

    def temporal(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Of each step what the depth transformer and the heads are given.

        Args:
            tokens: [B, streams, T], each stream at its delay.
            mask: [B, 1, T, T] from `attention_mask`.

        Returns [B, T, D].
        """
        positions = torch.arange(tokens.shape[-1], device=tokens.device)
        rotation = rotations(positions, self.head_dim, self.sizes.period)
        x = self.embed(tokens)
        for layer in self.layers:
            x = layer(x, rotation, mask)
        return self.out_norm(x)

    def forward(
        self, tokens: Tensor, mask: Tensor, text: Tensor, codes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Teacher-forced logits of all steps.

        Args:
            tokens, mask: as for `temporal`.
            text, codes: what the steps say, [B, T] and [B, CODEBOOKS, T], each at its delay (code
                k of step o belongs to frame o - its delay), `CARD` before the first frame.

        Returns text [B, T, TEXT_CARD], audio [S, B * T, CARD], the user's next code 0 [B, T, CARD],
        the class of what the user has said [B, T, classes].
        """
        x = self.temporal(tokens, mask)
        before = torch.cat((text[:, None], codes[:, :-1]), 1).transpose(0, 1).flatten(1)
        audio = self.depth(x.flatten(0, 1), before)
        return self.text_linear(x), audio, self.user_head(x), self.intent_head(x)


def attention_mask(dialogue: Tensor) -> Tensor:
    """What each step attends to: itself and the `CONTEXT` - 1 steps before, of its own dialogue.

    Args:
        dialogue: [B, T] int, the dialogue's number (any that tells dialogues apart).

    Returns [B, 1, T, T], 0 or -inf.
    """
    steps = torch.arange(dialogue.shape[1], device=dialogue.device)
    back = steps[:, None] - steps[None]
    seen = (back >= 0) & (back < CONTEXT) & (dialogue[:, :, None] == dialogue[:, None])
    zero = torch.zeros((), device=dialogue.device)
    return torch.where(seen, zero, float("-inf"))[:, None]


def inputs_of(streams: Tensor, into: Tensor, first: int) -> Tensor:
    """What the model is fed: at step o of a dialogue, stream k's token of frame o - 1 - delay.

    Args:
        streams: [B, streams, first + T], frames up to the last step's.
        into: [B, first + T], how many frames of its dialogue lie before each frame.
        first: frames before the first step, at least `MAX_DELAY` + 1.

    Returns [B, streams, T] with the initial tokens before a dialogue's first frame.
    """
    return _shifted(streams, into, first, [delay + 1 for delay in DELAYS])


def targets_of(streams: Tensor, into: Tensor, first: int) -> Tensor:
    """What the model says: at step o, stream k's token of frame o - delay; args as above."""
    said = 1 + CODEBOOKS
    return _shifted(streams[:, :said], into, first, list(DELAYS[:said]))


def _shifted(streams: Tensor, into: Tensor, first: int, back: list[int]) -> Tensor:
    steps = streams.shape[-1] - first
    shifted = [
        streams[:, k, first - lag : first - lag + steps].masked_fill(
            into[:, first:] < lag, INITIAL[k]
        )
        for k, lag in enumerate(back)
    ]
    return torch.stack(shifted, 1)
