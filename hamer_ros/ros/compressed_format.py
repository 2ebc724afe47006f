"""The field ``format`` of sensor_msgs/CompressedImage, as image_transport writes and reads it.

Its publisher hands OpenCV an image of the pixel format behind "compressed", and OpenCV takes
whatever it is given for BGR.  Where that says rgb8, red and blue are exchanged in the picture.  Any
other text, such as "jpeg" alone, promises a picture like all others.
"""

from __future__ import annotations

from dataclasses import dataclass

from hamer_ros.ros.encodings import Encoding, find_encoding


@dataclass(frozen=True)
class CompressedFormat:
    """``ORIGINAL; CODEC compressed TARGET`` in lower case, empty where a part is missing.

    original: encoding of the raw image.
    target: encoding of the image that was compressed.
    """

    original: str
    target: str

    @classmethod
    def parse(cls, text: str) -> CompressedFormat:
        """Read any text; one that is not written so has neither part."""
        original, separator, rest = text.lower().partition(";")
        _, compressed, target = rest.partition("compressed")
        if not separator or not compressed:
            return cls("", "")
        return cls(original.strip(), target.strip())

    def exchanged(self) -> bool:
        """Tell whether red and blue are exchanged in a picture of three colours."""
        return self.target.startswith("rgb")

    def mosaic(self) -> Encoding | None:
        """The mosaic, of 8 bits, that a picture of one channel is; None where it is grey.

        Bayer images are compressed as they are where no target is named, and else as grey ones.
        """
        if not self.original.startswith("bayer_") or self.target.startswith("mono"):
            return None
        encoding = find_encoding(self.original)
        return encoding and find_encoding(encoding.name.removesuffix("16").removesuffix("8") + "8")
