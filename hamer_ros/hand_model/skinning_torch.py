"""Linear blend skinning in torch: many hands at once, in float32, and exportable to ONNX.

The equations are those of `hamer_ros.hand_model.skinning.forward`, which is the reference.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from hamer_ros.hand_model.model import HandModel
from hamer_ros.hand_model.topology import (
    FINGERTIP_VERTICES,
    N_SKELETON,
    N_VERTICES,
    OPENPOSE_FROM_MANO,
    SKELETON_CHAINS,
)

_N_FINGERS = len(SKELETON_CHAINS)
_TIPS = list(FINGERTIP_VERTICES.values())
_ORDER = list(OPENPOSE_FROM_MANO)


class TorchSkinning(nn.Module):
    """Poses right hands in MANO's frame.

    The skeleton is five chains of three joints on one wrist, and MANO's order runs through one
    chain after the other: joints 1 to 15 are a (5, 3) array of finger and place in the finger.
    """

    template: torch.Tensor
    shape_directions: torch.Tensor
    pose_directions: torch.Tensor
    rest: torch.Tensor
    rest_directions: torch.Tensor
    weights: torch.Tensor

    def __init__(self, model: HandModel) -> None:
        super().__init__()
        # The regressor is applied to template and shape directions once and for all, in float64.
        rest = model.joint_regressor @ model.v_template
        rest_directions = np.einsum("jv,vck->jck", model.joint_regressor, model.shapedirs)
        arrays = {
            "template": model.v_template,
            "shape_directions": model.shapedirs.reshape(3 * N_VERTICES, -1).T,
            "pose_directions": model.posedirs.reshape(3 * N_VERTICES, -1).T,
            "rest": rest,
            "rest_directions": rest_directions.reshape(3 * N_SKELETON, -1).T,
            "weights": model.weights,
        }
        for name, array in arrays.items():
            contiguous = np.ascontiguousarray(array, dtype=np.float32)
            self.register_buffer(name, torch.from_numpy(contiguous))

    def forward(
        self, rotations: torch.Tensor, betas: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rotations (B, 16, 3, 3) and betas (B, 10) -> vertices (B, 778, 3), joints (B, 21, 3).

        Metres; the wrist is where the shape puts it, not at the origin.
        """
        shaped = self.template + (betas @ self.shape_directions).unflatten(1, (N_VERTICES, 3))
        rest = self.rest + (betas @ self.rest_directions).unflatten(1, (N_SKELETON, 3))
        feature = (rotations[:, 1:] - torch.eye(3, device=rotations.device)).flatten(1)
        shaped = shaped + (feature @ self.pose_directions).unflatten(1, (N_VERTICES, 3))

        turns, origins = _chain(rotations, rest)
        shifts = origins - (turns @ rest[..., None])[..., 0]
        blended = self.weights @ torch.cat([turns.flatten(2), shifts], dim=2)  # (B, 778, 12)
        turned = blended[..., :9].unflatten(2, (3, 3)) @ shaped[..., None]
        posed = turned[..., 0] + blended[..., 9:]
        joints = torch.cat([origins, posed[:, _TIPS]], dim=1)[:, _ORDER]
        return posed, joints


def _chain(rotations: torch.Tensor, rest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Compose along the fingers: rotations (B, 16, 3, 3) and origins (B, 16, 3) of the joints."""
    turn, origin, before = rotations[:, :1], rest[:, :1], rest[:, :1]
    local = rotations[:, 1:].unflatten(1, (_N_FINGERS, 3))
    at_rest = rest[:, 1:].unflatten(1, (_N_FINGERS, 3))
    turns, origins = [], []
    for place in range(3):
        bone = at_rest[:, :, place] - before
        origin = origin + (turn @ bone[..., None])[..., 0]
        turn = turn @ local[:, :, place]
        before = at_rest[:, :, place]
        turns.append(turn)
        origins.append(origin)
    return (
        torch.cat([rotations[:, :1], torch.stack(turns, dim=2).flatten(1, 2)], dim=1),
        torch.cat([rest[:, :1], torch.stack(origins, dim=2).flatten(1, 2)], dim=1),
    )
