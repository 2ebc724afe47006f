"""Shared memory of Fast DDS that images fit into."""

from __future__ import annotations

from pathlib import Path


def variables(profiles: Path) -> dict[str, str]:
    """Environment variables with which a process takes a file of profiles.

    profiles: the package's config/fastdds.xml.
    """
    # The name until Jazzy, and since Kilted.
    return {f"{prefix}_DEFAULT_PROFILES_FILE": str(profiles) for prefix in ("FASTRTPS", "FASTDDS")}
