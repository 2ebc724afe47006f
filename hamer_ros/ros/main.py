"""The program ``hamer_node``: the lifecycle node in a process of its own."""

from __future__ import annotations

import sys

import rclpy
from rclpy.executors import SingleThreadedExecutor

from hamer_ros.errors import HamerRosError
from hamer_ros.ros.malloc import return_large_blocks
from hamer_ros.ros.node import HamerNode
from hamer_ros.ros.parameters import params_file
from hamer_ros.ros.parameters.ros_arguments import start_rclpy
from hamer_ros.ros.shutdown import ending_in_time

_HELP = """\
usage: ros2 run hamer_ros hamer_node [--ros-args -r image:=/camera/image_raw -p NAME:=VALUE ...]

The lifecycle node that publishes the hands in a camera's images.  It is meant to be started by
  ros2 launch hamer_ros hamer.launch.py image_topic:=/camera/image_raw
whose --show-args explains the topics.  `ros2 param describe /hamer NAME` explains a parameter of
the running node, config/hamer.yaml lists them all.
"""


def main(args: list[str] | None = None) -> int:
    """Run the node until it is interrupted and return the exit status, 2 for wrong arguments."""
    arguments = sys.argv if args is None else args
    if {"-h", "--help"} & set(arguments[1:]):
        print(_HELP)
        return 0
    return_large_blocks()
    with ending_in_time():
        try:
            for path in params_file.named_in(arguments):
                params_file.check(path)
            start_rclpy(arguments)
            return _run()
        except HamerRosError as error:
            print(f"hamer_node: {error}", file=sys.stderr)
            return 2
        except KeyboardInterrupt:
            return 0


def _run() -> int:
    has_given_up = False
    try:
        node = HamerNode()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        try:
            if node.get_parameter("autostart").value:
                node.start()
            while rclpy.ok():
                node.spin_once(executor)
        finally:
            has_given_up = node.has_given_up
            node.destroy_node()
    except Exception:
        # When interrupted, rclpy may find its context shut down and raise an error.
        if rclpy.ok():
            raise
    finally:
        rclpy.try_shutdown()
    return int(has_given_up)
