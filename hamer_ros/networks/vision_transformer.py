"""The vision transformer: an image becomes a grid of tokens, the tokens attend to each other.

After Dosovitskiy et al., "An image is worth 16x16 words" (ICLR 2021), in the form of ViTPose (Xu et
al., NeurIPS 2022).  Parameters bear the names of its checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

EPSILON = 1e-6
"""Epsilon of the layer norms; torch's own default is another."""


@dataclass(frozen=True)
class ViTConfig:
    """Dimensions of a vision transformer; the defaults are ViT-H for 256 x 192 pixels.

    image_height, image_width: pixels.
    patch: side of a patch, pixels.
    padding: black pixels put around the image before it is cut into patches.
    dim: length of a token.
    depth: number of blocks.
    heads: number of heads of the attention.
    mlp_dim: number of hidden units.
    """

    image_height: int = 256
    image_width: int = 192
    patch: int = 16
    padding: int = 2
    dim: int = 1280
    depth: int = 32
    heads: int = 16
    mlp_dim: int = 5120

    @property
    def grid(self) -> tuple[int, int]:
        """The numbers of rows and columns of tokens."""
        rows, columns = (
            (side + 2 * self.padding - self.patch) // self.patch + 1
            for side in (self.image_height, self.image_width)
        )
        return rows, columns

    @property
    def n_tokens(self) -> int:
        """The number of tokens that an image becomes."""
        rows, columns = self.grid
        return rows * columns


class VisionTransformer(nn.Module):
    """The transformer: normalised images (B, 3, H, W) -> features (B, N, dim), row by row.

    Its matrices may be of a lower precision than its inputs: tokens are rounded where a matrix
    takes them, while the sum of all blocks, its norms and the features stay as precise as they are.
    """

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.patch_embed = nn.ModuleDict(
            {"proj": nn.Conv2d(3, config.dim, config.patch, config.patch, config.padding)}
        )
        # The first position belongs to a class token that ViTPose has done away with.
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + config.n_tokens, config.dim))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.last_norm = nn.LayerNorm(config.dim, eps=EPSILON)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the features (B, N, dim) of every patch of images (B, 3, H, W)."""
        embed = self.patch_embed["proj"]
        dtype = next(embed.parameters()).dtype
        tokens = embed(images.to(dtype)).flatten(2).transpose(1, 2)
        # ... but its position is still added, to every token.
        tokens = tokens + (self.pos_embed[:, 1:] + self.pos_embed[:, :1])
        for block in self.blocks:
            tokens = block(tokens)
        return self.last_norm(tokens)


class Block(nn.Module):
    """One layer of the transformer: x + attention(norm(x)), then x + mlp(norm(x))."""

    def __init__(self, config: ViTConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.dim, eps=EPSILON)
        self.attn = Attention(config.dim, config.heads)
        self.norm2 = nn.LayerNorm(config.dim, eps=EPSILON)
        self.mlp = Mlp(config.dim, config.mlp_dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, N, dim) to tokens of the same shape."""
        tokens = tokens + self.attn(self.norm1(tokens))
        return tokens + self.mlp(self.norm2(tokens))


class Attention(nn.Module):
    """Self-attention: softmax(Q K^T / sqrt(d)) V in every head (Vaswani et al. 2017, eq. 1)."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, N, dim) to tokens of the same shape."""
        # (B, N, 3 dim) -> 3 x (B, heads, N, dim / heads)
        qkv = (
            self.qkv(tokens.to(self.qkv.weight.dtype))
            .unflatten(2, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )
        query, key, value = qkv.unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(attended.transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Map tokens (B, N, dim) to tokens of the same shape."""
        return self.fc2(functional.gelu(self.fc1(tokens.to(self.fc1.weight.dtype))))


@contextmanager
def checked(transformer: VisionTransformer, check: Callable[[], None]) -> Iterator[None]:
    """A context in which a function is called before each block, whose exception ends the run.

    A large network takes a CPU 10 ms for a block, and a second for all of them.
    """
    hooks = [block.register_forward_pre_hook(lambda *_: check()) for block in transformer.blocks]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
