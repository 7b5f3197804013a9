"""CTCGreedyAccuracy: lines that are right, nearly right and empty, and errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

PATHS = [[1, 1, 0, 2], [3, 0, 3, 0], [0, 0, 0, 0]]  # the best classes: 1 2, 3 3 and nothing
SCORES = np.moveaxis(np.eye(4)[PATHS], 0, 1)


def accuracy(labels, params: str = "blank_index: 0") -> list[float]:
    text = f"type: 'CTCGreedyAccuracy' ctc_decoder_param {{ {params} }}"
    return Runner(text, [SCORES, np.array(labels)], dtype=np.float64).forward()[0].ravel().tolist()


def test_lines():
    assert accuracy([[1, 2, 0], [3, 3, -1], [-1, 1, 1]]) == [1, pytest.approx(2 / 3)]  # the last is empty
    one_of_three_is_missing = [[1, 2, 0], [3, 2, 3], [0, 0, 0]]
    assert accuracy(one_of_three_is_missing) == [pytest.approx(1 - 1 / 3 / 3), pytest.approx(1 / 3)]
    assert accuracy([[2, 1, 0], [3, -1, 3], [1, 0, 0]]) == [pytest.approx(1 - (1 + 0.5 + 1) / 3), 0]


def test_errors():
    with pytest.raises(LayerError, match="expected 3 x L labels"):
        accuracy([[1, 2]])
    with pytest.raises(LayerError, match="expected T x N x C"):
        Runner("type: 'CTCGreedyAccuracy'", [SCORES[0], np.zeros((3, 2))])


def test_a_decoder_with_one_bottom_has_one_top():
    with pytest.raises(LayerError, match="with one bottom there is one top"):
        Runner("type: 'CTCGreedyDecoder'", [SCORES], tops=2)
