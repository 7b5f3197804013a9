"""Tiling: the order of the pixels, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


def tiling(params: str, shape: tuple[int, ...]) -> Runner:
    return Runner(
        f'type: "Tiling" tiling_param {{ {params} }}', [np.arange(float(np.prod(shape))).reshape(shape)]
    )


def test_tiles():
    (top,) = tiling("tile_dim: 2", (1, 8, 1, 2)).forward()
    np.testing.assert_array_equal(top[0], [[[0, 2, 1, 3], [4, 6, 5, 7]], [[8, 10, 9, 11], [12, 14, 13, 15]]])


@pytest.mark.parametrize(
    ("params", "shape"), [("", (2, 4, 3, 5)), ("tile_dim: 2", (2, 6, 3, 5)), ("tile_dim: 1", (2, 4))]
)
def test_what_is_wrong(params, shape):
    with pytest.raises(
        LayerError, match="expected at least 1, and N x C x H x W, C a multiple of its square"
    ):
        tiling(params, shape)
