"""The head of HaMeR: one token attends to the image features and is mapped to the hand.

A transformer decoder (Vaswani et al. 2017) whose only query token is a constant.  Parameters bear
the names of HaMeR's checkpoint, which explains the nesting of ``norm``, ``fn`` and ``transformer``.

With one token there is less to compute than in a decoder for many, and nothing of it changes the
result:

- the token attends to nothing but itself with weight 1, so self-attention is out(V x);
- the keys and values of all image features need not be made.  With head h's rows K_h, V_h of the
  two projections, q . (K_h c) = (K_h^T q) . c and sum_n a_n V_h c_n = V_h sum_n a_n c_n: one
  projected query per head attends to the features themselves.  That is a hundredth of the work.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

N_ROTATIONS = 16
N_BETAS = 10


@dataclass(frozen=True)
class DecoderConfig:
    """Dimensions of the head; the defaults are HaMeR's.

    dim: length of the token.
    depth: number of layers.
    heads, head_dim: number and length of the heads of the attentions.
    mlp_dim: number of hidden units.
    context_dim: length of an image feature.
    """

    dim: int = 1024
    depth: int = 6
    heads: int = 8
    head_dim: int = 64
    mlp_dim: int = 1024
    context_dim: int = 1280


class HandHead(nn.Module):
    """The head: image features (B, N, context_dim) -> the hand's parameters.

    These are 16 rotations in 6-D (B, 96), betas (B, 10) and camera (B, 3) = (s, tx, ty).
    """

    init_hand_pose: torch.Tensor
    init_betas: torch.Tensor
    init_cam: torch.Tensor

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.transformer = TokenDecoder(config)
        self.decpose = nn.Linear(config.dim, 6 * N_ROTATIONS)
        self.decshape = nn.Linear(config.dim, N_BETAS)
        self.deccam = nn.Linear(config.dim, 3)
        # The mean hand, to which the head adds.
        self.register_buffer("init_hand_pose", torch.empty(1, 6 * N_ROTATIONS))
        self.register_buffer("init_betas", torch.empty(1, N_BETAS))
        self.register_buffer("init_cam", torch.empty(1, 3))

    def forward(self, features: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute pose, betas and camera."""
        token = self.transformer(features)
        return (
            self.decpose(token) + self.init_hand_pose,
            self.decshape(token) + self.init_betas,
            self.deccam(token) + self.init_cam,
        )


class TokenDecoder(nn.Module):
    """The decoder: features (B, N, context_dim) -> the token (B, dim) that attended to them."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.pos_embedding = nn.Parameter(torch.empty(1, 1, config.dim))
        self.to_token_embedding = nn.Linear(1, config.dim)
        layers = nn.ModuleList(_layer(config) for _ in range(config.depth))
        self.transformer = nn.ModuleDict({"layers": layers})

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Compute the token after all layers."""
        # The embedded input is 0, so that its embedding is the bias.
        token = (self.to_token_embedding.bias + self.pos_embedding[0]).expand(features.shape[0], -1)
        for layer in self.transformer["layers"].children():
            attend_self, attend_features, mlp = layer.children()
            token = attend_self(token)
            token = attend_features(token, features)
            token = mlp(token)
        return token


def _layer(config: DecoderConfig) -> nn.ModuleList:
    steps = (SelfAttention(config), CrossAttention(config), FeedForward(config))
    return nn.ModuleList(Residual(config.dim, step) for step in steps)


class Residual(nn.Module):
    """A residual connection around a normalised step: x + fn(norm(x), ...)."""

    def __init__(self, dim: int, fn: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fn = fn

    def forward(self, token: torch.Tensor, *context: torch.Tensor) -> torch.Tensor:
        """Map a token (B, dim) to one of the same shape."""
        return token + self.fn(self.norm(token), *context)


class SelfAttention(nn.Module):
    """The attention of a single token to itself."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        # Of the rows for query, key and value only the last third matters.
        self.to_qkv = nn.Linear(config.dim, 3 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, config.dim))

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """Map a token (B, dim) to one of the same shape."""
        to_value = self.to_qkv.weight.chunk(3)[2]
        return self.to_out(functional.linear(token, to_value))


class CrossAttention(nn.Module):
    """The attention of a single token to the image features."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        inner = config.heads * config.head_dim
        self.heads = config.heads
        self.scale = config.head_dim**-0.5
        self.to_q = nn.Linear(config.dim, inner, bias=False)
        self.to_kv = nn.Linear(config.context_dim, 2 * inner, bias=False)
        self.to_out = nn.Sequential(nn.Linear(inner, config.dim))

    def forward(self, token: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Map a token (B, dim) and features (B, N, context_dim) to a token (B, dim)."""
        to_key, to_value = self.to_kv.weight.unflatten(0, (2, self.heads, -1)).unbind(0)
        query = self.to_q(token).unflatten(1, (self.heads, -1))
        projected = torch.einsum("bhd,hdc->bhc", query, to_key)  # K_h^T q
        # The heads share keys and values: they are queries of a single head, (B, 1, ...).
        context = features[:, None]
        attended = functional.scaled_dot_product_attention(
            projected[:, None], context, context, scale=self.scale
        )[:, 0]
        value = torch.einsum("bhc,hdc->bhd", attended, to_value)
        return self.to_out(value.flatten(1))


class FeedForward(nn.Module):
    """Two linear layers with an exact GELU between them."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        # The checkpoint counts a dropout as net.2.
        self.net = nn.Sequential(
            nn.Linear(config.dim, config.mlp_dim),
            nn.GELU(),
            nn.Identity(),
            nn.Linear(config.mlp_dim, config.dim),
        )

    def forward(self, token: torch.Tensor) -> torch.Tensor:
        """Map a token (B, dim) to one of the same shape."""
        return self.net(token)
