"""Oriented Response Networks: what is written into params, whose gradient it is, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.registry import create_layer
from layers.harness import Runner, parse


def oriented(params: str, shape, count: int = 4) -> Runner:
    text = f'type: "Convolution" orn_param {{ orientations: {count} }} convolution_param {{ {params} }}'
    return Runner(text, [np.random.RandomState(1).standard_normal(shape)])


def test_the_params_of_other_orientations_are_the_first_one_turned():
    runner = oriented("num_output: 4 kernel_size: 3 bias_term: false", (1, 4, 3, 3))
    filters = runner.layer.blobs[0].data
    filters[...] = 7
    filters[0] = np.arange(36).reshape(4, 3, 3)
    runner.forward()
    np.testing.assert_array_equal(filters[0], np.arange(36).reshape(4, 3, 3))
    # a quarter turn clockwise, and what the first channel of the bottom had is for the second one
    np.testing.assert_array_equal(filters[1, 1], [[6, 3, 0], [7, 4, 1], [8, 5, 2]])
    np.testing.assert_array_equal(filters[1, 0], [[33, 30, 27], [34, 31, 28], [35, 32, 29]])
    np.testing.assert_array_equal(filters[2, 2], [[8, 7, 6], [5, 4, 3], [2, 1, 0]])


def test_an_eighth_of_a_turn():
    runner = oriented("num_output: 8 kernel_size: 3 bias_term: false", (1, 8, 3, 3), 8)
    filters = runner.layer.blobs[0].data
    filters[0, 7] = np.arange(9).reshape(3, 3)
    runner.forward()
    np.testing.assert_array_equal(filters[1, 0], [[3, 0, 1], [6, 4, 2], [7, 8, 5]])


def test_the_first_orientation_takes_all_of_the_gradient():
    runner = oriented("num_output: 4 kernel_size: 1 bias_term: false", (2, 4, 1, 1))
    runner.forward()
    diff = runner.layer.blobs[0].diff
    diff[...] = 3
    seed = np.random.RandomState(2).standard_normal((2, 4, 1, 1))
    runner.backward([seed])
    x, s = runner.bottom[0].data[:, :, 0, 0], seed[:, :, 0, 0]
    want = [sum((s[:, k] * x[:, (c + k) % 4]).sum() for k in range(4)) for c in range(4)]
    np.testing.assert_allclose(diff[0, :, 0, 0], 3 + np.array(want), rtol=1e-5)
    np.testing.assert_array_equal(diff[1:], np.full((3, 4, 1, 1), 3))


def test_what_is_no_number_is_never_the_greatest():
    x = np.array([[np.nan, 2, 3, 1], [np.nan, np.nan, -2e6, np.nan]]).reshape(2, 4, 1, 1)
    runner = Runner('type: "ORPooling" orn_param { orientations: 4 }', [x])
    np.testing.assert_array_equal(runner.forward()[0].ravel(), [3, -999999])
    (diff,) = runner.backward([np.full((2, 1, 1, 1), 5.0)])
    np.testing.assert_array_equal(diff.reshape(2, 4), [[0, 0, 5, 0], [0, 0, 0, 0]])


def test_one_orientation_is_a_plain_convolution():
    text = 'type: "Convolution" %s convolution_param { num_output: 3 kernel_size: 3 }'
    kinds = [
        type(create_layer(parse(text % f"orn_param {{ orientations: {n} }}"), 0)).__name__ for n in (4, 8)
    ]
    assert kinds == ["ORConvolution"] * 2
    assert type(create_layer(parse(text % ""), 0)).__name__ == "Convolution"


@pytest.mark.parametrize(
    "text, shape, message",
    [
        ('"Extend"', (2, 3, 4, 5), "orientations is 1; it must be at least 2"),
        ('"Extend" orn_param { orientations: 4 }', (2, 3), "expected N x C x H x W"),
        ('"ORPooling" orn_param { orientations: 4 }', (2, 6, 4, 5), "with 4 channels or a multiple"),
        ('"Convolution" orn_param { orientations: 3 } KERNEL', (2, 6, 4, 5), "orientations is 3"),
        (
            '"Convolution" orn_param { orientations: 4 } KERNEL',
            (2, 6, 4, 5),
            "must be multiples of orientations 4",
        ),
        (
            '"Convolution" orn_param { orientations: 4 } convolution_param { num_output: 8 kernel_size: 5 }',
            (2, 4, 9, 9),
            r"the kernel \(5, 5\)",
        ),
    ],
)
def test_what_is_wrong(text, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(
            f"type: {text}".replace("KERNEL", "convolution_param { num_output: 12 kernel_size: 3 }"),
            [np.ones(shape)],
        )
