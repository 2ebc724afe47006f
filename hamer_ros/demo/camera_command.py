"""A camera driver's stand-in: plays images over and over on image_raw and camera_info.

The images are stamped with the present time, and played until the program is stopped.
"""

from __future__ import annotations

import argparse
import itertools
import math
import signal
import sys
from collections.abc import Iterator

import numpy as np
import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from hamer_ros.camera.model import CameraError
from hamer_ros.demo.camera_process import CameraNode
from hamer_ros.demo.intrinsics import CameraOfSize, parse_camera
from hamer_ros.demo.rendered_source import CAMERA
from hamer_ros.demo.sources import Source, SourceError, open_source
from hamer_ros.errors import HamerRosError
from hamer_ros.hand_model.model import HandModel
from hamer_ros.interrupt import heard
from hamer_ros.program import error_text, join_negative_values, positive
from hamer_ros.rendering.clip import clip_frame

EXAMPLES = """\
examples:
  ros2 run hamer_ros hamer_camera --ros-args -r __ns:=/camera
                                            the clip on /camera/image_raw, where the node's launch
                                            file expects images
  ros2 run hamer_ros hamer_camera video.mp4 --camera camera_info.yaml --rate 10
"""

CLIP_RATE = 15.0
"""Frames per second of the rendered clip: half of the demo's, so that rendering takes less time."""

CLIP_SECONDS = 5.0
"""Duration of the clip's loop in seconds."""

STILL_RATE = 10.0
"""Frames per second of photographs, so that late subscribers see one soon."""


class Player(CameraNode):
    """Publishes one frame a period; late frames are not made up for."""

    def __init__(self, source: Source, camera_of_size: CameraOfSize) -> None:
        super().__init__("hamer_camera", camera_of_size)
        self._frames = itertools.chain.from_iterable(source.frames() for _ in itertools.count())
        self.create_timer(1.0 / source.rate, self._play)
        self.get_logger().info(
            f"{source.name} at {source.rate:g} Hz on '{self._images.topic_name}'"
        )

    def _play(self) -> None:
        self.send(*self.prepare(next(self._frames)))


def looped_source(text: str, rate: float | None) -> Source:
    """Return a source that can be played over and over.

    text, rate: see `open_source`; photographs are sent at `STILL_RATE` by default.

    Raises:
        SourceError: see `open_source`.
    """
    source = open_source(text, rate)
    if source.live:
        return open_source(text, rate, math.inf)
    if source.stills:
        return open_source(text, rate or STILL_RATE)
    return source


def looped_clip(rate: float) -> Source:
    """Return the rendered clip as a loop; frames are rendered when first played, then kept."""
    n_frames = max(1, round(rate * CLIP_SECONDS))
    model, kept = HandModel.default(), list[np.ndarray]()

    def play() -> Iterator[np.ndarray]:
        for index in range(n_frames):
            if index == len(kept):
                kept.append(clip_frame(model, index, n_frames).rgb)
            yield kept[index]

    return Source("the rendered clip", rate, live=False, stills=False, frames=play)


def main() -> None:
    """Play until interrupted."""
    heard()
    try:
        options = parser().parse_args(join_negative_values(_own_arguments()))
        if options.source is None:
            if options.camera is not None:
                raise CameraError("the camera of the clip is known; --camera needs a SOURCE")
            source, camera = looped_clip(options.rate or CLIP_RATE), parse_camera(CAMERA)
        else:
            source = looped_source(options.source, options.rate)
            camera = parse_camera(options.camera, source.orientations)
        _spin(source, camera)
    except (CameraError, HamerRosError, SourceError) as error:
        sys.exit(f"hamer_camera: {error}")
    except OSError as error:
        sys.exit(f"hamer_camera: {error_text(error)}")
    except KeyboardInterrupt:
        pass


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments before ``--ros-args``."""
    out = argparse.ArgumentParser(
        prog="hamer_camera",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    out.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="image, folder of images, video, or number of a webcam; a rendered clip when it is "
        "left out",
    )
    out.add_argument(
        "--camera",
        help="intrinsics of SOURCE: fx,fy,cx,cy in pixels, or a calibration file of ROS, OpenCV or "
        "Kalibr; a field of view is guessed when it is left out",
    )
    out.add_argument(
        "--rate",
        type=positive,
        metavar="HZ",
        help="frames per second (default: a video's own, 10 of photographs, 15 of the clip, "
        "otherwise 30)",
    )
    return out


def _own_arguments() -> list[str]:
    """Return the command-line arguments that are not ROS'."""
    try:
        return remove_ros_args(sys.argv)[1:]
    except RuntimeError as error:
        sys.exit(f"hamer_camera: ROS cannot read the arguments after --ros-args: {error}")


def _spin(source: Source, camera: CameraOfSize) -> None:
    # Python alone handles interrupts: rclpy's own handler would end the middleware in the middle of
    # a frame.
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # the home folder cannot be written, for example
        sys.exit(f"hamer_camera: ROS cannot start: {error}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    node = Player(source, camera)
    try:
        rclpy.spin(node)
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
