"""Scatter."""

from __future__ import annotations

from caffe_compat.layers.gather import Gather
from caffe_compat.layers.registry import register


@register("Scatter")
class Scatter(Gather):
    """Gives each MPI process its part of the batch. Here is one process: each top is its bottom.

    Source: ScatterLayer of yjxiong's Caffe (TSN) without MPI.
    """
