"""DeformablePSROIPooling: errors. Its numbers are compared with plain loops in tests/layers/naive."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

PARAMS = "spatial_scale: 1 output_dim: 4 group_size: 2"
TEXT = f'type: "DeformablePSROIPooling" deformable_psroi_pooling_param {{ {PARAMS} %s }}'
SHAPES = [(2, 16, 5, 7), (3, 5), (3, 4, 2, 2)]


@pytest.mark.parametrize(
    "params, shapes, message",
    [
        ("sample_per_part: 0", SHAPES, "sample_per_part 0 and part_size 0; the first three must be above 0"),
        (
            "no_trans: true",
            SHAPES,
            "there are 3 bottoms; give maps, RoIs and offsets or, with no_trans: true",
        ),
        ("", SHAPES[:2], "there are 2 bottoms"),
        (
            "",
            [(2, 12, 5, 7), *SHAPES[1:]],
            "bottom.0. has 12 channels; output_dim 4 and group_size 2 need 16",
        ),
        ("part_size: 3", SHAPES, r"bottom\[2\] has the shape \(3, 4, 2, 2\); expected \(3, 2 K, 3, 3\)"),
        ("", [*SHAPES[:2], (3, 6, 2, 2)], "with a divisor K of output_dim 4"),
    ],
)
def test_what_does_not_fit(params, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(TEXT % params, [np.zeros(shape) for shape in shapes])


def test_offsets_that_are_not_finite():
    bottoms = [np.zeros(SHAPES[0]), np.zeros(SHAPES[1]), np.full(SHAPES[2], np.nan)]
    with pytest.raises(LayerError, match=r"bottom\[2\] is not finite"):
        Runner(TEXT % "", bottoms).forward()
