"""Read a CameraModel from files of intrinsics, as calibration tools and ROS write them.

Accepted are, in YAML, JSON or OpenCV's XML:

- what ROS' camera_calibration writes (``image_width``, ``camera_matrix``, ...);
- OpenCV's FileStorage with the same names, as its calibration samples write it;
- what ``ros2 topic echo`` (or ROS 1's ``rostopic echo``) prints of a camera_info;
- Kalibr's camchain, where it holds one camera.

The raw image's K and D are used.  A file that does not state the size of its images is for any.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hamer_ros.camera.lens_names import lens_of
from hamer_ros.camera.model import CameraError, CameraModel
from hamer_ros.files.kinds import EMPTY, TEXT, UNKNOWN, what_is

LARGEST = 1_000_000
"""Bytes that a file may have; a calibration has a few thousand."""

TAKEN = (
    "a calibration of ROS' camera_calibration, OpenCV or Kalibr, or the text of "
    "`ros2 topic echo --once .../camera_info`, in YAML, JSON or XML"
)

_NAMES = {
    "width": ("image_width", "width"),
    "height": ("image_height", "height"),
    "k": ("camera_matrix", "k", "cameramatrix", "intrinsic_matrix", "mtx"),
    "d": (
        "distortion_coefficients",
        "d",
        "dist_coeffs",
        "dist_coeff",
        "distortion_coeffs",
        "distcoeffs",
        "dist",
        "coeffs",
    ),
    "lens": ("distortion_model", "camera_model", "model"),
    "fx": ("fx",),
    "fy": ("fy",),
    "cx": ("cx", "ppx"),
    "cy": ("cy", "ppy"),
}
"""Each value -> keys that it may have, in lower case; the first that is present counts."""

_MAY_BE = (TEXT, EMPTY, UNKNOWN)
"""Kinds of files that are looked at more closely; UTF-16 is of no known kind."""


@dataclass(frozen=True)
class Calibration:
    """A camera read from a file.

    is_sized: the file states the size of the images; otherwise the camera's is twice its principal
        point, about right, and stands for any.
    """

    camera: CameraModel
    is_sized: bool


def read_calibration(path: str | Path) -> Calibration:
    """Read a file of intrinsics.

    Raises:
        CameraError: there is no such file, it cannot be read, it is of another kind, lacks
            something or holds an unusable value; the text is one line and names the file.
    """
    text = _text_of(Path(path))
    try:
        return _understood(_parsed(text))
    except CameraError as error:
        raise CameraError(f"{path}: {error}") from error
    except OverflowError as error:  # whole numbers of hundreds of digits
        raise CameraError(f"{path}: a number is too large; give {TAKEN}") from error


def _text_of(path: Path) -> str:
    try:
        if not path.exists():
            raise CameraError(f"{path} does not exist; give {TAKEN}")
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no ordinary file"
            raise CameraError(f"{path} is {what}; give {TAKEN}")
        kind = what_is(path)
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as error:  # the latter of a path with a zero byte
        reason = getattr(error, "strerror", None) or str(error)
        raise CameraError(f"{path} cannot be read: {reason}") from error
    if kind not in _MAY_BE:
        raise CameraError(f"{path} is {kind}; give {TAKEN}")
    if len(data) > LARGEST:
        raise CameraError(f"{path} has more than {LARGEST} bytes; give {TAKEN}")
    if not data.strip():
        raise CameraError(f"{path} is empty; give {TAKEN}")
    try:
        # Windows' editors write a mark in front, or UTF-16.
        is_utf16 = data.startswith((b"\xff\xfe", b"\xfe\xff"))
        text = data.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError:
        raise CameraError(f"{path} is binary, not text; give {TAKEN}") from None
    if "\0" in text:
        raise CameraError(f"{path} is binary, not text; give {TAKEN}")
    return text


def _parsed(text: str) -> Mapping[str, Any]:
    """The content of a file, a mapping whose keys are in lower case.

    Raises:
        CameraError: it is no mapping or cannot be parsed; the text does not name the file.
    """
    if text.lstrip().startswith("<"):
        content: Any = _xml(text)
    else:
        content = _json(text) if text.lstrip().startswith(("{", "[")) else _yaml(text)
    if not isinstance(content, Mapping):
        kind = {list: "a list", str: "plain text", type(None): "nothing"}
        what = kind.get(type(content), f"the value {reprlib.repr(content)}")
        raise CameraError(f"the file holds {what} and no names; give {TAKEN}")
    return {str(key).lower(): value for key, value in content.items()}


def _yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - of a calibration file only

    # OpenCV's "%YAML:1.0" and "!!opencv-matrix" are not for others.
    body = re.sub(r"^%YAML[: ].*$", "", text, flags=re.MULTILINE)
    body = re.sub(r"!!opencv-[a-z-]+", "", body)
    try:
        # `topic echo` ends every message with "---": the first that is not empty counts.
        for document in yaml.safe_load_all(body):
            if document is not None:
                return document
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        where = "" if mark is None else f" in line {mark.line + 1}"
        raise CameraError(
            f"the file is no YAML{where} ({' '.join(str(problem).split())}); give {TAKEN}"
        ) from error
    return None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return _yaml(text)  # which may begin with a brace, too


def _xml(text: str) -> Any:
    if "<opencv_storage>" not in text:
        raise CameraError(f"the file is XML, but not OpenCV's FileStorage; give {TAKEN}")
    import cv2  # noqa: PLC0415 - of such a file only

    try:
        storage = cv2.FileStorage(text, cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY)
        root = storage.root()
        return _node(root)
    except (cv2.error, SystemError) as error:
        raise CameraError(f"the file is broken XML; give {TAKEN}") from error


def _node(node: Any) -> Any:
    if node.isMap():  # a matrix as well: its numbers are in `data`, as in YAML
        return {key: _node(node.getNode(key)) for key in node.keys()}  # noqa: SIM118
    if node.isSeq():
        return [_node(node.at(i)) for i in range(node.size())]
    return node.string() if node.isString() else node.real()


def _understood(content: Mapping[str, Any]) -> Calibration:
    cameras = [key for key, value in content.items() if re.fullmatch(r"cam\d+", key)]
    if cameras:
        if len(cameras) > 1:
            raise CameraError(
                f"the file holds {len(cameras)} cameras, {', '.join(cameras)}; keep one of them"
            )
        return _kalibr(content[cameras[0]], cameras[0])
    if any(content.get(key) not in (None, 0, 1) for key in ("binning_x", "binning_y")):
        raise CameraError("the image is binned; give the camera_info of the full one")
    roi = content.get("roi")
    if isinstance(roi, Mapping) and any(roi.get(key) for key in ("x_offset", "y_offset")):
        raise CameraError("the image is a region of interest; give the camera_info of the full one")
    found = {what: _first(content, keys) for what, keys in _NAMES.items()}
    if found["k"] is None and found["fx"] is not None:  # as RealSense and Open3D write it
        fx, fy, cx, cy = (_number(found, name) for name in ("fx", "fy", "cx", "cy"))
        k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    elif found["k"] is None:
        keys = ", ".join(list(content)[:6]) or "nothing"
        raise CameraError(f"camera_matrix (or k) is missing; there are: {keys}; give {TAKEN}")
    else:
        k = _numbers(found["k"], "camera_matrix")
    if len(k) != 9:
        raise CameraError(f"camera_matrix has {len(k)} numbers; needs 9")
    d = [] if found["d"] is None else _numbers(found["d"], "distortion_coefficients")
    name = found["lens"]
    if name is None and content.get("fisheye_model") is not None:  # OpenCV's calibration sample
        name = "equidistant" if content["fisheye_model"] else "rational_polynomial"
    elif name is None:
        if len(d) == 4 and any(d):
            raise CameraError(
                "there are 4 distortion coefficients, but no distortion_model: plumb_bob and "
                "equidistant (fisheye) have so many; add it"
            )
        name = "plumb_bob" if len(d) <= 5 else "rational_polynomial"
    if found["width"] is None or found["height"] is None:
        return _calibration(k, d, name, None)
    size = tuple(_number(found, side) for side in ("width", "height"))
    return _calibration(k, d, name, size)


def _kalibr(camera: Any, key: str) -> Calibration:
    if not isinstance(camera, Mapping):
        raise CameraError(f"{key} holds no names; give {TAKEN}")
    model = str(camera.get("camera_model"))
    if model != "pinhole":
        raise CameraError(
            f"{key}.camera_model is '{model}', which is not supported; calibrate with Kalibr's "
            "pinhole-radtan or pinhole-equi"
        )
    fx, fy, cx, cy = _numbers(camera.get("intrinsics"), f"{key}.intrinsics", 4)
    width, height = _numbers(camera.get("resolution"), f"{key}.resolution", 2)
    d = _numbers(camera.get("distortion_coeffs", []), f"{key}.distortion_coeffs")
    name = str(camera.get("distortion_model", "none"))
    k = [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]
    return _calibration(k, d, name, (width, height))


def _calibration(
    k: Sequence[float], d: Sequence[float], name: Any, size: tuple[float, ...] | None
) -> Calibration:
    lens, distortion = lens_of(str(name), d)
    if k[0] == 0:
        raise CameraError("camera_matrix[0] is 0, so the camera is not calibrated")
    if not all(math.isfinite(number) for number in k):
        raise CameraError(f"camera_matrix is {list(k)}; all must be finite")
    if size is not None and not all(side.is_integer() for side in size):
        raise CameraError(f"image size is {size}; needs whole numbers of pixels")
    width, height = size or (max(1, round(2 * k[2])), max(1, round(2 * k[5])))
    camera = CameraModel(
        int(width), int(height), k[0], k[4], k[2], k[5], lens, distortion, skew=k[1]
    )
    return Calibration(camera, size is not None)


def _first(content: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((content[key] for key in keys if content.get(key) is not None), None)


def _numbers(value: Any, name: str, count: int | None = None) -> list[float]:
    """The numbers of a list, of a list of rows, or of a mapping with either under ``data``."""
    if isinstance(value, Mapping):
        value = value.get("data")
    try:
        if not isinstance(value, list):
            raise TypeError
        numbers = list(_flat(value))
    except (TypeError, ValueError):
        raise CameraError(f"{name} is {reprlib.repr(value)}; needs a list of numbers") from None
    if count is not None and len(numbers) != count:
        raise CameraError(f"{name} has {len(numbers)} numbers; needs {count}")
    return numbers


def _flat(values: list[Any], depth: int = 0) -> Iterator[float]:
    if depth > 2 or len(values) > 100:
        raise ValueError
    for value in values:
        if isinstance(value, list):
            yield from _flat(value, depth + 1)
        else:
            yield float(value)


def _number(found: Mapping[str, Any], name: str) -> float:
    value = found[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CameraError(f"{name} is {reprlib.repr(value)}; needs a number, pixels")
    return float(value)
