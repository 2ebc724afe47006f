"""The node's account of itself: observations, statistics, health and diagnostics."""
