"""The neural nets of the hand detector: where they come from and how they run."""
