"""Start the node for one camera: ``ros2 launch hamer_ros hamer.launch.py --show-args``."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration, PythonExpression
from launch_ros.actions import LifecycleNode

SHARE = Path(get_package_share_directory("hamer_ros"))

ARGUMENTS = {
    "image_topic": ("/camera/image_raw", "Topic of the camera's sensor_msgs/Image."),
    "camera_info_topic": (
        "",
        "Topic of its CameraInfo; when empty, camera_info beside the image topic.",
    ),
    "image_transport": ("raw", "raw, or compressed for CompressedImage on image_topic/compressed."),
    "estimator": ("landmarks", "How hands are recovered."),
    "device": ("cpu", "Where the nets run: cpu or cuda."),
    "rectified": ("false", "Whether the images are rectified."),
    "namespace": ("", "Namespace of the node."),
    "tf_prefix": ("", "Put before the frames hand_left and hand_right."),
    "params_file": (str(SHARE / "config" / "hamer.yaml"), "Values of all other parameters."),
    "autostart": ("true", "Configure and activate at start; false under a lifecycle manager."),
}


def generate_launch_description() -> LaunchDescription:
    """Describe the arguments and the node."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=description)
        for name, (default, description) in ARGUMENTS.items()
    ]
    given = {name: LaunchConfiguration(name) for name in ARGUMENTS}
    camera_info_topic = PythonExpression(
        [
            "'", given["camera_info_topic"], "' or '",
            given["image_topic"], "'.rsplit('/', 1)[0] + '/camera_info'",
        ]
    )  # fmt: skip
    node = LifecycleNode(
        package="hamer_ros",
        executable="hamer_node",
        name="hamer",
        namespace=given["namespace"],
        output="screen",
        emulate_tty=True,
        parameters=[
            given["params_file"],
            {
                name: given[name]
                for name in (
                    "image_transport",
                    "estimator",
                    "device",
                    "rectified",
                    "tf_prefix",
                    "autostart",
                )
            },
        ],
        remappings=[
            ("image", given["image_topic"]),
            ("image/compressed", [given["image_topic"], "/compressed"]),
            ("camera_info", camera_info_topic),
        ],
    )
    # The overlay image, too, is larger than Fast DDS' default segment of shared memory.  The
    # variable was renamed between Jazzy and Kilted.
    profiles = [
        SetEnvironmentVariable(f"{prefix}_DEFAULT_PROFILES_FILE", str(SHARE / "config/fastdds.xml"))
        for prefix in ("FASTRTPS", "FASTDDS")
    ]
    return LaunchDescription([*declared, *profiles, node])
