"""Every parameter of the node: name, default, meaning, unit and range, in this one place.

``config/hamer.yaml`` repeats the defaults for people to edit; a test holds the two together.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from hamer_ros.detection import DETECTORS
from hamer_ros.hamer.backends import BACKENDS, PRECISIONS
from hamer_ros.nets.device import Device
from hamer_ros.placement.calibration import LENGTHS, check_length
from hamer_ros.placement.hands_file import check_person
from hamer_ros.recovery import RECOVERERS
from hamer_ros.ros import qos_overrides
from hamer_ros.ros.frame_names import check_prefix
from hamer_ros.ros.transports import DEPTH_TRANSPORTS, IMAGE_TRANSPORTS
from hamer_ros.tracking import TrackerOptions

_RESTART = "; start the node again with another"


def _length(metres: float) -> None:
    """Raise ValueError unless it is 0 or the length of a hand."""
    if metres != 0 and (problem := check_length(metres)) is not None:
        raise ValueError(f"hand_length: {problem}")


def _setting(
    default: Any,
    description: str,
    limits: tuple[float, float] | None = None,
    choices: tuple[str, ...] = (),
    live: bool = False,
    fixed: bool = False,
    parse: Callable[[Any], object] = str,
) -> Any:
    """One parameter.

    A live one takes effect at once, a fixed one at the start only, the others when the node is
    configured.

    parse: raises ValueError for what is no value of it.
    """
    metadata = {
        "description": description,
        "limits": limits,
        "choices": choices,
        "live": live,
        "fixed": fixed,
        "parse": parse,
    }
    return dataclasses.field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Parameters:
    """The values of all parameters at one moment."""

    autostart: bool = _setting(
        True,
        "Configure and activate at start. Set to false under a lifecycle manager.",
        fixed=True,
    )
    estimator: str = _setting(
        "landmarks",
        "How hands are recovered.",
        choices=tuple(RECOVERERS),
    )
    detector: str = _setting(
        "landmarks",
        "How hands are found in the image.",
        choices=tuple(DETECTORS),
    )
    device: str = _setting(
        "cpu",
        "Where the nets run: cpu, cuda, or cuda:N for one of several GPUs.",
        parse=Device.parse,
    )
    checkpoint: str = _setting(
        "",
        "HaMeR's weights, for estimator hamer: path of hamer.ckpt, of a .safetensors, of an"
        " exported .onnx, or of the folder _DATA that HaMeR's scripts fill.",
    )
    mano: str = _setting(
        "",
        "MANO's right hand, for estimator hamer: path of MANO_RIGHT.pkl. Empty takes it from the"
        " folder given as checkpoint.",
    )
    backend: str = _setting(
        "torch",
        "What runs HaMeR's network; onnxruntime and tensorrt need `hamer_ros export` once.",
        choices=BACKENDS,
    )
    precision: str = _setting(
        "auto",
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
        "Seconds. Images whose stamp is older than this when their turn comes are left out; 0 takes"
        " any, as recordings without a clock need it.",
        limits=(0.0, 60.0),
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
        "Degrees. Field of view to assume while the camera is not calibrated or has no CameraInfo;"
        " distances are then a guess. 0 refuses such images.",
        limits=(0.0, 170.0),
        live=True,
    )
    detector_model: str = _setting(
        "",
        "For detector onnx a net that finds hands, for vitpose one that finds people: path of an"
        " ONNX file, YOLO or RTMDet, recognised by its outputs.",
    )
    detector_classes: str = _setting(
        "",
        "Names of that net's classes in order, comma-separated, such as left,right or hand. Empty"
        " takes them from the file.",
    )
    min_score: float = _setting(
        0.4,
        "Score (0 to 1) below which a box of detector onnx is left out.",
        limits=(0.0, 1.0),
    )
    vitpose: str = _setting(
        "",
        "For detector vitpose: path of wholebody.pth. Empty takes it from the folder _DATA given"
        " as checkpoint.",
    )
    max_box_wait: float = _setting(
        0.2,
        "Seconds that an image waits for its boxes with detector given.",
        limits=(0.01, 5.0),
    )
    max_hands: int = _setting(
        4,
        "No more hands than this are followed.",
        limits=(1, 16),
    )
    min_presence: float = _setting(
        0.5,
        "Probability (0 to 1) that there is a hand, below which it is given up.",
        limits=(0.0, 1.0),
    )
    search_period: int = _setting(
        4,
        "Images from one search for new hands to the next while at least one is followed. More"
        " saves CPU, less finds a second hand sooner.",
        limits=(1, 60),
    )
    photographs: bool = _setting(
        False,
        "Treat every image as a photograph of its own: search it thoroughly, which takes about"
        " half a second, and follow nothing. For cameras that take single pictures.",
    )
    smoothing: bool = _setting(
        True,
        "Smooth the hands of ~/hands, /tf and the pictures; ~/hands_raw has them as they were"
        " measured.",
        live=True,
    )
    min_cutoff: float = _setting(
        TrackerOptions.min_cutoff,
        "Hertz, of the One-Euro filter. Lower is calmer while a hand is still.",
        limits=(0.01, 30.0),
        live=True,
    )
    beta: float = _setting(
        TrackerOptions.beta,
        "Hertz per metre and second, of the One-Euro filter. Higher follows a moving hand sooner.",
        limits=(0.0, 1000.0),
        live=True,
    )
    coast_time: float = _setting(
        TrackerOptions.coast_time,
        "Seconds for which a hand that is not seen is predicted before it is given up.",
        limits=(0.0, 10.0),
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
        parse=check_prefix,
    )
    hand_length: float = _setting(
        0.0,
        "Metres from the wrist along the middle finger to its tip, of both hands. 0 takes what"
        " ~/calibrate_hand learnt, or else people's average.",
        limits=(0.0, LENGTHS[1]),
        parse=_length,
    )
    person: str = _setting(
        "default",
        "Whose hands these are: calibrated lengths are kept under this name.",
        parse=check_person,
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
        "Seconds by which the stamps of an image and its depth image may differ.",
        limits=(0.0, 1.0),
        live=True,
    )
    max_depth_wait: float = _setting(
        0.1,
        "Seconds that an image waits for its depth image. One that comes later than that still"
        " gives the size of the hands, for the images to come.",
        limits=(0.0, 5.0),
        live=True,
    )
    silence_after: float = _setting(
        2.0,
        "Seconds without an image after which diagnostics report an error.",
        limits=(0.1, 60.0),
        live=True,
    )

    @property
    def tracking(self) -> TrackerOptions:
        """What the tracker is told."""
        return TrackerOptions(
            smooth=self.smoothing,
            min_cutoff=self.min_cutoff,
            beta=self.beta,
            coast_time=self.coast_time,
        )


def declare(node: Node) -> dict[str, str]:
    """Declare all parameters with their description and range, and check what is set later.

    Returns name -> reason of those that were given at the start but cannot be taken; they have
    their defaults until they are set anew.  A whole number is taken for any number.
    """
    refused = {}
    known_qos = qos_overrides.names(node)
    for name, parameter in given(node).items():
        if name in known_qos and (problem := qos_overrides.problem(parameter)) is not None:
            refused[name] = problem + _RESTART
    for field in dataclasses.fields(Parameters):
        try:
            _declare(node, field)
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            remedy = _RESTART if field.metadata["fixed"] else ""
            refused[field.name] = f"{field.name}: {error}{remedy}"
            node.declare_parameter(
                field.name, field.default, _descriptor(field), ignore_override=True
            )
    node.add_pre_set_parameters_callback(partial(_as_they_are_meant, node))
    node.add_on_set_parameters_callback(_check)
    return refused


def given(node: Node) -> dict[str, Parameter]:
    """What files of parameters and the command line gave a node, whether it is declared or not."""
    with node.handle:  # rclpy has no other way to it
        return node.handle.get_parameters(Parameter)


def _as_they_are_meant(node: Node, parameters: list[Parameter]) -> list[Parameter]:
    """The parameters that somebody sets: whole numbers as numbers, and what cannot change left out.

    A file that `ros2 param dump` wrote holds parameters of rclpy that are read-only; to set them to
    what they are is no mistake, and loading the file none that fails.
    """
    meant = [_as_declared(node, parameter) for parameter in parameters]
    # rclpy takes no empty list: something that every node has, and that stays as it is.
    return [p for p in meant if p is not None] or [node.get_parameter("use_sim_time")]


def _as_declared(node: Node, parameter: Parameter) -> Parameter | None:
    """A parameter that is set, as the node can take it; None where it is read-only and as it is."""
    name, value = parameter.name, parameter.value
    if not node.has_parameter(name):
        return parameter
    present = node.get_parameter(name)
    if node.describe_parameter(name).read_only and value == present.value:
        return None
    if type(value) is int and present.type_ is Parameter.Type.DOUBLE:
        return Parameter(name, value=float(value))
    return parameter


def _declare(node: Node, field: dataclasses.Field) -> None:
    try:
        node.declare_parameter(field.name, field.default, _descriptor(field))
    except InvalidParameterTypeException:
        value = _as_given(node, field.name)
        if not (isinstance(field.default, float) and type(value) is int):
            raise
        node.declare_parameter(field.name, float(value), _descriptor(field), ignore_override=True)


def _as_given(node: Node, name: str) -> object:
    """What the node was given at the start for a parameter that is not declared yet."""
    node.declare_parameter(name, descriptor=ParameterDescriptor(dynamic_typing=True))
    value = node.get_parameter(name).value
    node.undeclare_parameter(name)
    return value


def read(node: Node) -> Parameters:
    """The values now.

    Raises:
        ValueError: a value that is none of the choices.
    """
    names = [field.name for field in dataclasses.fields(Parameters)]
    parameters = node.get_parameters(names)
    verdict = _check(parameters)
    if not verdict.successful:
        raise ValueError(verdict.reason)
    return Parameters(**{parameter.name: parameter.value for parameter in parameters})


def with_live(current: Parameters, changed: list[Parameter]) -> Parameters:
    """The parameters in use after a change: only the live ones among the changed are taken over."""
    live = {f.name for f in dataclasses.fields(Parameters) if f.metadata["live"]}
    return dataclasses.replace(current, **{p.name: p.value for p in changed if p.name in live})


def waiting(node: Node, in_use: Parameters | None) -> dict[str, tuple[Any, Any]]:
    """The values, in use and from the next configure on, of each parameter that takes effect there.

    in_use: what the node was configured with; None where it is not configured: nothing waits then.
    """
    late = [f.name for f in dataclasses.fields(Parameters) if not f.metadata["live"]]
    then = {parameter.name: parameter.value for parameter in node.get_parameters(late)}
    return {name: (getattr(in_use, name, then[name]), then[name]) for name in late}


def _descriptor(field: dataclasses.Field) -> ParameterDescriptor:
    meta = field.metadata
    notes = [meta["description"]]
    if meta["choices"]:
        notes.append(f"One of: {', '.join(meta['choices'])}.")
    if meta["fixed"]:
        notes.append("Takes effect at the start only.")
    elif not meta["live"]:
        notes.append("Takes effect when the node is configured.")
    descriptor = ParameterDescriptor(description=" ".join(notes), read_only=meta["fixed"])
    if meta["limits"] is not None:
        low, high = meta["limits"]
        if isinstance(field.default, int):
            descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
        else:
            descriptor.floating_point_range = [FloatingPointRange(from_value=low, to_value=high)]
    return descriptor


def _check(parameters: list[Parameter]) -> SetParametersResult:
    known = {field.name: field.metadata for field in dataclasses.fields(Parameters)}
    for parameter in parameters:
        if (meta := known.get(parameter.name)) is None:
            continue
        allowed = meta["choices"]
        if allowed and parameter.value not in allowed:
            reason = f"{parameter.name} is '{parameter.value}'; known are: {', '.join(allowed)}"
            return SetParametersResult(successful=False, reason=reason)
        try:
            meta["parse"](parameter.value)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
    return SetParametersResult(successful=True)
