"""MaskOutputs: what backward writes, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

X = np.arange(12.0).reshape(2, 6)
TEXT = "type: 'MaskOutputs' convolution_param { kernel_size: 2 }"


def test_other_classes_get_no_gradient():
    runner = Runner(TEXT, [X, np.array([2.0, 1.0])])
    assert runner.forward()[0].tolist() == [[4, 5], [8, 9]]
    diff = runner.backward([np.array([[1.0, 2.0], [3.0, 4.0]])])[0]
    assert diff.tolist() == [[0, 0, 0, 0, 1, 2], [0, 0, 3, 4, 0, 0]]


@pytest.mark.parametrize("wrong", [3.0, -1.0, np.nan])
def test_a_class_without_numbers(wrong):
    with pytest.raises(LayerError, match=r"row 1 is of class .*; bottom\[0\] has numbers of 3 classes"):
        Runner(TEXT, [X, np.array([0.0, wrong])]).forward()


def test_errors():
    with pytest.raises(LayerError, match="kernel_size is \\[\\]; give one"):
        Runner("type: 'MaskOutputs'", [X, np.zeros(2)])
    with pytest.raises(LayerError, match="expected N x C and N classes"):
        Runner(TEXT, [X, np.zeros(3)])
