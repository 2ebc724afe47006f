"""The network of ViTPose: a vision transformer and a head that makes heat maps of its features.

Xu et al. 2022, arXiv:2204.12484; the head is that of Xiao et al. 2018, arXiv:1804.06208.
Parameters bear the names of its checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from hamer_ros.networks.vision_transformer import VisionTransformer, ViTConfig


@dataclass(frozen=True)
class VitPoseConfig:
    """Dimensions of the network; the defaults are ViTPose+-H for whole bodies.

    filters: channels of the layers that enlarge the features.
    keypoints: number of heat maps.
    """

    backbone: ViTConfig = field(default_factory=ViTConfig)
    filters: int = 256
    keypoints: int = 133


class VitPoseNetwork(nn.Module):
    """ViTPose: normalised images (B, 3, H, W) -> heat maps (B, keypoints, H / 4, W / 4)."""

    def __init__(self, config: VitPoseConfig) -> None:
        super().__init__()
        self._grid = config.backbone.grid
        self.backbone = VisionTransformer(config.backbone)
        self.keypoint_head = HeatMapHead(config.backbone.dim, config.filters, config.keypoints)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute the heat maps; they are 1 where the model is sure of a keypoint."""
        features = self.backbone(images)
        return self.keypoint_head(features.transpose(1, 2).unflatten(2, self._grid))


class HeatMapHead(nn.Module):
    """The head: two transposed convolutions, each doubling the resolution, and a linear layer."""

    def __init__(self, dim: int, filters: int, keypoints: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (dim, filters):
            layers += [
                nn.ConvTranspose2d(channels, filters, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(filters),
                nn.ReLU(),
            ]
        self.deconv_layers = nn.Sequential(*layers)
        self.final_layer = nn.Conv2d(filters, keypoints, 1)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features (B, dim, h, w) to heat maps (B, keypoints, 4 h, 4 w)."""
        return self.final_layer(self.deconv_layers(features))
