"""Images of 16 bits become pictures, whatever part of the 16 bits they use."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hamer_ros.ros.images.contrast_stretch import Stretch, window

RNG = np.random.default_rng(0)
RAMP = np.tile(np.linspace(0, 1, 160), (120, 1))
"""(H, W), 0 to 1."""


def wide(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.rint(low + (high - low) * picture).astype(np.uint16)


@pytest.mark.parametrize(
    ("low", "high"),
    [(0, 255), (0, 1023), (0, 4095), (0, 65535), (0, 65520), (29_000, 30_000), (7800, 8300)],
    ids=["8 bits", "10 bits", "12 bits", "16 bits", "12 on top", "centikelvin", "thermal"],
)
def test_whatever_range_is_used_becomes_most_of_the_greys(low, high):
    shown = Stretch()(wide(RAMP, low, high))
    assert np.percentile(shown, 95) - np.percentile(shown, 5) > 120
    assert (np.diff(shown[0].astype(int)) >= 0).all()


@pytest.mark.parametrize("value", [0, 65535])
@pytest.mark.parametrize("pixels", [1, 40])
def test_a_few_pixels_govern_nothing(pixels, value):
    picture = wide(RAMP, 400, 1400)
    broken = picture.copy()
    broken.reshape(-1)[RNG.permutation(broken.size)[:pixels]] = value
    same = broken == picture
    difference = np.abs(Stretch()(picture)[same].astype(int) - Stretch()(broken)[same])
    assert difference.max() <= 5


@pytest.mark.parametrize("level", [0, 300, 2000, 30_000, 65_000])
def test_noise_of_an_even_image_stays_noise(level):
    noise = RNG.normal(level, 3, (120, 160)).clip(0, 65535).astype(np.uint16)
    assert np.std(Stretch()(noise).astype(float)) < 4


def test_black_stays_black_where_a_picture_is_dark():
    """So that the hues of a colour image stay what they are."""
    shown = Stretch()(wide(RAMP, 0, 3000))
    assert shown[0, 0] == 0
    np.testing.assert_allclose(shown[:, :150], shown[0, 149] / RAMP[0, 149] * RAMP[:, :150], atol=1)


def test_all_channels_are_stretched_alike():
    color = RNG.integers(1000, 3000, (30, 40, 3)).astype(np.uint16)
    color[..., 0] //= 2
    np.testing.assert_array_equal(
        Stretch()(color).reshape(30, -1), Stretch()(color.reshape(30, -1))
    )


def test_brightness_does_not_flicker_when_something_bright_comes():
    stretch = Stretch()
    room, hand = wide(RAMP, 300, 900), wide(RAMP, 300, 900)
    hand[20:80, 20:60] = 1400
    shown = [stretch(hand if 10 <= k < 50 else room)[100, 80] for k in range(100)]
    steps = np.abs(np.diff(np.array(shown, int)))
    assert steps.max() <= 10
    assert shown[0] - shown[49] > 30  # but it follows
    assert abs(int(shown[0]) - int(shown[-1])) <= 2


def test_another_exposure_is_followed_at_once():
    stretch = Stretch()
    stretch(wide(RAMP, 0, 500))
    bright = wide(RAMP, 0, 12_000)
    np.testing.assert_array_equal(stretch(bright), Stretch()(bright))


@given(
    arrays.arrays(
        np.uint16,
        arrays.array_shapes(min_dims=2, max_dims=2, max_side=6) | st.just((5, 4, 3)),
    )
)
def test_any_image_is_stretched_in_order(values):
    shown = Stretch()(values)
    assert shown.shape == values.shape
    assert shown.dtype == np.uint8
    order = np.argsort(values, axis=None)
    assert (np.diff(shown.reshape(-1)[order].astype(int)) >= 0).all()


@pytest.mark.parametrize("size", [(480, 640), (512, 640), (1024, 1280), (720, 1280)])
@pytest.mark.parametrize("line", [0, 1, 5, 240])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_dead_row_or_a_hot_column_does_not_decide(size, line, axis):
    """Thermal cameras send a row of telemetry; sensors have dead rows."""
    rng = np.random.default_rng(0)
    values = rng.integers(3000, 3400, size).astype(np.uint16)
    black, white = window(values)
    for value in (0, 65535):
        spoilt = values.copy()
        spoilt[(line, slice(None)) if axis == 0 else (slice(None), line)] = value
        np.testing.assert_allclose(window(spoilt), (black, white), atol=20)
