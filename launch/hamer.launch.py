"""Launch the node for one camera: ``ros2 launch hamer_ros hamer.launch.py --show-args``."""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch_ros.actions import LifecycleNode
from launch_ros.parameter_descriptions import ParameterValue

from hamer_ros.ros import fastdds
from hamer_ros.ros.images.transports import DEPTH_TRANSPORTS, IMAGE_TRANSPORTS
from hamer_ros.ros.output.frame_names import check_prefix
from hamer_ros.ros.parameters import launch_arguments as launching

SHARE = Path(get_package_share_directory("hamer_ros"))

ARGUMENTS = {
    "camera": ("camera", "Name of the camera, which stands for {camera} in the topics."),
    "image_topic": ("/{camera}/image_raw", "Topic of the camera's sensor_msgs/Image."),
    "camera_info_topic": (
        "",
        "Topic of its CameraInfo; when empty, camera_info beside the image topic.",
    ),
    "depth_topic": (
        "/{camera}/aligned_depth_to_color/image_raw",
        "With use_depth: topic of a depth image that is aligned with the image.",
    ),
    "boxes_topic": (
        "/{camera}/boxes",
        "With detector external: topic of HandBoxes from a detector of yours.",
    ),
    "namespace": ("", "Namespace of the node."),
    "params_file": (
        str(SHARE / "config" / "hamer.yaml"),
        "Values of all parameters; it holds for the arguments, too, whose default is empty.",
    ),
    "image_transport": (
        "",
        "raw, compressed for CompressedImage on image_topic/compressed, or ffmpeg for video on"
        " image_topic/ffmpeg.",
    ),
    "rectified": ("", "true or false: whether the images are rectified."),
    "mirrored": ("", "true or false: whether the images are mirrored, as a selfie view is."),
    "assumed_horizontal_fov": (
        "",
        "Degrees; field of view to assume while the camera is not calibrated. Distances are then a"
        " guess.",
    ),
    "use_depth": ("", "true or false: whether to use the depth image on depth_topic."),
    "depth_transport": (
        "",
        "raw, compressedDepth for CompressedImage on depth_topic/compressedDepth, or auto: raw"
        " where image_transport is.",
    ),
    "estimator": ("", "What estimates the pose and shape of hands: landmarks, hamer or ensemble."),
    "detector": ("", "What finds hands: landmarks, onnx, external or vitpose."),
    "detector_model": ("", "For detector onnx and vitpose: the ONNX file."),
    "checkpoint": ("", "For estimator hamer: HaMeR's folder _DATA, or a file of its weights."),
    "mano": ("", "For estimator hamer: MANO_RIGHT.pkl, where it is not in that folder."),
    "backend": ("", "For estimator hamer: torch, onnxruntime or tensorrt."),
    "device": ("", "Where the models run: cpu, cuda or cuda:N."),
    "tf_prefix": ("", "Put before the frames hand_left and hand_right."),
    "autostart": ("", "true or false: configure and activate at start; false under a manager."),
    "use_sim_time": ("", "true or false: take the time from /clock."),
    "respawn": (
        "true",
        "true or false: start the node again 2 s after it has died, of a lost GPU for example.",
    ),
    "log_level": ("info", "debug, info, warn, error or fatal."),
}

TEXTS = (
    "image_transport",
    "depth_transport",
    "estimator",
    "detector",
    "detector_model",
    "checkpoint",
    "mano",
    "backend",
    "device",
    "tf_prefix",
)
NUMBERS = ("assumed_horizontal_fov",)
FLAGS = ("rectified", "mirrored", "use_depth", "autostart", "use_sim_time")

LOG_LEVELS = ["debug", "info", "warn", "error", "fatal"]
RESPAWN_DELAY = 2.0


def generate_launch_description() -> LaunchDescription:
    """Return the description: the arguments and the node."""
    choices = {"log_level": LOG_LEVELS}
    declared = [
        DeclareLaunchArgument(
            name, default_value=default, description=description, choices=choices.get(name)
        )
        for name, (default, description) in ARGUMENTS.items()
    ]
    return LaunchDescription(
        [*declared, OpaqueFunction(function=profiles), OpaqueFunction(function=node)]
    )


def profiles(context: LaunchContext) -> list[SetEnvironmentVariable]:
    """Return the environment variables of Fast DDS' profiles, unless the robot has its own.

    The overlay image, too, is larger than Fast DDS' default segment of shared memory.
    """
    variables = fastdds.variables(SHARE / "config" / "fastdds.xml")
    if any(name in context.environment for name in variables):
        return []
    return [SetEnvironmentVariable(name, value) for name, value in variables.items()]


def node(context: LaunchContext) -> list[LifecycleNode]:
    """Return the node, with the values of the arguments."""
    arguments = {name: context.launch_configurations[name] for name in ARGUMENTS}
    # Typed, because an untyped text would be read as YAML: a tf_prefix of 1_ as a number.
    texts = {
        name: ParameterValue(arguments[name], value_type=str) for name in TEXTS if arguments[name]
    }
    numbers = {name: launching.number(name, arguments[name]) for name in NUMBERS if arguments[name]}
    flags = {name: launching.flag(name, arguments[name]) for name in FLAGS if arguments[name]}
    file = launching.parameters_file(arguments["params_file"])
    image_topic, info_topic = arguments["image_topic"], arguments["camera_info_topic"]
    image, info, depth, boxes = (
        launching.topic(name, text, arguments["camera"])
        for name, text in (
            ("image_topic", image_topic),
            ("camera_info_topic", info_topic or launching.camera_info_topic(image_topic)),
            ("depth_topic", arguments["depth_topic"]),
            ("boxes_topic", arguments["boxes_topic"]),
        )
    )
    launching.check_base("image_topic", image, "image_transport", IMAGE_TRANSPORTS)
    launching.check_base("depth_topic", depth, "depth_transport", DEPTH_TRANSPORTS)
    check_prefix(arguments["tf_prefix"])
    return [
        LifecycleNode(
            package="hamer_ros",
            executable="hamer_node",
            name="hamer",
            namespace=launching.namespace(arguments["namespace"]),
            output="screen",
            emulate_tty=True,
            ros_arguments=["--log-level", arguments["log_level"]],
            respawn=launching.flag("respawn", arguments["respawn"]),
            respawn_delay=RESPAWN_DELAY,
            parameters=[file, {**texts, **numbers, **flags}],
            remappings=[
                ("image", image),
                ("image/compressed", f"{image}/compressed"),
                ("image/ffmpeg", f"{image}/ffmpeg"),
                ("camera_info", info),
                ("depth", depth),
                ("depth/compressedDepth", f"{depth}/compressedDepth"),
                ("boxes", boxes),
            ],
        )
    ]
