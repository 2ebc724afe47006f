"""Find the hands of a photograph: python 01_photo.py [PHOTO [CALIBRATION]]."""

# %% What to look at: arguments, or a rendered picture of two hands
import math
import sys
from pathlib import Path

import cv2

from hamer_ros import (
    CameraModel,
    DetectorOptions,
    Frame,
    HandModel,
    HandPipeline,
    draw_hands,
    make_detector,
    read_calibration,
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

# %% The camera: calibrated, or guessed, and then distances are a guess as well
if ARGUMENTS[1:]:
    camera = read_calibration(ARGUMENTS[1]).camera.resized(width, height)
else:
    camera = CameraModel.from_fov(width, height, math.radians(60), focal_sigma=0.15)

# %% Search the whole picture thoroughly, for there is no next one
pipeline = HandPipeline(make_detector("landmarks", DetectorOptions(photographs=True)))
result = pipeline.process(Frame(rgb, 0.0, camera))

# %% Where the hands are
for hand in result.hands:
    placed = hand.placed
    side = placed.hand.handedness.name.lower()
    x, y, z = placed.translation
    sigma = math.sqrt(placed.covariance[2, 2])
    print(f"{side} wrist at x {x:.2f}, y {y:.2f}, z {z:.2f} m, z give or take {sigma:.2f} m")
    print(f"  tip of the index finger at {placed.joints[8].round(3)} m")

# %% Draw them
drawn = draw_hands(rgb, result.hands, camera, pipeline.estimator.model.faces)
Path("out").mkdir(exist_ok=True)
cv2.imwrite("out/photo.jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
print("the picture is out/photo.jpg")
