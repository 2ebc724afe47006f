"""HaMeR: a vision transformer that estimates a hand of MANO's format from one crop.

After Pavlakos et al., "Reconstructing hands in 3D with transformers" (CVPR 2024).  The network is
written anew; its weights are those of HaMeR's own checkpoint.
"""
