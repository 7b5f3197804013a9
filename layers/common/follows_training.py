"""What layers share that change in the course of training."""

from __future__ import annotations

from caffe_compat.layers.base import Layer


class FollowsTraining(Layer):
    """A layer to which the solver says before each iteration how far the training is.

    progress: how many of max_iter iterations are over, from 0 to 1; 0 where there is no solver, or no max_iter.
    """

    progress = 0.0
