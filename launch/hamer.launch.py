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
    "estimator": ("landmarks", "How hands are recovered: landmarks, hamer or ensemble."),
    "checkpoint": ("", "For estimator hamer: HaMeR's folder _DATA, or a file of its weights."),
    "mano": ("", "For estimator hamer: MANO_RIGHT.pkl, where it is not in that folder."),
    "backend": ("torch", "For estimator hamer: torch, onnxruntime or tensorrt."),
    "device": ("cpu", "Where the nets run: cpu, cuda or cuda:N."),
    "rectified": ("false", "Whether the images are rectified."),
    "use_depth": ("false", "Whether to use the depth image on depth_topic."),
    "depth_topic": (
        "/camera/aligned_depth_to_color/image_raw",
        "Topic of a depth image that is aligned with the image.",
    ),
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
                    "checkpoint",
                    "mano",
                    "backend",
                    "device",
                    "rectified",
                    "use_depth",
                    "tf_prefix",
                    "autostart",
                )
            },
        ],
        remappings=[
            ("image", given["image_topic"]),
            ("image/compressed", [given["image_topic"], "/compressed"]),
            ("camera_info", camera_info_topic),
            ("depth", given["depth_topic"]),
        ],
    )
    # The overlay image, too, is larger than Fast DDS' default segment of shared memory.  The
    # variable was renamed between Jazzy and Kilted.
    profiles = [
        SetEnvironmentVariable(f"{prefix}_DEFAULT_PROFILES_FILE", str(SHARE / "config/fastdds.xml"))
        for prefix in ("FASTRTPS", "FASTDDS")
    ]
    return LaunchDescription([*declared, *profiles, node])
