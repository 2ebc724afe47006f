"""Find hands with a detector of your own: python 03_own_detector.py [PHOTO [HAMER]]."""

# %% The picture, and HaMeR's folder _DATA: what boxes are for, because it needs no landmarks
import math
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from hamer_ros import (
    CameraModel,
    Detection,
    ExternalBox,
    Frame,
    HamerOptions,
    HandModel,
    HandPipeline,
    draw_hands,
    make_detector,
    make_estimator,
)
from hamer_ros.rendering.clip import clip_frame

# A notebook has arguments, too, but not of yours: write them in here.
ARGUMENTS = [] if "ipykernel" in sys.modules else sys.argv[1:]

if ARGUMENTS:
    bgr = cv2.imread(ARGUMENTS[0])
    if bgr is None:
        sys.exit(f"{ARGUMENTS[0]} cannot be read as an image")
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
else:
    rgb = clip_frame(HandModel.default(), 0).rgb
height, width = rgb.shape[:2]
frame = Frame(rgb, 0.0, CameraModel.from_fov(width, height, math.radians(60), focal_sigma=0.15))


# %% A detector is whatever has these two methods
class SkinDetector:
    """Boxes around palms: the widest places of what has the colour of skin."""

    def __init__(self) -> None:
        # It numbers the boxes from image to image and sees which hand each is.
        self._follower = make_detector("external")

    def detect(self, frame: Frame) -> list[Detection]:
        """Hands in the next image."""
        color = cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2YCrCb)
        skin = cv2.inRange(color, np.array([60, 140, 80]), np.array([255, 180, 125]))
        skin = cv2.medianBlur(skin, 7)
        depth = cv2.distanceTransform(skin, cv2.DIST_L2, 5)  # pixels to where the skin ends
        count, labels, extents, _ = cv2.connectedComponentsWithStats(skin)
        boxes = []
        for label in range(1, count):
            _, radius, _, palm = cv2.minMaxLoc(depth, (labels == label).astype(np.uint8))
            if radius < 0.03 * max(skin.shape):
                continue
            corner, size = extents[label, :2], extents[label, 2:4]
            low = np.maximum(np.subtract(palm, 2.8 * radius), corner)
            high = np.minimum(np.add(palm, 2.8 * radius), corner + size)
            boxes.append(ExternalBox(np.concatenate([low, high]), handedness=None, score=1.0))
        return self._follower.detect(replace(frame, boxes=tuple(boxes)))

    def reset(self) -> None:
        """The next image belongs to another stream."""
        self._follower.reset()


# %% Alone it gives boxes
drawn = rgb.copy()
for found in SkinDetector().detect(frame):
    box = found.bounding_box.round().astype(int)
    side = f"{found.handedness.name.lower()} ({found.handedness_score:.2f})"
    print(f"{side} hand in x {box[0]}..{box[2]}, y {box[1]}..{box[3]}")
    cv2.rectangle(drawn, box[:2].tolist(), box[2:].tolist(), (255, 255, 255), 2)

# %% With HaMeR it gives hands
if ARGUMENTS[1:]:
    estimator = make_estimator("hamer", HamerOptions(checkpoint=Path(ARGUMENTS[1])))
    result = HandPipeline(SkinDetector(), estimator).process(frame)
    drawn = draw_hands(drawn, result.hands, frame.camera, estimator.model.faces)

# %%
Path("out").mkdir(exist_ok=True)
cv2.imwrite("out/own_detector.jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
print("the picture is out/own_detector.jpg")
