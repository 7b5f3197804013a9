"""Heat maps of joints."""

from __future__ import annotations

import numpy as np

SIGMA = np.float32(1.5)  # pixels of the map
HEIGHT = np.float32(4)  # times that of a distribution over one axis


def draw_peaks(joints: np.ndarray, maps: np.ndarray) -> None:
    """Write a normal distribution around each joint: 4 / (1.5 sqrt(2 pi)) exp(-d^2 / 4.5) at distance d.

    joints: n x 2, float32, x and y in pixels of the maps; maps: n x height x width. Source: caffe-heatmap's
    DataHeatmapLayer; Pfister et al., Flowing ConvNets (2015), section 3.1.
    """
    peak, width = 1 / (float(SIGMA) * np.sqrt(2 * np.pi)), float(np.float32(1) / SIGMA) ** 2
    for (x, y), heat in zip(joints, maps, strict=True):
        down = (np.arange(heat.shape[0], dtype=np.float32) - y).astype(np.float64) ** 2
        across = (np.arange(heat.shape[1], dtype=np.float32) - x).astype(np.float64) ** 2
        heat[...] = HEIGHT * (peak * np.exp(-0.5 * (down[:, None] + across) * width)).astype(np.float32)
