"""PS: what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner


@pytest.mark.parametrize("shape", [(2, 3, 3, 4), (2, 8)])
def test_four_rows_at_least(shape):
    with pytest.raises(LayerError, match="with H at least 4"):
        Runner('type: "PS"', [np.ones(shape)], tops=4)
