"""The command line tool ``hamer_ros``.

What a subcommand needs is imported when it is chosen: ``--help`` works without ROS and without
onnxruntime.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a subcommand; the exit status: 0, 1 with the reason on stderr, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    # Ended by a supervisor, it cleans up as well.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return options.run(options)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130


def _fetch_models(_: argparse.Namespace) -> int:
    from hamer_ros.nets.store import FetchError, fetch_nets

    try:
        fetch_nets()
    except FetchError as error:
        return _fail(str(error))
    return 0


def _demo(options: argparse.Namespace) -> int:
    from hamer_ros.camera import CameraError
    from hamer_ros.demo.processes import DemoError
    from hamer_ros.demo.run import Request, run_demo
    from hamer_ros.demo.sources import SourceError

    request = Request(options.source, options.camera, options.rate, options.seconds, options.out)
    try:
        reasons = run_demo(request)
    except (CameraError, DemoError, OSError, SourceError) as error:
        return _fail(str(error))
    return _fail("; ".join(reasons)) if reasons else 0


def _export(options: argparse.Namespace) -> int:
    try:
        from hamer_ros.hamer.export import ExportError, export_checkpoint
    except ImportError as error:
        return _fail(f"exporting needs more packages ({error}): pip install torch onnx onnxscript")
    try:
        export_checkpoint(options.checkpoint, options.precision, options.output)
    except (ExportError, ImportError, OSError, ValueError) as error:
        return _fail(str(error))
    return 0


def _bench(options: argparse.Namespace) -> int:
    from hamer_ros.bench.run import Extent
    from hamer_ros.bench.run import main as run_bench

    extent = Extent(options.events, options.minutes)
    return run_bench(options.area, options.out, options.device, extent)


def _fail(reason: str) -> int:
    print(f"hamer_ros: {reason}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hamer_ros",
        description="Hands from camera images: metric poses, joints and surfaces.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    fetch = commands.add_parser("fetch-models", help="fetch the nets into the user's cache")
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
    value = float(text)
    if not 0.0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return value
