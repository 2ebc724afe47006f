"""Hands from camera images: metric poses, joints and surfaces, for robots.

Everything outside of ``hamer_ros.ros`` and ``hamer_ros.demo`` works without ROS; start with
`HandPipeline`.  The names below are the public ones.  Each is imported when it is first asked for:
``hamer_ros.msg``, ``--help`` and the launch files need none of what the pipeline computes with.
"""

from pkgutil import extend_path
from typing import TYPE_CHECKING

# In a source tree the messages lie elsewhere: where colcon has installed them.
__path__ = extend_path(__path__, __name__)

__version__ = "0.2.0"

_MODULES = {
    "CameraModel": "camera.model",
    "ConfigurationError": "errors",
    "Detection": "hands",
    "Detector": "detection",
    "DetectorOptions": "detection",
    "Device": "inference.device",
    "DeviceError": "errors",
    "Estimator": "estimation",
    "ExternalBox": "hands",
    "FileFormatError": "errors",
    "Frame": "hands",
    "HamerOptions": "hamer.load_estimator",
    "HamerRosError": "errors",
    "Hand": "hands",
    "HandModel": "hand_model.model",
    "HandPipeline": "pipeline",
    "Handedness": "hands",
    "Landmarks": "hands",
    "MissingFileError": "errors",
    "PlacedHand": "hands",
    "Result": "pipeline",
    "ScaleSource": "hands",
    "TrackState": "hands",
    "TrackedHand": "hands",
    "TrackerOptions": "tracking",
    "draw_hands": "rendering.overlay",
    "fetch_models": "inference.model_store",
    "make_detector": "detection",
    "make_estimator": "estimation",
    "read_calibration": "camera.calibration_files",
}
"""Public name -> the module that it is taken from."""

__all__ = [
    "CameraModel",
    "ConfigurationError",
    "Detection",
    "Detector",
    "DetectorOptions",
    "Device",
    "DeviceError",
    "Estimator",
    "ExternalBox",
    "FileFormatError",
    "Frame",
    "HamerOptions",
    "HamerRosError",
    "Hand",
    "HandModel",
    "HandPipeline",
    "Handedness",
    "Landmarks",
    "MissingFileError",
    "PlacedHand",
    "Result",
    "ScaleSource",
    "TrackState",
    "TrackedHand",
    "TrackerOptions",
    "__version__",
    "draw_hands",
    "fetch_models",
    "make_detector",
    "make_estimator",
    "read_calibration",
]

if TYPE_CHECKING:
    from hamer_ros.camera.calibration_files import read_calibration
    from hamer_ros.camera.model import CameraModel
    from hamer_ros.detection import Detector, DetectorOptions, make_detector
    from hamer_ros.errors import (
        ConfigurationError,
        DeviceError,
        FileFormatError,
        HamerRosError,
        MissingFileError,
    )
    from hamer_ros.estimation import Estimator, make_estimator
    from hamer_ros.hamer.load_estimator import HamerOptions
    from hamer_ros.hand_model.model import HandModel
    from hamer_ros.hands import (
        Detection,
        ExternalBox,
        Frame,
        Hand,
        Handedness,
        Landmarks,
        PlacedHand,
        ScaleSource,
        TrackedHand,
        TrackState,
    )
    from hamer_ros.inference.device import Device
    from hamer_ros.inference.model_store import fetch_models
    from hamer_ros.pipeline import HandPipeline, Result
    from hamer_ros.rendering.overlay import draw_hands
    from hamer_ros.tracking import TrackerOptions
else:
    # Hidden from type checkers, which would take it for a promise of any name.
    def __getattr__(name: str) -> object:
        """Import a public name."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module  # noqa: PLC0415

        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value  # next time it is found without this function
        return value

    def __dir__() -> list[str]:
        """The public names, and what has been imported."""
        return sorted({*globals(), *__all__})
