"""The split residual vector quantiser of Mimi, with codebooks that follow the data (EMA)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

DECAY = 0.98
"""Of the running sums, a step."""
_DEAD = 0.1
"""A code that is used less than this share of the mean is replaced."""
_LEAST_USAGE = 1e-5


@dataclass
class Quantised:
    """What the quantiser makes of latents [B, T, dim]."""

    latent: Tensor
    """[B, T, dim]: what the decoder gets; gradients pass straight through."""
    first: Tensor
    """[B, T, dim]: the semantic codebook's part of it."""
    codes: Tensor
    """[B, books, T] int64."""
    commitment: Tensor
    """[books]: squared error of each codebook over the variance of what was quantised first."""


class Codebook(nn.Module):
    """Vectors [size, dim], kept as in the published file: sums, and how much was summed."""

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("_initialized", torch.ones(1))
        self.register_buffer("cluster_usage", torch.ones(size))
        self.register_buffer("embedding_sum", torch.randn(size, dim))

    @property
    def vectors(self) -> Tensor:
        """[size, dim]."""
        return self.embedding_sum / self.cluster_usage.clamp(min=_LEAST_USAGE)[:, None]

    @torch.no_grad()
    def fill(self, rows: Tensor, rounds: int = 8) -> None:
        """Start from `rows` [N, dim]: a sample of them, then some rounds of k-means."""
        size = len(self.cluster_usage)
        picked = torch.randint(len(rows), (size,), device=rows.device)
        self.embedding_sum.copy_(rows[picked])
        self.cluster_usage.fill_(1.0)
        for _ in range(rounds):
            usage, sums = _count(rows, nearest(rows, self.vectors), size)
            used = usage > 0
            self.embedding_sum.copy_(torch.where(used[:, None], sums, self.vectors))
            self.cluster_usage.copy_(torch.where(used, usage, torch.ones_like(usage)))
        mean = len(rows) / size
        self.embedding_sum.copy_(self.vectors * mean)
        self.cluster_usage.fill_(mean)

    @torch.no_grad()
    def follow(self, rows: Tensor, codes: Tensor) -> None:
        """Move towards `rows` [N, dim], which got `codes` [N]; dead codes become some of them."""
        size = len(self.cluster_usage)
        usage, sums = _count(rows, codes, size)
        self.cluster_usage.lerp_(usage, 1 - DECAY)
        self.embedding_sum.lerp_(sums, 1 - DECAY)
        mean = self.cluster_usage.mean()
        dead = self.cluster_usage < _DEAD * mean
        fresh = rows[torch.randint(len(rows), (size,), device=rows.device)]
        self.embedding_sum.copy_(torch.where(dead[:, None], fresh * mean, self.embedding_sum))
        self.cluster_usage.copy_(torch.where(dead, mean, self.cluster_usage))


class _Row(nn.Module):
    """The level of names between a quantiser and its codebooks."""

    def __init__(self, **children: nn.Module) -> None:
        super().__init__()
        for name, child in children.items():
            self.add_module(name, child)


