"""Environment variables that give Fast DDS shared memory large enough for images."""

from __future__ import annotations

from pathlib import Path


def variables(profiles: Path) -> dict[str, str]:
    """Return the environment variables with which a process loads a file of Fast DDS profiles.

    profiles: path of the package's config/fastdds.xml.
    """
    # The name until Jazzy, and since Kilted.
    return {f"{prefix}_DEFAULT_PROFILES_FILE": str(profiles) for prefix in ("FASTRTPS", "FASTDDS")}
