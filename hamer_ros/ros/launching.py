"""What the launch files make of the texts that people give them, or a reason why they cannot."""

from __future__ import annotations

import math

from rclpy.exceptions import InvalidNodeNameException, InvalidTopicNameException
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_node_name import validate_node_name

CAMERA = "{camera}"
"""Stands for the camera's name in a topic."""


def flag(argument: str, text: str) -> bool:
    """The value of an argument that is true or false.

    Raises:
        ValueError: it is neither.
    """
    try:
        return {"true": True, "false": False}[text.lower()]
    except KeyError:
        raise ValueError(f"{argument} is '{text}'; it is true or false") from None


def number(argument: str, text: str) -> float:
    """The value of an argument that is a number.

    Raises:
        ValueError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{argument} is '{text}'; it is a number")
    return value


def topic(argument: str, text: str, camera: str) -> str:
    """The full name of a camera's topic.

    text: may hold ``{camera}``.

    Raises:
        ValueError: no topic can have that name.
    """
    name = "/" + text.replace(CAMERA, camera).lstrip("/")
    try:
        validate_full_topic_name(name)
    except InvalidTopicNameException as error:
        raise ValueError(f"{argument} is '{text}' with camera '{camera}'. {error}") from None
    return name


def beside(image_topic: str) -> str:
    """Where drivers publish the CameraInfo of an image."""
    return image_topic.rpartition("/")[0] + "/camera_info"


def camera_names(text: str) -> tuple[str, ...]:
    """Names of cameras, comma-separated; each is to be the namespace of a node.

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
