# Makes the ROS in this virtual environment usable, as /opt/ros/jazzy/local_setup.sh does on a robot.
# The setup scripts of a workspace built on it source this, and tell in COLCON_CURRENT_PREFIX where
# the virtual environment is.
case ":${AMENT_PREFIX_PATH-}:" in
  *":$COLCON_CURRENT_PREFIX:"*) ;;
  *)
    export AMENT_PREFIX_PATH="$COLCON_CURRENT_PREFIX${AMENT_PREFIX_PATH:+:$AMENT_PREFIX_PATH}"
    export CMAKE_PREFIX_PATH="$COLCON_CURRENT_PREFIX${CMAKE_PREFIX_PATH:+:$CMAKE_PREFIX_PATH}"
    export PATH="$COLCON_CURRENT_PREFIX/bin:$PATH"
    ;;
esac
