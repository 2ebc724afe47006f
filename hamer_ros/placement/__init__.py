"""Hands -> placed hands; `placer` tells how."""
