"""Every layer once more, in plain loops over Python numbers and float64: forward only, written apart from the kernels.

NAIVE: for each layer type a function that takes a Given and returns the tops. Where a layer's own test has a naive
reference with the gradient too, it is taken from there.
"""

from layers.naive import arithmetic, detection, losses, moving, neurons, recurrent, rois, windows
from layers.naive.given import Given, given_to

NAIVE = {
    type: function
    for module in (neurons, moving, arithmetic, windows, rois, losses, detection, recurrent)
    for type, function in module.NAIVE.items()
}

__all__ = ["NAIVE", "Given", "given_to"]
