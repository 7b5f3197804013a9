"""Im2dist, Im2parity, DistLoss and ChannelReduce of segaware: the originals' gradients, edge cases, errors."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

DIST = 'type: "Im2dist" convolution_param { %s } im2dist_param { %s }'
LOSS = 'type: "DistLoss" dist_loss_param { %s }'
ROW = "kernel_h: 1 kernel_w: 3 pad_h: 0 pad_w: 1"


def test_the_slope_of_absolute_distances_is_the_originals():
    """Of equal numbers, and where a pixel is outside, the middle has the slope -1."""
    x = np.array([[1.0, 3, 3, 0]]).reshape(1, 1, 1, 4)
    runner = Runner(DIST % (ROW, "norm: L1"), [x])
    (top,) = runner.forward()
    assert top[0, :, 0].tolist() == [[0, 2, 0, 3], [0, 0, 0, 0], [2, 0, 3, 0]]
    seeds = np.array([[1, 2, 4, 8], [99, 99, 99, 99], [16, 32, 64, 128.0]]).reshape(1, 3, 1, 4)
    (diff,) = runner.backward([seeds])
    left = [-1, 2, -4, -8]  # at the middles: 1 - nothing, 3 - 1, 3 - 3, 0 - 3
    right = [-16, -32, 64, -128]  # 1 - 3, 3 - 3, 3 - 0, 0 - nothing
    want = [a + b for a, b in zip(left, right, strict=True)]
    for pixel, value in ((0, 2), (1, -4), (2, -8), (1, -16), (2, -32), (3, 64)):
        want[pixel] -= value
    assert diff.ravel().tolist() == want


def test_middles_and_pixels_outside_can_be_far():
    x = np.arange(3.0).reshape(1, 1, 1, 3)
    (far,) = Runner(DIST % (ROW, "remove_bounds: true remove_center: true"), [x]).forward()
    assert (far[0, :, 0] > 1e36).tolist() == [[True, False, False], [True, True, True], [False, False, True]]
    (wide,) = Runner(
        DIST % ("kernel_h: 1 kernel_w: 3 pad_h: 0 pad_w: 3", "remove_bounds: true"), [x]
    ).forward()
    assert wide.shape == (1, 3, 1, 7) and not wide[..., [0, 1, 5, 6]].any()  # their middles are outside


def test_what_is_off_the_margin_is_the_gradient_whatever_the_weight():
    distance, parity = np.array([[0.2, 0.9, 0.2, 3.0, 5.0]]), np.array([[1, 1, 0, 0, 7]])
    runner = Runner(LOSS % "alpha: 0.5 beta: 2 ignore_label: 7", [distance, parity], dtype=np.float64)
    np.testing.assert_allclose(runner.forward()[0], (0.4 + 1.8) / 5, rtol=1e-6)
    for weight in (1.0, 3.0):
        np.testing.assert_allclose(
            runner.backward([np.array(weight)])[0], [[0, 0.4 / 5, -1.8 / 5, 0, 0]], rtol=1e-6, atol=1e-9
        )


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        (DIST % ("kernel_size: 3", ""), [(2, 3, 5)], "expected N x C x H x W"),
        (DIST % ("kernel_size: 3 axis: 2", ""), [(2, 3, 5, 4)], "only axis 1 is built"),
        (DIST % ("pad: 1", ""), [(2, 3, 5, 4)], "kernel_size"),
        (LOSS % "alpha: 2 beta: 1", [(2, 3), (2, 3)], "alpha is 2, beta 1; expected 0 < alpha < beta"),
        (LOSS % "beta: 1", [(2, 3), (2, 3)], "alpha is 0, beta 1"),
        (LOSS % "alpha: 1 beta: 2", [(2, 3), (2, 4)], r"\(2, 3\).*\(2, 4\)"),
        (
            'type: "ChannelReduce" channel_reduce_param { num_channels: 4 }',
            [(2, 6, 3)],
            "expected N x C x ..., C a multiple of 4",
        ),
        ('type: "ChannelReduce" channel_reduce_param { num_channels: 0 }', [(2, 6)], "a multiple of 0"),
    ],
)
def test_errors(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer, [np.zeros(shape) for shape in shapes])


def test_labels_that_are_no_numbers():
    labels = np.array([[1, np.nan]]).reshape(1, 1, 1, 2)
    with pytest.raises(LayerError, match="the labels are not finite"):
        Runner('type: "Im2parity" convolution_param { kernel_size: 1 }', [labels]).forward()
