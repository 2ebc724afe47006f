"""HaMeR's whole network: the backbone and the head."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from hamer_ros.hamer.decoder import N_ROTATIONS, DecoderConfig, HandHead
from hamer_ros.hamer.rotation6d import matrix_from_6d
from hamer_ros.networks.vision_transformer import VisionTransformer, ViTConfig


@dataclass(frozen=True)
class HamerConfig:
    """Dimensions of the network; the defaults are those of the official checkpoint.

    Raises:
        ValueError: the head expects features of another length than the backbone makes.
    """

    backbone: ViTConfig = field(default_factory=ViTConfig)
    head: DecoderConfig = field(default_factory=DecoderConfig)

    def __post_init__(self) -> None:
        if self.head.context_dim != self.backbone.dim:
            raise ValueError(
                f"the head takes features of length {self.head.context_dim}, but the backbone's "
                f"have {self.backbone.dim}"
            )


class HamerNetwork(nn.Module):
    """The network: crops of right hands, or of mirrored left ones -> parameters of the hand model.

    The names of parameters and buffers are those of HaMeR's checkpoint.  There is no training
    mode: nothing is dropped at random.
    """

    def __init__(self, config: HamerConfig) -> None:
        super().__init__()
        self.image_width = config.backbone.image_width
        self.backbone = VisionTransformer(config.backbone)
        self.mano_head = HandHead(config.head)

    def forward(
        self, crops: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Map normalised square crops (B, 3, H, H) to the fields of `HamerOutput`, in order."""
        # The transformer sees the middle columns of the square.
        margin = (crops.shape[3] - self.image_width) // 2
        features = self.backbone(crops[..., margin : margin + self.image_width])
        pose, betas, camera = self.mano_head(features)
        rotations = matrix_from_6d(pose.unflatten(1, (N_ROTATIONS, 6)))
        return rotations[:, 0], rotations[:, 1:], betas, camera