class _Projection(nn.Module):
    """A 1x1 convolution without bias, over rows."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1) * inputs**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight[:, :, 0])


class ResidualQuantiser(nn.Module):
    """Codebooks in a row, each for what the ones before left over, between two projections."""

    def __init__(self, count: int, dim: int, size: int, book_dim: int) -> None:
        super().__init__()
        self.input_proj = _Projection(dim, book_dim)
        self.output_proj = _Projection(book_dim, dim)
        rows = [_Row(_codebook=Codebook(size, book_dim)) for _ in range(count)]
        self.vq = _Row(layers=nn.ModuleList(rows))
        self.power = torch.ones(())
        """The variance of what was quantised first: a fixed measure for errors."""

    @property
    def books(self) -> list[Codebook]:
        """The codebooks in order."""
        return [row._codebook for row in self.vq.layers]

    def forward(self, x: Tensor, keep: Tensor | None, follow: bool) -> Quantised:
        """`x` [B, T, dim]; `keep` [B, books] 0 or 1: the codebooks whose vectors count."""
        h = self.input_proj(x)
        rest, total = h.detach(), torch.zeros_like(h)
        codes, errors = [], []
        for i, book in enumerate(self.books):
            vectors = book.vectors
            found = nearest(rest.flatten(0, 1), vectors)
            chosen = vectors[found].view_as(rest)
            if follow:
                book.follow(rest.flatten(0, 1), found)
            # the value of `rest - chosen`, as a function of h
            errors.append((h - (h.detach() - rest) - chosen).square().mean() / self.power)
            rest = rest - chosen
            total = total + (chosen if keep is None else chosen * keep[:, i, None, None])
            codes.append(found.view(h.shape[:2]))
        out = self.output_proj(h + (total - h).detach())
        return Quantised(out, out, torch.stack(codes, dim=1), torch.stack(errors))

    @torch.no_grad()
    def fill(self, x: Tensor) -> None:
        """Start all codebooks from latents `x` [N, dim]."""
        rest = self.input_proj(x)
        self.power = rest.var(0).mean()
        for book in self.books:
            book.fill(rest)
            vectors = book.vectors
            rest = rest - vectors[nearest(rest, vectors)]

    def encode(self, x: Tensor) -> Tensor:
        """`x` [B, T, dim] -> codes [B, books, T]."""
        rest, codes = self.input_proj(x), []
        for book in self.books:
            vectors = book.vectors
            found = nearest(rest.flatten(0, 1), vectors).view(rest.shape[:2])
            rest = rest - vectors[found]
            codes.append(found)
        return torch.stack(codes, dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """`codes` [B, n, T] of the first n codebooks -> [B, T, dim]."""
        books = zip(self.books, codes.unbind(1), strict=False)
        return self.output_proj(sum(book.vectors[row] for book, row in books))


class SplitQuantiser(nn.Module):
    """Codebook 0 by itself, the others in a row: both see the same input."""

    def __init__(self, count: int, dim: int, size: int, book_dim: int) -> None:
        super().__init__()
        self.rvq_first = ResidualQuantiser(1, dim, size, book_dim)
        self.rvq_rest = ResidualQuantiser(count - 1, dim, size, book_dim)

    def around(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """`x` [B, T, dim] as if the codebooks had a vector for everything: `latent`, `first`."""
        first, rest = (part.output_proj(part.input_proj(x)) for part in self.parts)
        return first + rest, first

    @property
    def parts(self) -> tuple[ResidualQuantiser, ResidualQuantiser]:
        """The semantic one, the acoustic one."""
        return self.rvq_first, self.rvq_rest

    def forward(self, x: Tensor, keep: Tensor | None = None, follow: bool = False) -> Quantised:
        """`x` [B, T, dim] float32; `keep` [B, books - 1] masks the later codebooks."""
        first = self.rvq_first(x, None, follow)
        rest = self.rvq_rest(x, keep, follow)
        some = 1.0 if keep is None else keep.amax(1)[:, None, None]
        return Quantised(
            first.latent + rest.latent * some,
            first.latent,
            torch.cat((first.codes, rest.codes), dim=1),
            torch.cat((first.commitment, rest.commitment)),
        )

    def fill(self, x: Tensor) -> None:
        """Start all codebooks from latents `x` [N, dim]."""
        self.rvq_first.fill(x)
        self.rvq_rest.fill(x)

    def encode(self, x: Tensor) -> Tensor:
        """`x` [B, T, dim] -> codes [B, books, T]."""
        return torch.cat((self.rvq_first.encode(x), self.rvq_rest.encode(x)), dim=1)

    def decode(self, codes: Tensor) -> Tensor:
        """`codes` [B, n, T] of the first n codebooks -> [B, T, dim]."""
        first = self.rvq_first.decode(codes[:, :1])
        return first if codes.shape[1] == 1 else first + self.rvq_rest.decode(codes[:, 1:])


def nearest(rows: Tensor, vectors: Tensor) -> Tensor:
    """The numbers [N] of the `vectors` [size, dim] nearest to `rows` [N, dim]."""
    return (vectors.square().sum(1) / 2 - rows @ vectors.T).argmin(1)


def keep_mask(rows: int, books: int, share: float, device: torch.device) -> Tensor:
    """[rows, books] of 0 and 1: in a `share` of the rows only the first few (0 too) are kept."""
    counts = torch.randint(books, (rows,), device=device)
    whole = torch.rand(rows, device=device) >= share
    counts = torch.where(whole, books, counts)
    return (torch.arange(books, device=device) < counts[:, None]).float()


def _count(rows: Tensor, codes: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """How many `rows` [N, dim] each code got [size], and their sums [size, dim]."""
    hits = nn.functional.one_hot(codes, size).to(rows.dtype)
    return hits.sum(0), hits.T @ rows
