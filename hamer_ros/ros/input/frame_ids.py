"""The choice of an image's TF frame from its header and that of its CameraInfo."""

from __future__ import annotations

from hamer_ros.hands import Remark


def agreed_frame_id(image: str, info: str | None) -> tuple[str, tuple[Remark, ...]]:
    """Return the frame that an image's hands are placed in, and remarks on what is odd.

    image, info: ``header.frame_id`` of the image and of its CameraInfo, None without a CameraInfo.

    The image's own name counts; where it is empty, that of its CameraInfo.  A leading slash, as in
    ROS 1, is removed, because tf2 refuses such names.  The name is empty where neither has one.
    """
    remarks = []
    name = image.lstrip("/") or (info or "").lstrip("/")
    if name and not image.strip("/"):
        remarks.append(
            Remark(
                "frame_id missing",
                f"header.frame_id of the image is '{image}'; that of its CameraInfo, '{name}', is "
                "used",
            )
        )
    elif image.startswith("/"):
        remarks.append(
            Remark(
                "frame_id with a slash",
                f"header.frame_id is '{image}'; '{name}' is used, as in tf2",
            )
        )
    if info and image and info.lstrip("/") != image.lstrip("/"):
        remarks.append(
            Remark(
                "frame_id differs",
                f"the image is in '{image}', its CameraInfo in '{info}'; hands are placed in "
                f"'{name}', which must be the camera's optical frame",
            )
        )
    return name, tuple(remarks)
