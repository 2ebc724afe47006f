"""Follow hands through a video: python 02_video.py [VIDEO]."""

# %% The frames: of a video, or rendered ones
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from hamer_ros import (
    CameraModel,
    Frame,
    HandModel,
    HandPipeline,
    TrackerOptions,
    TrackState,
    draw_hands,
)
from hamer_ros.rendering.clip import clip_frame

# A notebook has arguments, too, but not of yours: write them in here.
ARGUMENTS = [] if "ipykernel" in sys.modules else sys.argv[1:]


def images(path: str | None) -> Iterator[tuple[float, np.ndarray]]:
    """Seconds and image, (H, W, 3) uint8 RGB."""
    if path is None:
        model = HandModel.default()
        yield from ((i / 30, clip_frame(model, i).rgb) for i in range(30))
        return
    video = cv2.VideoCapture(path)
    rate = video.get(cv2.CAP_PROP_FPS) or 30.0
    count = 0
    while True:
        there, bgr = video.read()
        if not there:
            break
        yield count / rate, cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
        count += 1
    if not count:
        sys.exit(f"{path} cannot be read as a video")


# %% One pipeline for the whole video: it remembers the hands from frame to frame
pipeline = HandPipeline()
pipeline.tracker.options = TrackerOptions(coast_time=0.5)  # seconds that a hidden hand is predicted

# %% Frame after frame
drawn = []
for stamp, rgb in images(ARGUMENTS[0] if ARGUMENTS else None):
    height, width = rgb.shape[:2]
    camera = CameraModel.from_fov(width, height, math.radians(60), focal_sigma=0.15)
    result = pipeline.process(Frame(rgb, stamp, camera))
    for hand in result.hands:
        if hand.state in (TrackState.NEW, TrackState.LOST):
            side = hand.placed.hand.handedness.name.lower()
            print(f"{stamp:6.2f} s: {side} hand #{hand.track_id} is {hand.state.name}")
    drawn.append(draw_hands(rgb, result.hands, camera, pipeline.estimator.model.faces))

# %% Four moments side by side
chosen = [drawn[i] for i in np.linspace(0, len(drawn) - 1, 4).astype(int)]
Path("out").mkdir(exist_ok=True)
cv2.imwrite("out/video.jpg", cv2.cvtColor(np.hstack(chosen), cv2.COLOR_RGB2BGR))
print("the picture is out/video.jpg")
