"""Hands from camera images: metric poses, joints and surfaces, for robots.

Everything outside of ``hamer_ros.ros`` is plain numpy and works without ROS; start with
`hamer_ros.pipeline.HandPipeline`.
"""
