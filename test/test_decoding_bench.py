"""The figures of decoding: one for every encoding, with a reference of the same run."""

from __future__ import annotations

import pytest

pytest.importorskip("sensor_msgs", reason="needs ROS 2")

from bench import decoding
from hamer_ros.ros.images.encodings import ENCODINGS


def test_every_encoding_has_a_figure_and_a_reference(monkeypatch, tmp_path):
    monkeypatch.setattr(decoding, "REPEATS", 1)
    monkeypatch.setattr(decoding, "WIDTH", 64)
    monkeypatch.setattr(decoding, "HEIGHT", 48)
    records = decoding.measure_decoding(tmp_path)
    names = {record.name.removeprefix("faults/decode_ms/") for record in records}
    assert names == {*ENCODINGS, "jpeg", "png", "png16", "jpeg without its end"}
    assert all(record.value > 0 and record.reference_value > 0 for record in records)
