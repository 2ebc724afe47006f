"""Launch a node for each of several cameras, in the camera's namespace.

``ros2 launch hamer_ros multi_camera.launch.py cameras:=front,left`` subscribes to /front/image_raw
and /left/image_raw, publishes /front/hamer/hands and /left/hamer/hands, and frames front_hand_left,
left_hand_left and so on.  Sections ``/front/hamer:`` and ``/left/hamer:`` in the params_file set
what differs from camera to camera.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    GroupAction,
    IncludeLaunchDescription,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource

from hamer_ros.ros.parameters import launch_arguments as launching

ONE_CAMERA = str(Path(__file__).with_name("hamer.launch.py"))
OWN = ("camera", "namespace", "tf_prefix")


def generate_launch_description() -> LaunchDescription:
    """Return the description: the cameras, and all other arguments of hamer.launch.py."""
    one = PythonLaunchDescriptionSource(ONE_CAMERA).try_get_launch_description_without_context()
    shared = [a for a in one.get_launch_arguments() if a.name not in OWN]
    cameras = DeclareLaunchArgument(
        "cameras",
        description="Names of the cameras, comma-separated, such as front,left; each is the "
        "namespace of its node, the prefix of its frames, and {camera} in its topics.",
    )
    names = [argument.name for argument in shared]
    return LaunchDescription([cameras, *shared, OpaqueFunction(function=nodes, args=[names])])


def nodes(context: LaunchContext, shared: list[str]) -> list[GroupAction]:
    """Return the nodes, each in a scope of its own."""
    arguments = context.launch_configurations
    return [
        GroupAction(
            [
                IncludeLaunchDescription(
                    PythonLaunchDescriptionSource(ONE_CAMERA),
                    launch_arguments={
                        **{name: arguments[name] for name in shared},
                        "camera": camera,
                        "namespace": camera,
                        "tf_prefix": f"{camera}_",
                    }.items(),
                )
            ]
        )
        for camera in launching.camera_names(arguments["cameras"])
    ]
