"""Generation of the packaged hand model: a procedural hand in the format of MANO."""
