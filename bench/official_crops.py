"""A copy of HaMeR's own pre-processing: every hand filters, mirrors and warps the whole image."""

from __future__ import annotations

import cv2
import numpy as np

from bench.golden import MEAN, STD


def official_crops(bgr: np.ndarray, boxes: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return the crops (B, 3, 256, 256) float32 of hands in an image.

    bgr: (H, W, 3) uint8.
    boxes: (B, 4) pixels.
    right: (B,), not zero for right hands.

    Large hands need the package scikit-image.
    """
    crops = []
    for box, is_right in zip(boxes.astype(np.float32), right, strict=True):
        center = (box[:2] + box[2:]) / 2
        w, h = 2 * (box[2:] - box[:2])
        w, h = (w, max(w * 256 / 192, h)) if h / w < 256 / 192 else (max(h * 192 / 256, w), h)
        size = np.float32(max(w, h))
        image = bgr.copy()
        shrink = size / 256 / 2
        if shrink > 1.1:
            from skimage.filters import gaussian  # noqa: PLC0415 - an optional package

            image = gaussian(image, sigma=(shrink - 1) / 2, channel_axis=2, preserve_range=True)
        if not is_right:
            image = image[:, ::-1]
            center[0] = bgr.shape[1] - center[0] - 1
        offsets = np.array([[0, 0], [0, size / 2], [size / 2, 0]])
        source = (center + offsets).astype(np.float32)
        target = np.array([[128, 128], [128, 256], [256, 128]], np.float32)
        affine = cv2.getAffineTransform(source, target)
        crop = cv2.warpAffine(
            image, affine, (256, 256), flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT, borderValue=(0, 0, 0),
        )  # fmt: skip
        crop = crop[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
        for channel in range(3):
            crop[channel] = (crop[channel] - MEAN[channel]) / STD[channel]
        crops.append(crop)
    return np.stack(crops)
