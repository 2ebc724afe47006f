"""The command line tool ``hamer_ros``: fetch-models, demo and export.

The modules of a subcommand are imported when it is chosen: ``--help`` works without ROS and
without onnxruntime.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hamer_ros.interrupt import quiet
from hamer_ros.program import add_out, fail, positive, run_program

# ruff: noqa: PLC0415

EXAMPLES = """\
examples:
  hamer_ros fetch-models                    once, before anything else
  hamer_ros demo                            a rendered clip whose truth is known
  hamer_ros demo photo.jpg                  with a guess of the camera's field of view
  hamer_ros demo video.mp4 --camera 920,920,639.5,359.5
  hamer_ros demo 0 --camera camera_info.yaml --seconds 20
                                            the webcam /dev/video0
"""

ROS_EXAMPLES = """
the node and the camera are run by ROS:
  ros2 launch hamer_ros hamer.launch.py image_topic:=/camera/image_raw
                                            the node; --show-args explains its arguments
  ros2 launch hamer_ros demo.launch.py rviz:=true
                                            the node with images that are played as a camera does
  ros2 run hamer_ros hamer_node --ros-args -r image:=/camera/image_raw
                                            the node alone
  ros2 run hamer_ros hamer_camera video.mp4
                                            the images alone; --help explains its arguments
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand and return its exit status, see `run_program`."""
    return run_program(_parser(), lambda options: options.run(options), arguments)


def _fetch_models(options: argparse.Namespace) -> int:
    with quiet():
        from hamer_ros.errors import HamerRosError
        from hamer_ros.files.kinds import absolute_path
        from hamer_ros.inference.model_store import CACHE_VARIABLE, fetch_models

    if options.cache == "":
        return fail("--cache needs a folder; it was given an empty text")
    if options.cache is not None:
        os.environ[CACHE_VARIABLE] = str(absolute_path(options.cache))
    try:
        fetch_models(force=options.force, download=_download_bar)
    except HamerRosError as error:
        return fail(str(error))
    return 0


def _demo(options: argparse.Namespace) -> int:
    with quiet():
        from hamer_ros.camera.model import CameraError
        from hamer_ros.demo.processes import DemoError
        from hamer_ros.demo.run import Request, run_demo
        from hamer_ros.demo.sources import SourceError
        from hamer_ros.errors import HamerRosError

    request = Request(options.source, options.camera, options.rate, options.seconds, options.out)
    try:
        reasons = run_demo(request)
    except (CameraError, DemoError, HamerRosError, SourceError) as error:
        return fail(str(error))
    return fail("; ".join(reasons)) if reasons else 0


def _export(options: argparse.Namespace) -> int:
    from hamer_ros.errors import HamerRosError
    from hamer_ros.hamer.find_files import check_checkpoint, find_checkpoint

    try:
        # Before torch is imported: an error of the file does not depend on packages.
        checkpoint = find_checkpoint(options.checkpoint)
        check_checkpoint(checkpoint)
        from hamer_ros.hamer.export import export_checkpoint

        export_checkpoint(checkpoint, options.precision, options.output)
    except ImportError as error:
        return fail(f"exporting needs more packages ({error}): pip install torch onnx onnxscript")
    except (HamerRosError, OSError) as error:
        return fail(str(error))
    return 0


@contextmanager
def _download_bar(size: int) -> Iterator[Callable[[int], object]]:
    from tqdm import tqdm

    with tqdm(total=size, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        yield bar.update


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hamer_ros",
        description="Hands from camera images: metric poses, joints and surfaces.",
        epilog=EXAMPLES + ROS_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = commands.add_parser(
        "fetch-models",
        help="fetch the models into the user's cache",
        description="Fetch the palm and landmark models, with pip from its package index, and "
        "convert them to ONNX: about a minute, once.",
    )
    fetch.add_argument(
        "--cache",
        metavar="FOLDER",
        help="where to keep them (default: $HAMER_ROS_CACHE, or hamer_ros in ~/.cache); the node "
        "looks there when HAMER_ROS_CACHE names it",
    )
    fetch.add_argument(
        "--force",
        action="store_true",
        help="fetch and convert them anew, even if they are there",
    )
    fetch.set_defaults(run=_fetch_models)

    demo = commands.add_parser(
        "demo",
        help="play images to the ROS node and show what a client receives",
        description="Play images to the ROS node, as a camera would, and show what a client "
        "receives: a table of figures, and pictures in the output folder.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "source",
        nargs="?",
        metavar="SOURCE",
        help="image, folder of images, video, or webcam (0 or /dev/video0); a clip with known "
        "truth is rendered when it is left out",
    )
    demo.add_argument(
        "--camera",
        help="intrinsics: fx,fy,cx,cy in pixels, or a calibration file of ROS, OpenCV or Kalibr; "
        "a field of view is guessed when it is left out",
    )
    demo.add_argument(
        "--rate",
        type=positive,
        metavar="HZ",
        help="frames per second (default: a video's own, 1 of photographs, otherwise 30)",
    )
    demo.add_argument(
        "--seconds",
        type=positive,
        metavar="S",
        help="how much to play (default: all; 3 s of a photograph, 10 s of a webcam)",
    )
    add_out(demo)
    demo.set_defaults(run=_demo)

    export = commands.add_parser(
        "export",
        help="write HaMeR's network as ONNX",
        description="Write HaMeR's network as ONNX, for the backends onnxruntime and tensorrt.",
    )
    export.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        metavar="PATH",
        help="hamer.ckpt, .safetensors or _DATA",
    )
    export.add_argument(
        "--precision",
        choices=("fp32", "fp16"),
        default="fp32",
        help="fp16 for GPUs (default: fp32)",
    )
    export.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="file to write; the default is in the cache, where the node finds it",
    )
    export.set_defaults(run=_export)

    return parser
