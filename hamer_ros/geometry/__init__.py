"""Mathematics that knows nothing of hands: rotations, alignment, boxes, probabilities, matrices."""
