"""From the camera's messages to frames: subscriptions, synchronisation, stamps, intrinsics."""
