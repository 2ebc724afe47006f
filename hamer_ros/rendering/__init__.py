"""Rendering without a graphics card: meshes, skeletons and a clip whose truth is known."""
