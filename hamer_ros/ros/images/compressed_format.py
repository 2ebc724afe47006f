"""The field ``format`` of sensor_msgs/CompressedImage, as image_transport writes and reads it.

Its publisher passes OpenCV an image of the pixel format behind "compressed", and OpenCV takes
every image for BGR.  Where that format is rgb8, red and blue are swapped in the picture.  Any
other text, such as "jpeg" alone, stands for a picture with the usual order.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamer_ros.ros.images.encodings import Encoding, find_encoding


@dataclass(frozen=True)
class CompressedFormat:
    """The parts of ``ORIGINAL; CODEC compressed TARGET`` in lower case; empty where one is missing.

    original: encoding of the raw image.
    target: encoding of the image that was compressed.
    """

    original: str
    target: str

    @classmethod
    def parse(cls, text: str) -> CompressedFormat:
        """Parse any text; one of another form has neither part."""
        original, separator, rest = text.lower().partition(";")
        _, compressed, target = rest.partition("compressed")
        if not separator or not compressed:
            return cls("", "")
        return cls(original.strip(), target.strip())

    def has_swapped_colours(self) -> bool:
        """True if red and blue are swapped in a picture of three channels."""
        return self.target.startswith("rgb")

    def mosaic(self) -> Encoding | None:
        """Return the 8-bit Bayer encoding of a picture of one channel; None if it is grey.

        Bayer images are compressed as they are where no target is named, otherwise as grey ones.
        """
        if not self.original.startswith("bayer_") or self.target.startswith("mono"):
            return None
        encoding = find_encoding(self.original)
        return encoding and find_encoding(encoding.name.removesuffix("16").removesuffix("8") + "8")
