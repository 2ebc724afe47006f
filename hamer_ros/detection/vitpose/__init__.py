"""The detector ``vitpose``, HaMeR's own: people, their 133 keypoints, boxes around the hands'.

A box model finds people; ViTPose+ (Xu et al. 2022, arXiv:2212.04246) finds the joints of each;
where at least four of a hand's are sure, they span its box.

Crops, mirroring, decoding and thresholds are those of the configuration with which HaMeR's demo
runs the model (ViTPose's ``ViTPose_huge_wholebody_256x192.py``, commit c050ed2): classic affine
crops and quarter-pixel decoding, without the unbiased variants (UDP, DARK) of ViTPose's other
configurations.

The released weights were not at hand.  Verified is, against ViTPose's source run beside this one:
the 403 names and shapes of the network, heat maps of seeded weights (to 1e-7), the cut of an expert
(3e-7), and the keypoints of made-up heat maps (1e-4 pixels).  A file of another layout is refused
with a list of what differs.
"""
