"""Runs the steps of a program: layers one behind the other without a way back to Python between them.

A step that is worth it is shared by all threads, part by part; the others run on one thread, so that a chain of small
layers has no barrier in it.
"""

from __future__ import annotations

from numba import njit, prange

from caffe_compat.layers.kernels.calls import caller
from caffe_compat.layers.kernels.step import SIGNATURE

_call = caller(SIGNATURE)


@njit(cache=True, error_model="numpy", parallel=True)
def _share(function, address, parts):
    for part in prange(parts):
        _call(function, (address, part, parts))


@njit(cache=True, error_model="numpy")
def run_steps(steps, first, last):
    """Run the steps (STEP) first to last - 1, in order."""
    for i in range(first, last):
        address = steps.ctypes.data + i * steps.itemsize
        if steps[i].parts == 1:
            _call(steps[i].function, (address, 0, 1))
        else:
            _share(steps[i].function, address, steps[i].parts)
