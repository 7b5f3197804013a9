"""A step of a program: what one layer, or several at once, compute, as a row of a table that compiled code reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, from_dtype, njit, types

from caffe_compat.layers.kernels.addresses import pointer_to

# images N x (groups * channels) x height x width, outs N x (groups * outputs) x out_height x out_width; the others say
# what they mean where they are read. Addresses are those of float32 or int64 arrays that the maker of the step holds.
_SHAPES = "images groups channels outputs height width out_height out_width kernel_h stride_h stride_w"
_CUTS = "phases pitch plane depth band splits rows vectors"  # see filter_images.py
_ADDRESSES = "bottom filters scale bias slope added top offsets starts tile narrow_tile scratch scratch_size"
_NUMBERS = "limit factor alpha beta"  # float32
STEP = np.dtype(
    [
        *(
            (name, np.int64)
            for name in ["function", "parts", *_SHAPES.split(), *_CUTS.split(), *_ADDRESSES.split()]
        ),
        *((name, np.float32) for name in _NUMBERS.split()),
    ],
    align=True,
)
SIGNATURE = types.void(
    types.int64, types.int64, types.int64
)  # of a step's function: address of the step, part, parts
_to_steps: Any = pointer_to(from_dtype(STEP))


@njit(cache=True)
def step_at(address):
    """The STEP at an address."""
    return carray(_to_steps(address), 1)[0]
