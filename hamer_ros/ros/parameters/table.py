"""All parameters of the node with default, description, unit and range.

``config/hamer.yaml`` repeats the defaults for people to edit, and ``docs/parameters.md`` holds the
table that `document` makes from this; tests compare them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from hamer_ros.detection import DETECTORS, DetectorOptions
from hamer_ros.estimation import ESTIMATORS
from hamer_ros.files.kinds import absolute_path
from hamer_ros.hamer.backend import BACKENDS, PRECISIONS
from hamer_ros.hamer.load_estimator import HamerOptions
from hamer_ros.inference.device import Device
from hamer_ros.placement.hand_length_measurement import LENGTHS, check_length
from hamer_ros.placement.hands_file import check_person
from hamer_ros.ros.images.transports import DEPTH_TRANSPORTS, IMAGE_TRANSPORTS
from hamer_ros.ros.output.frame_names import check_prefix
from hamer_ros.tracking import TrackerOptions

T = TypeVar("T", DetectorOptions, HamerOptions, TrackerOptions)


def _checked(check: Callable[[Any], object]) -> Callable[[Any], Any]:
    """Return a parser that gives the value back if ``check`` raises no ValueError for it."""

    def parse(value: Any) -> Any:
        check(value)
        return value

    return parse


def _check_length(metres: float) -> None:
    """Raise ValueError unless the value is 0 or the length of a hand."""
    if metres != 0 and (problem := check_length(metres)) is not None:
        raise ValueError(f"hand_length: {problem}")


def _path(text: str) -> Path | None:
    return absolute_path(text) if text else None


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())


def _setting(
    default: Any,
    description: str,
    limits: tuple[float, float] | None = None,
    unit: str = "",
    choices: tuple[str, ...] = (),
    renamed: Mapping[str, str] = MappingProxyType({}),
    live: bool = False,
    fixed: bool = False,
    parse: Callable[[Any], Any] | None = None,
) -> Any:
    """Return the field of one parameter.

    default: as ROS has it.
    limits, unit: those of a number; counts, scores and probabilities have no unit.
    renamed: former choices -> what they are called now.
    live: it takes effect at once.
    fixed: it takes effect at the start only; without either, when the node is configured.
    parse: from ROS' value to that of the field; raises ValueError for an invalid one.
    """
    metadata = {
        "default": default,
        "description": description,
        "limits": limits,
        "unit": unit,
        "choices": choices,
        "renamed": renamed,
        "live": live,
        "fixed": fixed,
        "parse": parse or _unchanged,
    }
    return dataclasses.field(
        default=default if parse is None else parse(default), metadata=metadata
    )


def _unchanged(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Parameters:
    """The values of all parameters at one moment; paths, devices and lists are resolved."""

    autostart: bool = _setting(
        True,
        "Configure and activate at start. Set to false under a lifecycle manager.",
        fixed=True,
    )
    estimator: str = _setting(
        "landmarks",
        "What estimates the pose and shape of hands.",
        choices=tuple(ESTIMATORS),
    )
    detector: str = _setting(
        "landmarks",
        "What finds hands in the image.",
        choices=tuple(DETECTORS),
        renamed={"given": "external"},
    )
    device: Device = _setting(
        "cpu",
        "Where the models run: cpu, cuda, or cuda:N for one of several GPUs.",
        parse=Device.parse,
    )
    checkpoint: Path | None = _setting(
        "",
        "HaMeR's weights, for estimator hamer: path of hamer.ckpt, of a .safetensors, of an"
        " exported .onnx, or of the folder _DATA that HaMeR's scripts fill.",
        parse=_path,
    )
    mano: Path | None = _setting(
        "",
        "MANO's right hand, for estimator hamer: path of MANO_RIGHT.pkl. Empty takes it from the"
        " folder given as checkpoint.",
        parse=_path,
    )
    backend: str = _setting(
        HamerOptions.backend,
        "What runs HaMeR's network; onnxruntime and tensorrt need `hamer_ros export` once.",
        choices=BACKENDS,
    )
    precision: str = _setting(
        HamerOptions.precision,
        "Of the matrices of HaMeR's backbone; auto is the fastest of those that the device"
        " computes well.",
        choices=PRECISIONS,
    )
    image_transport: str = _setting(
        "raw",
        "raw subscribes to image, compressed to image/compressed, ffmpeg (video: H.264, H.265, AV1)"
        " to image/ffmpeg.",
        choices=IMAGE_TRANSPORTS,
    )
    max_age: float = _setting(
        0.0,
        "Images whose stamp is older than this when their turn comes are left out; 0 takes any, as"
        " recordings without a clock need it.",
        limits=(0.0, 60.0),
        unit="seconds",
        live=True,
    )
    rectified: bool = _setting(
        False,
        "Whether the images are rectified: then CameraInfo's P holds, otherwise K and D.",
        live=True,
    )
    scale_camera_info: bool = _setting(
        False,
        "Use a CameraInfo of another resolution of the same shape, scaled to the image. Right where"
        " the driver scales the whole picture, wrong where it cuts a part out.",
        live=True,
    )
    mirrored: bool = _setting(
        False,
        "Whether the camera delivers mirrored images, as a selfie view does. They are turned back,"
        " with their intrinsics, or every hand would have the other side.",
        live=True,
    )
    assumed_horizontal_fov: float = _setting(
        0.0,
        "Field of view to assume while the camera is not calibrated or has no CameraInfo; distances"
        " are then a guess. 0 refuses such images.",
        limits=(0.0, 170.0),
        unit="degrees",
        live=True,
    )
    detector_model: Path | None = _setting(
        "",
        "For detector onnx a model that finds hands, for vitpose one that finds people: path of an"
        " ONNX file, YOLO or RTMDet, recognised by its outputs.",
        parse=_path,
    )
    detector_classes: tuple[str, ...] = _setting(
        "",
        "Names of that model's classes in order, comma-separated, such as left,right or hand. Empty"
        " takes them from the file.",
        parse=_names,
    )
    min_score: float = _setting(
        DetectorOptions.min_score,
        "Score below which a box of detector onnx is left out.",
        limits=(0.0, 1.0),
    )
    vitpose: Path | None = _setting(
        "",
        "For detector vitpose: path of wholebody.pth. Empty takes it from the folder _DATA given"
        " as checkpoint.",
        parse=_path,
    )
    max_box_wait: float = _setting(
        0.2,
        "How long an image waits for its boxes with detector external.",
        limits=(0.01, 5.0),
        unit="seconds",
    )
    max_hands: int = _setting(
        DetectorOptions.max_hands,
        "No more hands than this are followed.",
        limits=(1, 16),
    )
    min_presence: float = _setting(
        DetectorOptions.min_presence,
        "Probability that there is a hand, below which it is given up.",
        limits=(0.0, 1.0),
    )
    search_period: int = _setting(
        DetectorOptions.search_period,
        "Images from one search for new hands to the next while at least one is followed. More"
        " saves CPU, less finds a second hand sooner.",
        limits=(1, 60),
        unit="images",
    )
    photographs: bool = _setting(
        DetectorOptions.photographs,
        "Treat every image as a photograph of its own: search it thoroughly, which takes about"
        " half a second, and follow nothing. For cameras that take single pictures.",
    )
    smoothing: bool = _setting(
        TrackerOptions.smoothing,
        "Smooth the hands of ~/hands, /tf and the pictures; ~/hands_raw has them as they were"
        " measured.",
        live=True,
    )
    min_cutoff: float = _setting(
        TrackerOptions.min_cutoff,
        "Of the One-Euro filter: lower is calmer while a hand is still.",
        limits=(0.01, 30.0),
        unit="hertz",
        live=True,
    )
    beta: float = _setting(
        TrackerOptions.beta,
        "Of the One-Euro filter: higher follows a moving hand sooner.",
        limits=(0.0, 1000.0),
        unit="hertz per m/s",
        live=True,
    )
    coast_time: float = _setting(
        TrackerOptions.coast_time,
        "How long a hand that is not seen is predicted before it is given up.",
        limits=(0.0, 10.0),
        unit="seconds",
        live=True,
    )
    publish_vertices: bool = _setting(
        True,
        "Fill HandMesh.vertices.",
        live=True,
    )
    publish_tf: bool = _setting(
        True,
        "Publish the wrists on /tf.",
        live=True,
    )
    tf_prefix: str = _setting(
        "",
        "Put before hand_left and hand_right, for several cameras on one robot.",
        parse=_checked(check_prefix),
    )
    hand_length: float = _setting(
        0.0,
        "From the wrist along the middle finger to its tip, of both hands. 0 takes what"
        " ~/calibrate_hand learnt, or else people's average.",
        limits=(0.0, LENGTHS[1]),
        unit="metres",
        parse=_checked(_check_length),
    )
    person: str = _setting(
        "default",
        "Whose hands these are: calibrated lengths are kept under this name.",
        parse=_checked(check_person),
    )
    use_depth: bool = _setting(
        False,
        "Subscribe to depth, aligned with the image (16UC1 millimetres or 32FC1 metres), which"
        " gives the size and distance of hands.",
    )
    depth_transport: str = _setting(
        "auto",
        "raw subscribes to depth, compressedDepth to depth/compressedDepth. auto is raw where"
        " image_transport is, else compressedDepth.",
        choices=DEPTH_TRANSPORTS,
    )
    depth_tolerance: float = _setting(
        0.02,
        "By how much the stamps of an image and its depth image may differ.",
        limits=(0.0, 1.0),
        unit="seconds",
        live=True,
    )
    max_depth_wait: float = _setting(
        0.1,
        "How long an image waits for its depth image. One that comes later than that still gives"
        " the size of the hands, for the images to come.",
        limits=(0.0, 5.0),
        unit="seconds",
        live=True,
    )
    silence_after: float = _setting(
        2.0,
        "How long no image may come before diagnostics report an error.",
        limits=(0.1, 60.0),
        unit="seconds",
        live=True,
    )

    @property
    def detection(self) -> DetectorOptions:
        """The options of the detector."""
        options = _options(DetectorOptions, self)
        return dataclasses.replace(options, vitpose=self.vitpose or self.checkpoint)

    @property
    def hamer(self) -> HamerOptions:
        """The options of HaMeR's estimator."""
        return _options(HamerOptions, self)

    @cached_property
    def tracking(self) -> TrackerOptions:
        """The options of the tracker."""
        return _options(TrackerOptions, self)


def _options(kind: type[T], parameters: Parameters) -> T:
    """Return options of a part of the pipeline; their fields have the names of the parameters."""
    own = {field.name for field in dataclasses.fields(Parameters)}
    names = [field.name for field in dataclasses.fields(kind) if field.name in own]
    return kind(**{name: getattr(parameters, name) for name in names})
