"""Teach the node how long your hand is: python 05_calibrate_hand.py [METRES]."""

# %% How far the wrist is from the camera; without a number the depth image says it
import sys

import rclpy

from hamer_ros.srv import CalibrateHand

# A notebook has arguments, too, but not of yours: write them in here.
ARGUMENTS = [] if "ipykernel" in sys.modules else sys.argv[1:]
distance = float(ARGUMENTS[0]) if ARGUMENTS else 0.0

# %% The service of the node
rclpy.init()
node = rclpy.create_node("calibrator")
client = node.create_client(CalibrateHand, "/hamer/calibrate_hand")
if not client.wait_for_service(timeout_sec=10.0):
    sys.exit("there is no /hamer/calibrate_hand; is the node running and active?")

# %% Hold one hand, open, before the camera; it takes a second or two
print("hold one open hand before the camera ...", flush=True)
request = CalibrateHand.Request(handedness=CalibrateHand.Request.BOTH, distance=distance)
future = client.call_async(request)
rclpy.spin_until_future_complete(node, future)
answer = future.result()

# %% What was learnt is kept, and holds from the next image on
if not answer.success:
    sys.exit(answer.message)
length = 1e3 * answer.hand_length
print(f"{length:.0f} mm give or take {length * answer.sigma:.0f} mm")
print(answer.message)
