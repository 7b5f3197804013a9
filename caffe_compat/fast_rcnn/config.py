"""What the reference's config says, under its own names; its OHEM settings where OHEM has its own.

Source: fast_rcnn/config.py and experiments/cfgs/fast_rcnn_ohem.yml of abhi2610/ohem.
"""

from __future__ import annotations

import numpy as np

PIXEL_MEANS = np.array([102.9801, 115.9465, 122.7717])  # blue, green, red
SCALE = 600  # pixels of the shorter side of a scaled image
MAX_SIZE = 1000  # most pixels of its longer side

FG_THRESH = 0.5  # least overlap of a foreground RoI; also of one that has bbox targets
BG_THRESH_HI = 0.5
BG_THRESH_LO = 0.1  # of the sampled minibatch; OHEM takes background down to 0

IMS_PER_BATCH = 2  # of the sampled minibatch; OHEM has 1
BATCH_SIZE = 128  # RoIs of the sampled minibatch, all images together
FG_FRACTION = 0.25

BBOX_NORMALIZE_MEANS = np.array([0.0, 0.0, 0.0, 0.0])
BBOX_NORMALIZE_STDS = np.array([0.1, 0.1, 0.2, 0.2])

MIN_PROPOSAL_SIZE = 2  # pixels; smaller proposals are left out
