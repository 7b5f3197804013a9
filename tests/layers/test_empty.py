"""Bottoms without any items, as behind a Filter that selects none: no crash, no NaN, no gradient for the params."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.cases import CASES
from layers.harness import Runner

WAITING = {"Convolution", "Deconvolution", "DepthwiseConvolution"}
REFUSED = {
    "BatchNorm": "nothing to take the statistics of",
    "Bias": "does not fit",
    "DetectionOutput": "the top of PriorBox",
    "HardRoIMining": "no RoIs to choose from",
    "LSTM": "T at least 1",
    "LSTMUnit": "expected 1 x N x D",
    "RNN": "T at least 1",
    "Scale": "does not fit",
    "Slice": "do not cut axis 0",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_no_items(case):
    if not case.shapes:
        pytest.skip("it has no bottoms")
    runner = Runner.of(case, case.bottoms(np.random.RandomState(1)))
    runner.forward()
    if case.type in WAITING and len(runner.layer.blobs) > 1:
        pytest.xfail("the bias of no images, and its gradient, are a reshape that cannot be inferred")
    try:
        runner.feed([np.zeros((0, *shape[1:])) for shape in case.shapes])
        tops = runner.forward()
    except LayerError as error:
        assert REFUSED.get(case.type, "nothing to take a loss of") in error.message
        return
    assert not any(np.isnan(top).any() for top in tops)
    if not runner.layer.has_backward:
        return
    for blob in runner.layer.blobs:
        blob.diff[...] = 2
    runner.backward(runner.seeds(case, np.random.RandomState(2)))
    assert all((blob.diff == 2).all() for blob in runner.layer.blobs)
