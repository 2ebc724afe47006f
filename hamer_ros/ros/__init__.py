"""The ROS 2 node and everything that uses ROS; the rest of the package does not import it."""
