"""What several tests need before they can run."""

from __future__ import annotations

import pytest

from hamer_ros.nets.store import NETS, NetsMissingError, net_path


@pytest.fixture(scope="session")
def nets() -> None:
    """Skip where the palm and landmark nets have not been fetched."""
    try:
        for net in NETS:
            net_path(net)
    except NetsMissingError as missing:
        pytest.skip(str(missing))
