"""Placement of hands in the camera frame: translation, metric size and covariance."""
