"""Runs the steps of a program: layers one behind the other without a way back to Python between them.

A step that is worth it is shared by all threads, part by part; the others run on one thread, so that a chain of small
layers has no barrier in it.
"""

from __future__ import annotations

from numba import njit

from caffe_compat.layers.kernels.calls import caller
from caffe_compat.layers.kernels.disk_cache import needs_threads
from caffe_compat.layers.kernels.shared import run_parts
from caffe_compat.layers.kernels.step import SIGNATURE, to_step

_call = caller(SIGNATURE)


@njit(cache=True, error_model="numpy")
@needs_threads
def run_steps(steps, first, last):
    """Run the steps (STEP) first to last - 1, in order."""
    for i in range(first, last):
        address = steps.ctypes.data + i * steps.itemsize
        if steps[i].parts == 1:
            _call(steps[i].function, (to_step(address), 0, 1))
        else:
            run_parts(steps[i].function, address, steps[i].parts)
