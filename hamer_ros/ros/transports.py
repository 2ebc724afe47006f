"""How images come over topics, by image_transport's names: each but raw has a topic of its own."""

from __future__ import annotations

IMAGE_TRANSPORTS = ("raw", "compressed", "ffmpeg")
DEPTH_TRANSPORTS = ("auto", "raw", "compressedDepth")
"""Those that the node takes."""

OTHER_TRANSPORTS = ("compressed", "compressedDepth", "ffmpeg", "theora", "zstd")
"""Those whose topics a camera may have, too, beside the topic of raw images."""


def depth_transport(depth: str, image: str) -> str:
    """The transport of depth images, which for auto follows that of the images.

    Where images are compressed to spare the network or a recording, so is depth.
    """
    if depth != "auto":
        return depth
    return "raw" if image == "raw" else "compressedDepth"
