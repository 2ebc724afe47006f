"""The edge of the package that knows ROS; everything else is plain numpy."""
