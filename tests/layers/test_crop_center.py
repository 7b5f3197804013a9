"""CropCenter and AutoCrop: params that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize(
    "crops, message",
    [
        ("crop_size: 1", "crop_size is given 1 times; the bottom (3, 4) has 2 axes"),
        ("crop_size: 0 crop_size: 2", "crop_size [0, 2] leaves nothing of a bottom of (3, 4)"),
    ],
)
def test_errors(crops, message):
    with pytest.raises(LayerError) as error:
        Runner(f'type: "CropCenter" crop_center_param {{ {crops} }}', [np.zeros((3, 4))])
    assert message in str(error.value)


def test_an_auto_crop_without_offsets():
    with pytest.raises(LayerError, match="the offsets do not follow from the layers"):
        Runner('type: "AutoCrop"', [np.zeros((1, 1, 4, 4)), np.zeros((1, 1, 2, 2))])
