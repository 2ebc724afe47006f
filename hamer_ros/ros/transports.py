"""How images come over topics, by image_transport's names: each but raw has a topic of its own."""

from __future__ import annotations

IMAGE_TRANSPORTS = ("raw", "compressed", "ffmpeg")
DEPTH_TRANSPORTS = ("raw", "compressedDepth")
"""Those that the node takes."""

OTHER_TRANSPORTS = ("compressed", "compressedDepth", "ffmpeg", "theora", "zstd")
"""Those whose topics a camera may have, too, beside the topic of raw images."""
