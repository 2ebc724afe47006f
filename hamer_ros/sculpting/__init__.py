"""How the packaged hand model was made: a procedural hand in the format of MANO."""
