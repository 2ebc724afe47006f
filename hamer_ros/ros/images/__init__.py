"""Decoding of image messages to RGB, and of depth messages to metres."""
