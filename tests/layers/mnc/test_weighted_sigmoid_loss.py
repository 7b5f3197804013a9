"""SigmoidCrossEntropyLoss with three bottoms: which it is, and weights of 0."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TRAIN
from caffe_compat.layers.registry import computed_type, create_layer
from layers.harness import Runner, parse


def test_three_bottoms_say_which_it_is():
    two = 'type: "SigmoidCrossEntropyLoss" bottom: "a" bottom: "b"'
    assert computed_type(create_layer(parse(two), TRAIN)) == "SigmoidCrossEntropyLoss"
    three = f'{two} bottom: "c"'
    assert computed_type(create_layer(parse(three), TRAIN)) == "WeightedSigmoidCrossEntropyLoss"


def test_without_weights_the_loss_is_0():
    runner = Runner(
        'type: "WeightedSigmoidCrossEntropyLoss"', [np.ones((2, 3)), np.ones((2, 3)), np.zeros((2, 3))]
    )
    assert runner.forward()[0] == 0
    assert not runner.backward([np.float32(1)])[0].any()


def test_counts_that_differ():
    with pytest.raises(LayerError, match="expected as many numbers"):
        Runner('type: "WeightedSigmoidCrossEntropyLoss"', [np.ones((2, 3)), np.ones((2, 3)), np.ones((2, 2))])
