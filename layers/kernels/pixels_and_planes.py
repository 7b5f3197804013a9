"""Images as planes of channels, and as pixels with their channels together: each from the other, in squares."""

from __future__ import annotations

import numpy as np

from caffe_compat.layers.kernels.pieces import piece
from caffe_compat.layers.kernels.sum_tile import WIDTH
from caffe_compat.layers.kernels.transpose import transpose
from caffe_compat.layers.kernels.vectors import LANES


@piece()
def to_pixels(planes, first, pixels, targets):
    """The numbers from `first` on of channels together, LANES of each at a time: number p goes to targets[p].

    planes: channels x pixels. pixels: how many, LANES at least. targets: int64 addresses, one a pixel, of LANES
    numbers; where there are fewer channels, the others may be anything.
    """
    sources = np.empty(LANES, np.int64)
    for lane in range(LANES):
        sources[lane] = planes[min(lane, len(planes) - 1), first:].ctypes.data
    for begin in range(0, pixels, LANES):
        start = min(begin, pixels - LANES)
        transpose(sources.ctypes.data, start, targets[start:].ctypes.data, 0)


@piece()
def to_planes(stage, first, pixels, diff, begin):
    """diff (C x pixels), in the channels from `first` on and `pixels` from `begin` on = stage (pixels x WIDTH)."""
    channels = min(WIDTH, len(diff) - first)
    if pixels < LANES:
        for c in range(channels):
            for x in range(pixels):
                diff[first + c, begin + x] = stage[x, c]
        return
    sources, targets, nowhere = (
        np.empty(LANES, np.int64),
        np.empty(LANES, np.int64),
        np.empty(LANES, np.float32),
    )
    for lane in range(LANES):
        sources[lane] = stage[lane].ctypes.data
    for c in range(0, channels, LANES):
        for x in range(0, pixels, LANES):
            start = min(x, pixels - LANES)
            for lane in range(LANES):
                there = c + lane < channels
                place = diff[first + c + lane, begin + start :].ctypes.data if there else nowhere.ctypes.data
                targets[lane] = place
            transpose(sources.ctypes.data, start * WIDTH + c, targets.ctypes.data, 0)
