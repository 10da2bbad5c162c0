"""The mean of LoRA adapters, as one adapter: those trained apart err apart, and their mean errs less than any of them.

Averaging the weights of models tuned from one start is that of model soups (Wortsman et al. 2022, arXiv 2203.05482).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

Weights = Mapping[str, torch.Tensor]
"""An adapter as PEFT stores it: matrices NAME.lora_A.weight (rank x in) and NAME.lora_B.weight (out x rank)."""


def average(adapters: Sequence[Weights], rank: int) -> dict[str, torch.Tensor]:
    """Of adapters that adapt the same projections, scaled alike: the adapter of `rank` nearest to their mean.

    What an adapter adds to a weight is the product B A; the nearest in least squares to the mean of those products is
    its truncated singular value decomposition. Float32, whatever the adapters are stored in.
    """
    found: dict[str, torch.Tensor] = {}
    for name_a in sorted(name for name in adapters[0] if ".lora_A." in name):
        name_b = name_a.replace(".lora_A.", ".lora_B.")
        left = torch.cat([adapter[name_b].double() for adapter in adapters], dim=1) / len(adapters)
        right = torch.cat([adapter[name_a].double() for adapter in adapters], dim=0)
        # left @ right is the mean; between orthonormal bases the matrix to decompose is as small as the ranks.
        base_left, small_left = torch.linalg.qr(left)
        base_right, small_right = torch.linalg.qr(right.T)
        u, s, v = torch.linalg.svd(small_left @ small_right.T, full_matrices=False)
        kept = min(rank, len(s))
        found[name_a], found[name_b] = torch.zeros(rank, right.shape[1]), torch.zeros(left.shape[0], rank)
        found[name_a][:kept] = s[:kept, None].sqrt() * (v[:kept] @ base_right.T)
        found[name_b][:, :kept] = base_left @ u[:, :kept] * s[:kept].sqrt()
    return found
