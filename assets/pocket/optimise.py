"""AdamW as the codec is trained with, and a limit for its gradients."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn


class GradientLimit:
    """Clips gradients to 3 times their usual norm, and drops those that are not finite."""

    def __init__(self, device: torch.device) -> None:
        self._usual = torch.zeros((), device=device)
        self._steps = 0

    def __call__(self, optimiser: torch.optim.Optimizer) -> Tensor:
        """Clip; the norm before."""
        groups = optimiser.param_groups
        gradients = [p.grad for group in groups for p in group["params"] if p.grad is not None]
        norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients)))
        fine = norm.isfinite()
        most = 3 * self._usual if self._steps > 20 else norm
        scale = torch.where(fine, (most / norm).clamp(max=1.0), 0.0)
        for gradient in gradients:
            torch.nan_to_num_(gradient, 0.0, 0.0, 0.0)
        torch._foreach_mul_(gradients, scale)
        pace = max(0.02, 1 / (1 + self._steps))
        self._usual = torch.where(
            fine, self._usual.lerp(torch.minimum(norm, most), pace), self._usual
        )
        self._steps += 1
        return norm


def adam(
    parameters: Iterator[nn.Parameter] | list[nn.Parameter], rate: float, device: torch.device
) -> torch.optim.AdamW:
    """AdamW with the betas that suit sound; fused on a GPU."""
    fused = device.type == "cuda"
    return torch.optim.AdamW(parameters, rate, betas=(0.8, 0.99), weight_decay=0.01, fused=fused)
