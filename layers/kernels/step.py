"""A step of a program: what one layer, or several at once, compute, as a row of a table that compiled code reads."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import from_dtype, types
from numba.extending import intrinsic

from caffe_compat.layers.kernels.addresses import pointer_to

# images N x (groups * channels) x height x width, outs N x (groups * outputs) x out_height x out_width; the others say
# what they mean where they are read. Addresses are those of float32 or int64 arrays that the maker of the step holds.
_SHAPES = "images groups channels outputs height width out_height out_width stride_h stride_w local_size"
# see filter_images.py
_CUTS = "phases pitch plane depth band panels last_panels splits rows vectors together scratch_size"
_TILES = "first plane_step depth_step tile_columns distances whole units shared shared_size"  # see winograd_images.py
_PARAMS = "bottom filters scale bias slope added top"
_TABLES = "windows strides offsets starts vector_starts masks last_masks places tile narrow_tile scratch"
_NUMBERS = "limit alpha beta k"  # float32
_INTEGERS = " ".join(("function lay_out parts", _SHAPES, _CUTS, _TILES, _PARAMS, _TABLES))
STEP = np.dtype(
    [(name, np.int64) for name in _INTEGERS.split()] + [(name, np.float32) for name in _NUMBERS.split()],
    align=True,
)
# of a step's function: the step, part, parts. The type of the first says what a step is made of, so that code which was
# compiled for other ones, and kept, is not taken for this
SIGNATURE = types.void(types.CPointer(from_dtype(STEP)), types.int64, types.int64)
to_step: Any = pointer_to(from_dtype(STEP))


def _emit(typingctx, pointer):
    """Emit the cast (numba hands over types here, and LLVM values to `codegen`)."""
    record = from_dtype(STEP)

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], context.get_value_type(record))

    return record(types.CPointer(record)), codegen


step_at: Any = intrinsic(_emit)  # step_at(pointer): the STEP that it points to
