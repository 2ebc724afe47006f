"""Conversion and checks of the launch files' arguments, which are texts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rclpy.exceptions import (
    InvalidNamespaceException,
    InvalidNodeNameException,
    InvalidTopicNameException,
)
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_namespace import validate_namespace
from rclpy.validate_node_name import validate_node_name

from hamer_ros.files.kinds import absolute_path
from hamer_ros.ros.images.transports import OTHER_TRANSPORTS
from hamer_ros.ros.parameters import params_file

CAMERA = "{camera}"
"""Placeholder for the camera's name in a topic."""


def flag(argument: str, text: str) -> bool:
    """Return the value of an argument that is true or false.

    Raises:
        ValueError: it is neither.
    """
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError(f"{argument} is '{text}'; it is true or false") from None


def number(argument: str, text: str) -> float:
    """Return the value of an argument that is a number.

    Raises:
        ValueError: it is not a number.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{argument} is '{text}'; it is a number")
    return value


def topic(argument: str, text: str, camera: str) -> str:
    """Return the full name of a camera's topic.

    text: may contain ``{camera}``.

    Raises:
        ValueError: no topic can have that name.
    """
    name = "/" + text.replace(CAMERA, camera).lstrip("/")
    try:
        validate_full_topic_name(name)
    except InvalidTopicNameException as error:
        raise ValueError(f"{argument} is '{text}' with camera '{camera}'. {error}") from None
    return name


def check_base(argument: str, name: str, parameter: str, transports: Sequence[str]) -> None:
    """Check that an image topic is a base topic, beside which those of transports lie.

    name: full name of the topic.
    parameter: name of the transport's parameter.
    transports: choices of that parameter.

    Raises:
        ValueError: it is the topic of a transport itself; the text says how that is taken.
    """
    base, _, last = name.rpartition("/")
    if not base or last not in OTHER_TRANSPORTS:
        return
    if last in transports:
        remedy = f"give {argument}:={base} {parameter}:={last}"
    else:
        known = ", ".join(transports)
        remedy = f"{last} is not taken; give {argument}:={base}, and {parameter} one of: {known}"
    raise ValueError(f"{argument} is '{name}', the topic of a transport: {remedy}")


def namespace(text: str) -> str:
    """Return the namespace of a node, which may be empty.

    Raises:
        ValueError: no node can have it.
    """
    try:
        validate_namespace("/" + text.strip("/"))
    except InvalidNamespaceException as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"namespace is '{text}'. {reason}") from None
    return text


def parameters_file(text: str) -> str:
    """Return the path of a parameter file that the node can read.

    Raises:
        HamerRosError: it does not exist, or is of another kind: the node would end again and again.
    """
    path = absolute_path(text)
    params_file.check(path)
    return str(path)


def camera_info_topic(image_topic: str) -> str:
    """Return the topic on which drivers publish the CameraInfo of an image."""
    return image_topic.rpartition("/")[0] + "/camera_info"


def camera_names(text: str) -> tuple[str, ...]:
    """Return the names of cameras, comma-separated; each is to be the namespace of a node.

    Raises:
        ValueError: a name that no namespace can have, or the same one twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        try:
            validate_node_name(name)  # its rules are those of a namespace of one level
        except InvalidNodeNameException:
            raise ValueError(
                f"cameras is '{text}'; '{name}' is not a name of letters, digits and _ that "
                "begins with a letter"
            ) from None
    if len(set(names)) < len(names):
        raise ValueError(f"cameras is '{text}', which names a camera twice")
    return names
