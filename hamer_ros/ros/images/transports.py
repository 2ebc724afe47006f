"""Names of image transports: those that the node takes, and others that a camera may have."""

from __future__ import annotations

IMAGE_TRANSPORTS = ("raw", "compressed", "ffmpeg")
DEPTH_TRANSPORTS = ("auto", "raw", "compressedDepth")
"""Values of the parameters image_transport and depth_transport."""

OTHER_TRANSPORTS = ("compressed", "compressedDepth", "ffmpeg", "theora", "zstd")
"""Transports with a topic of their own below that of the raw images."""


def depth_transport(depth: str, image: str) -> str:
    """Return the transport of depth images; auto follows that of the colour images.

    Where images are compressed to save bandwidth or disk space, so is depth.
    """
    if depth != "auto":
        return depth
    return "raw" if image == "raw" else "compressedDepth"
