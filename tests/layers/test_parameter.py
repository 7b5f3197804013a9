"""Parameter: the param as a blob, and its gradient added up."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "Parameter" parameter_param { shape { dim: 2 dim: 3 } }'


def test_the_param_and_its_gradient():
    runner = Runner(LAYER, [])
    (blob,) = runner.layer.blobs
    assert blob.shape == (2, 3)
    assert not runner.forward()[0].any()
    blob.data[...] = [[1, 2, 3], [4, 5, 6]]
    assert runner.forward()[0].tolist() == [[1, 2, 3], [4, 5, 6]]
    runner.backward([np.full((2, 3), 2)])
    runner.backward([np.full((2, 3), 0.5)])
    assert (blob.diff == 2.5).all()


def test_a_scalar():
    assert Runner('type: "Parameter"', []).forward()[0].shape == ()


def test_a_filler_by_either_name():
    text = 'type: "Parameter" parameter_param { shape { dim: 2 dim: 3 } %s }'
    for name in ("filler", "blob_filler"):
        assert (Runner(text % f"{name} {{ value: 7 }}", []).forward()[0] == 7).all()
    with pytest.raises(LayerError, match="remove one of them"):
        Runner(text % "filler { value: 7 } blob_filler { value: 7 }", [])
