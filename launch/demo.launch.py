"""Launch the node with a camera that plays images: hands to look at without a camera.

``ros2 launch hamer_ros demo.launch.py rviz:=true`` shows a rendered clip, ``source:=video.mp4`` a
recording, ``source:=0`` the images of the webcam /dev/video0.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction, Shutdown
from launch.conditions import IfCondition
from launch.events.process import ProcessExited
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

SHARE = Path(get_package_share_directory("hamer_ros"))

ARGUMENTS = {
    "source": (
        "",
        "Image, folder of images, video, or number of a webcam; empty: a rendered clip.",
    ),
    "intrinsics": (
        "",
        "fx,fy,cx,cy in pixels, or a calibration file; when empty, the clip's own or a guess.",
    ),
    "rate": ("", "Frames per second; when empty, what suits the source."),
    "rviz": ("false", "true or false: show the hands in rviz2."),
}


def generate_launch_description() -> LaunchDescription:
    """Return the description: source, camera and node, with the arguments of the node's file."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    # First, because without rviz2 nothing is to be started.
    rviz = Node(
        package="rviz2",
        executable="rviz2",
        arguments=["-d", str(SHARE / "config" / "hands.rviz")],
        output="log",
        condition=IfCondition(LaunchConfiguration("rviz")),
    )
    hands = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(Path(__file__).with_name("hamer.launch.py")))
    )
    # After that file, whose profiles of Fast DDS the camera needs as well.
    return LaunchDescription([*declared, rviz, hands, OpaqueFunction(function=camera)])


def camera(context: LaunchContext) -> list[Node]:
    """Return the camera, which plays the source."""
    values = context.launch_configurations
    arguments = [values["source"]] if values["source"] else []
    for name, option in (("intrinsics", "--camera"), ("rate", "--rate")):
        arguments += [option, values[name]] if values[name] else []
    return [
        Node(
            package="hamer_ros",
            executable="hamer_camera",
            namespace=values["camera"],
            output="screen",
            emulate_tty=True,
            arguments=arguments,
            on_exit=end,
        )
    ]


def end(_: ProcessExited, context: LaunchContext) -> list[Shutdown]:
    """Shut everything down when the camera ends by itself, as it does without a source."""
    return [] if context.is_shutdown else [Shutdown(reason="the camera has ended")]
