"""Duplicate: bottoms and sizes that do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize(
    "fields, shape, message",
    [
        ("", (2, 3, 4, 4), "expected N x C x 1 x 1"),
        ("height: 0", (2, 3, 1, 1), "height and width are 0 and 1; they must be at least 1"),
    ],
)
def test_errors(fields, shape, message):
    with pytest.raises(LayerError) as error:
        Runner(f'type: "Duplicate" duplicate_param {{ {fields} }}', [np.zeros(shape)])
    assert message in str(error.value)
