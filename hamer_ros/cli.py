"""The command line tool ``hamer_ros``.

What a subcommand needs is imported when it is chosen: ``--help`` works without ROS and without
onnxruntime.
"""

from __future__ import annotations

import argparse
import errno
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hamer_ros.interrupt import INTERRUPTED, heard, quiet

# ruff: noqa: PLC0415

_CUT_OFF = 128 + signal.SIGPIPE

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
    """Run a subcommand; the exit status.

    It is 0, 1 with the reason on stderr, 130 after Ctrl-C, or 141 when nobody takes what it prints.
    """
    heard()
    # Ended by a supervisor, it cleans up as well.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        try:
            options = _parser().parse_args(joined(sys.argv[1:] if arguments is None else arguments))
            return options.run(options)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()  # here, where it can be told that nobody takes it
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except OSError as error:
        _silence_stdout()
        # Whoever read has read enough, as `head` does; the status is that of other programs then.
        return _CUT_OFF if isinstance(error, BrokenPipeError) else _fail(in_words(error))


def joined(arguments: Sequence[str]) -> list[str]:
    """The arguments with ``--option -1,2`` as ``--option=-1,2``.

    Of itself argparse takes a value with a minus for an option, unless it is a single number.
    """
    out: list[str] = []
    for argument in arguments:
        if out and re.fullmatch(r"--[a-z-]+", out[-1]) and re.match(r"-[\d.,]", argument):
            out[-1] += f"={argument}"
        else:
            out.append(argument)
    return out


def in_words(error: OSError) -> str:
    """The error of a file system in words, with what helps where that is known."""
    if error.strerror is None:
        return str(error)
    text = error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"
    if error.errno == errno.ENOSPC:
        text += "; make room there and in TMPDIR (/tmp), or write elsewhere"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        text += "; make it writable for you, or write elsewhere"
    return text


def _silence_stdout() -> None:
    """Nothing more is written there: what is left would fail again at the end of Python."""
    if sys.stdout is not None:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def _fetch_models(options: argparse.Namespace) -> int:
    with quiet():
        from hamer_ros.errors import HamerRosError
        from hamer_ros.file_kinds import absolute_path
        from hamer_ros.nets.store import CACHE_VARIABLE, fetch_nets

    if options.cache == "":
        return _fail("--cache needs a folder; it was given an empty text")
    if options.cache is not None:
        os.environ[CACHE_VARIABLE] = str(absolute_path(options.cache))
    try:
        fetch_nets(force=options.force, download=_download_bar)
    except HamerRosError as error:
        return _fail(str(error))
    return 0


def _demo(options: argparse.Namespace) -> int:
    with quiet():
        from hamer_ros.camera import CameraError
        from hamer_ros.demo.processes import DemoError
        from hamer_ros.demo.run import Request, run_demo
        from hamer_ros.demo.sources import SourceError
        from hamer_ros.errors import HamerRosError

    request = Request(options.source, options.camera, options.rate, options.seconds, options.out)
    try:
        reasons = run_demo(request)
    except (CameraError, DemoError, HamerRosError, SourceError) as error:
        return _fail(str(error))
    return _fail("; ".join(reasons)) if reasons else 0


def _export(options: argparse.Namespace) -> int:
    from hamer_ros.errors import HamerRosError
    from hamer_ros.hamer.locate import check_checkpoint, find_checkpoint

    try:
        # Before torch is asked for: what is wrong with the file does not depend on packages.
        checkpoint = find_checkpoint(options.checkpoint)
        check_checkpoint(checkpoint)
        from hamer_ros.hamer.export import export_checkpoint

        export_checkpoint(checkpoint, options.precision, options.output)
    except ImportError as error:
        return _fail(f"exporting needs more packages ({error}): pip install torch onnx onnxscript")
    except (HamerRosError, OSError) as error:
        return _fail(str(error))
    return 0


def _bench(options: argparse.Namespace) -> int:
    with quiet():
        from hamer_ros.bench.run import Extent
        from hamer_ros.bench.run import main as run_bench

    extent = Extent(options.events, options.minutes)
    return run_bench(options.area, options.out, options.device, extent)


@contextmanager
def _download_bar(size: int) -> Iterator[Callable[[int], object]]:
    from tqdm import tqdm

    with tqdm(total=size, unit="B", unit_scale=True, leave=False, disable=None) as bar:
        yield bar.update


def _fail(reason: str) -> int:
    print(f"hamer_ros: {reason}", file=sys.stderr)
    return 1


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
        help="fetch the nets into the user's cache",
        description="Fetch the palm and landmark nets, with pip from its package index, and "
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
    _add_out(demo)
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

    bench = commands.add_parser("bench", help="measure rate, latency and accuracy")
    bench.add_argument("--area", help="measure this area only (default: all)")
    bench.add_argument(
        "--device",
        default="cpu",
        help="where the area hamer runs its network: cpu, cuda or cuda:N (default: cpu)",
    )
    bench.add_argument(
        "--events",
        type=int,
        default=10_000,
        metavar="N",
        help="how many broken and sound messages the area fuzz sends (default: 10000)",
    )
    bench.add_argument(
        "--minutes",
        type=positive,
        default=2.0,
        metavar="M",
        help="how long the area soak runs (default: 2)",
    )
    _add_out(bench)
    bench.set_defaults(run=_bench)
    return parser


def _add_out(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, default=Path("out"), metavar="FOLDER", help="default: out"
    )


def positive(text: str) -> float:
    """The value of an option that is a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a positive number")
    return value
