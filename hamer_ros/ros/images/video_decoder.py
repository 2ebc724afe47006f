"""Decoding of video packets to RGB images, each with the tag of its packet.

This takes the plain fields of ffmpeg_image_transport_msgs/FFMPEGPacket, and does without those that
other messages lack.  PyAV decodes; it is needed for video alone.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from hamer_ros.errors import MissingFileError
from hamer_ros.ros.images.decode import MAX_PIXELS, ImageError
from hamer_ros.ros.images.video_keyframes import (
    av1_keyframe,
    h264_keyframe,
    h265_keyframe,
    vp9_keyframe,
)

Tag = TypeVar("Tag")

_KEY = 1
"""Bit of FFMPEGPacket.flags: libavcodec's AV_PKT_FLAG_KEY."""
_MAX_TAGS = 64
"""Number of tags kept of packets whose images have not come: more than any encoder delays."""
_MIN_NUMBERED = 8
"""Consecutive packets whose numbers went up by one: from then on a gap is a loss."""
_MAX_FAILED_KEYFRAMES = 3
"""Consecutive keyframes that must fail before the decoder is told to ignore errors."""


@dataclass(frozen=True)
class _Codec:
    """One kind of stream.

    names: pattern of an encoding's beginning: the codec's name, or that of a libavcodec encoder.
    decoders: of libavcodec; the first available one is used.
    is_keyframe: returns True for the data of a keyframe.
    """

    name: str
    names: re.Pattern[str]
    decoders: tuple[str, ...]
    is_keyframe: Callable[[bytes], bool]


CODECS = (
    _Codec("h264", re.compile(r"(lib(x|open))?h?\.?264|avc"), ("h264",), h264_keyframe),
    _Codec("h265", re.compile(r"(lib)?x265|h\.?265|hevc"), ("hevc",), h265_keyframe),
    _Codec("av1", re.compile(r"av1|lib(svt|aom-|rav1e|dav1d)"), ("libdav1d", "av1"), av1_keyframe),
    _Codec("vp9", re.compile(r"(libvpx-)?vp9"), ("vp9", "libvpx-vp9"), vp9_keyframe),
)
"""The known codecs, in the order in which error texts name them."""


@dataclass(frozen=True)
class VideoImage(Generic[Tag]):
    """One image, (H, W, 3) uint8 RGB, and the tag of its packet."""

    rgb: np.ndarray
    tag: Tag


class VideoDecoder(Generic[Tag]):
    """Decodes one stream; every packet must be given to it, in order.

    Images come when the codec gives them: with their own packet, or some packets later where images
    are predicted from later ones.  Decoding begins at a keyframe, and waits for the next one after
    anything that cannot be decoded, and after a loss where packets are numbered.  Where they are
    not, H.264 and VP9 do not show a loss, and AV1 not every one; the images until the next keyframe
    are then slightly wrong.
    """

    def __init__(self) -> None:
        """Raise MissingFileError without PyAV."""
        try:
            import av  # noqa: PLC0415 - of video only
        except ImportError as error:
            raise MissingFileError(
                "video needs PyAV, which is not there: pip install av"
            ) from error
        self._av = av
        self._codec: _Codec | None = None
        self._context: Any = None
        self._tags: OrderedDict[int, Tag] = OrderedDict()
        self._fed = 0
        self._waiting = True
        self._number: int | None = None
        self._consecutive = 0
        self._failed_keyframes = 0

    @property
    def waiting(self) -> bool:
        """True if no image can come before the next keyframe."""
        return self._waiting

    def decode(
        self, data: bytes, encoding: str, tag: Tag, number: int | None = None, flags: int = 0
    ) -> list[VideoImage[Tag]]:
        """Decode one packet and return the images that are complete with it, in display order.

        encoding: FFMPEGPacket.encoding, such as "h264", "libx264" or "hevc;yuv420p;bgr8;bgr8".
        number: FFMPEGPacket.pts.
        flags: FFMPEGPacket.flags.

        Raises:
            ImageError: an unknown codec, or a packet that cannot be decoded.
        """
        self._choose(encoding)
        assert self._codec is not None
        key = bool(flags & _KEY) or self._codec.is_keyframe(data)
        if self._is_after_loss(number) and not self._waiting:
            self._restart()
        if self._waiting and not key:
            return []
        self._waiting = False
        packet = self._av.Packet(data)
        packet.pts = packet.dts = self._fed
        self._tags[self._fed] = tag
        self._fed += 1
        if len(self._tags) > _MAX_TAGS:
            self._tags.popitem(last=False)
        try:
            frames = self._context.decode(packet)
            images = [
                VideoImage(frame.to_ndarray(format="rgb24"), self._tags.pop(frame.pts))
                for frame in frames
                if frame.pts in self._tags
            ]
        except (self._av.error.FFmpegError, ValueError, NotImplementedError) as error:
            self._failed_keyframes += key
            if self._failed_keyframes < _MAX_FAILED_KEYFRAMES:
                self._restart()
            else:  # an error in every keyframe is the encoder's, not damage
                self._open(self._context.name, {})
            raise ImageError(
                f"{self._codec.name} packet of {len(data)} bytes cannot be decoded ({error}); "
                "waiting for the next keyframe"
            ) from error
        if key:
            self._failed_keyframes = 0
        return images

    def _choose(self, encoding: str) -> None:
        """Open the decoder of an encoding, unless it is in use already."""
        name = encoding.partition(";")[0].strip().lower()
        codec = next((codec for codec in CODECS if codec.names.match(name)), None)
        if codec is None:
            known = ", ".join(codec.name for codec in CODECS)
            raise ImageError(f"video's encoding is '{encoding}'; known are: {known}")
        if codec is not self._codec:
            available = self._av.codecs_available
            decoder = next((name for name in codec.decoders if name in available), None)
            if decoder is None:
                raise ImageError(f"video's encoding is '{encoding}', which this PyAV cannot decode")
            self._codec = codec
            self._open(decoder, {"err_detect": "explode"})  # rather than conceal errors

    def _open(self, decoder: str, options: dict[str, str]) -> None:
        self._context = self._av.CodecContext.create(decoder, "r")
        # Frame threading would delay the images by as many frames as there are threads.
        self._context.thread_type = "SLICE"
        no_delay = {"max_frame_delay": "1"} if decoder == "libdav1d" else {}
        self._context.options = {"max_pixels": str(MAX_PIXELS), **no_delay, **options}
        self._failed_keyframes = 0
        self._restart()

    def _restart(self) -> None:
        if self._context.is_open:
            self._context.flush_buffers()
        self._tags.clear()
        self._waiting = True

    def _is_after_loss(self, number: int | None) -> bool:
        """True if there is a gap in the packets' numbers, where they are numbers and not times."""
        before, self._number = self._number, number
        if number is None or before is None:
            self._consecutive = 0
            return False
        if number == before + 1:
            self._consecutive += 1
            return False
        is_numbered, self._consecutive = self._consecutive >= _MIN_NUMBERED, 0
        return is_numbered
