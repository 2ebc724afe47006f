"""Rotations as two vectors of three numbers, which a network can regress without a seam."""

from __future__ import annotations

import torch
from torch.nn import functional


def matrix_from_6d(six: torch.Tensor) -> torch.Tensor:
    """The rotation matrices (..., 3, 3) of six numbers each, (..., 6).

    With a1 the first three numbers and a2 the last three,

        b1 = a1 / |a1|,   b2 = (a2 - (b1 . a2) b1) / |...|,   b3 = b1 x b2

    are the *columns* of the matrix (Zhou et al., CVPR 2019, eq. 15).
    """
    a1, a2 = six[..., :3], six[..., 3:]
    b1 = functional.normalize(a1, dim=-1)
    b2 = functional.normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1)
    b3 = torch.linalg.cross(b1, b2, dim=-1)
    return torch.stack([b1, b2, b3], dim=-1)
