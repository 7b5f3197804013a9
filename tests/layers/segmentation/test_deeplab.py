"""Layers of DeepLab's fork: numbers by hand, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

SCORES = np.zeros((1, 3, 1, 2), np.float32)


def test_a_label_that_is_there_twice_raises_twice():
    labels = np.array([0, 2, 2, -1]).reshape(1, 4, 1, 1)
    (top,) = Runner('type: "BiasChannel"', [SCORES, labels]).forward()
    assert top[0, :, 0].tolist() == [[1, 1], [0, 0], [4, 4]]


def test_the_gradient_leaves_out_the_bounds_of_the_weights():
    """Edges below 0 make the weight 1: the top does not hang on them, but there is a gradient, as there."""
    layer = 'type: "DomainTransform" domain_transform_param { num_iter: 1 spatial_sigma: 2 range_sigma: 1 }'
    x = np.array([1.0, 3.0]).reshape(1, 1, 1, 2)
    runner = Runner(layer, [x, np.full((1, 1, 1, 2), -2.0), np.array([[1, 2]])], dtype=np.float64)
    assert runner.forward()[0].ravel().tolist() == [1, 1]
    _, of_edges, _ = runner.backward([np.array([5.0, 7.0]).reshape(1, 1, 1, 2)], [True, True, False])
    # the pass from the left has made both 1, so that the one from the right finds no difference
    rate = -np.sqrt(2) / (2 * np.sqrt(3) / np.sqrt(3)) * 2
    np.testing.assert_allclose(of_edges.ravel(), [0, rate * (5 + 7) * (1 - 3)], rtol=1e-6)


def test_a_crf_without_filters_is_a_softmax():
    scores = np.array([0.0, 1.0, 30.0]).reshape(1, 3, 1, 1)
    (prob,) = Runner('type: "DenseCRF"', [scores, np.ones((1, 2))]).forward()
    assert prob.ravel().tolist() == [0, 0, 1]
    layer = 'type: "DenseCRF" dense_crf_param { output_probability: false }'
    (logs,) = Runner(layer, [scores, np.ones((1, 2))]).forward()
    np.testing.assert_allclose(logs.ravel(), [np.log(2.0**-126)] * 2 + [0], rtol=1e-6)


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('"UniqueLabel" unique_label_param { max_labels: 2 }', [(1, 1, 1, 3)], "an image has 3 labels"),
        ('"UniqueLabel" unique_label_param { max_labels: 2 }', [(1, 2, 1, 3)], "expected N x 1 x H x W"),
        (
            '"UniqueLabel" unique_label_param { max_labels: 1 force_label: 3 }',
            [(1, 1, 1, 3)],
            "must be more than the 1",
        ),
        ('"BiasChannel"', [(1, 2, 3, 4), (1, 3, 1, 1)], "label 2 is no class of a bottom with 2"),
        ('"BiasChannel"', [(1, 2, 3, 4), (1, 1, 3, 4)], "expected N x C x H x W and N x L x 1 x 1"),
        ('"BiasChannel" bias_channel_param { fg_bias: -1 }', [(1, 2, 3, 4), (1, 1, 1, 1)], "at least 0"),
        (
            '"BiasChannel" bias_channel_param { label_type: PIXEL background_label: 2 }',
            [(1, 2, 3, 4), (1, 1, 3, 4)],
            "background_label is 2",
        ),
        ('"AdaptiveBiasChannel"', [(1, 2, 3, 4), (1, 3, 1, 1)], "label 2 is no class"),
        ('"AdaptiveBiasChannel"', [(1, 2, 3, 4), (2, 3, 1, 1)], "expected N x C x H x W"),
        (
            '"AdaptiveBiasChannel" adaptive_bias_channel_param { fg_portion: 2 }',
            [(1, 2, 3, 4), (1, 1, 1, 1)],
            "from 0 to 1",
        ),
        ('"DomainTransform"', [(2, 2, 1, 1), (2, 1, 1, 1), (2, 2)], "they must be within"),
        ('"DomainTransform"', [(1, 2, 3, 4), (1, 2, 3, 4), (1, 2)], "N x 1 x H x W"),
        (
            '"DomainTransform" domain_transform_param { num_iter: 0 }',
            [(1, 2, 3, 4), (1, 1, 3, 4), (1, 2)],
            "above 0",
        ),
        (
            '"DomainTransform" domain_transform_param { num_iter: 2000000000 }',
            [(1, 2, 3, 4), (1, 1, 3, 4), (1, 2)],
            "it must be at most 500",
        ),
        ('"SpatialProduct"', [(1, 2, 3, 4), (1, 2, 3, 4)], "N x 1 x H x W"),
        ('"DenseCRF"', [(1, 2, 3, 4), (1, 2)], "must be at least 1"),
        ('"DenseCRF"', [(1, 2, 3, 4), (1, 2), (1, 3, 3, 4)], "there is an image, but no bi_w"),
        ('"DenseCRF" dense_crf_param { pos_w: 1 }', [(1, 2, 3, 4), (1, 2)], "different counts"),
        (
            '"DenseCRF" dense_crf_param { pos_w: 1 pos_xy_std: 0 }',
            [(1, 2, 3, 4), (1, 2)],
            "it must be above 0",
        ),
    ],
)
def test_what_is_wrong(layer, shapes, message):
    bottoms = [np.arange(np.prod(shape)).reshape(shape) for shape in shapes]
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", bottoms).forward()


@pytest.mark.parametrize(
    ("params", "shapes", "message"),
    [
        ("g_bilateral: 0", [(1, 2, 3, 4), (1, 3, 3, 4)], "g_bilateral is 0; it must be above 0"),
        ("x_gauss: 3", [(1, 2, 3, 4), (1, 1, 3, 4)], "expected N x C x H x W, and N x 3 x H x W"),
    ],
)
def test_a_map_that_cannot_be(params, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "DenseCRF" densecrf_param {{ {params} }}', [np.zeros(shape) for shape in shapes])
