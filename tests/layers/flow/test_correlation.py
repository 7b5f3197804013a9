"""Correlation: its gradient with SUBTRACT in plain loops after the original's kernels, and what is wrong."""

import itertools

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

SUBTRACT = "kernel_size: 3 max_displacement: 2 stride_2: 2 pad: 3 correlation_type: SUBTRACT"


@pytest.mark.parametrize("name", ["Correlation", "Correlation1D"])
def test_distances_have_the_gradient_of_other_pixels(name):
    """Both maps are compared at the displaced pixel for the first, and at the pixel before displacement for the
    second: a distance that is one of numbers elsewhere."""
    rng = np.random.RandomState(1)
    maps = [rng.standard_normal((2, 2, 5, 4)) for _ in range(2)]
    runner = Runner(f'type: "{name}" correlation_param {{ {SUBTRACT} }}', maps)
    seed = rng.standard_normal(runner.top[0].shape)
    rows = name == "Correlation"
    pads, reach = ((3, 3), (2, 2)) if rows else ((0, 3), (0, 2))
    a, b = (np.pad(m, ((0, 0), (0, 0), *((p, p) for p in pads))) for m in maps)
    want = [np.zeros_like(a), np.zeros_like(b)]
    shifts = list(itertools.product((-2, 0, 2), repeat=2)) if rows else [(0, s) for s in (-2, 0, 2)]
    for n, channel, i, j in np.ndindex(*seed.shape):
        down, right = shifts[channel]
        for c, di, dj in itertools.product(range(2), range(3), range(3)):
            y, x = i + reach[0] + di, j + reach[1] + dj
            there, here = (n, c, y + down, x + right), (n, c, y, x)
            part = seed[n, channel, i, j] / 18
            want[0][here] += part if a[there] >= b[there] else -part
            want[1][there] += -part if a[here] >= b[here] else part
    runner.forward()
    inner = (..., slice(pads[0], pads[0] + 5), slice(3, 7))
    for got, values in zip(runner.backward([seed]), want, strict=True):
        np.testing.assert_allclose(got, values[inner], atol=1e-6)


def test_to_the_left_of_the_padding_there_is_0():
    """Displacements of 1 and 2 to the left, of a map that is padded with one pixel: what is further left counts 0."""
    layer = 'type: "Correlation1D" correlation_param { kernel_size: 1 max_displacement: 1 pad: 1 single_direction: -1 }'
    second = np.array([[5.0, 7.0, 9.0], [1.0, 1.0, 1.0]]).reshape(1, 1, 2, 3)
    (top,) = Runner(layer, [np.ones((1, 1, 2, 3)), second]).forward()
    assert top[0, :, 0].tolist() == [[0, 0, 5], [0, 5, 7]]


@pytest.mark.parametrize(
    "layer, shapes, message",
    [
        ('"Correlation"', [(1, 2, 3, 4)] * 2, "kernel_size is missing"),
        (
            '"Correlation" correlation_param { kernel_size: 1 }',
            [(1, 2, 3, 4)] * 2,
            "max_displacement is missing",
        ),
        (
            '"Correlation" correlation_param { kernel_size: 2 max_displacement: 1 }',
            [(1, 2, 3, 4)] * 2,
            "it must be odd",
        ),
        (
            '"Correlation" correlation_param { kernel_size: 1 max_displacement: 1 stride_2: 0 }',
            [(1, 2, 3, 4)] * 2,
            "both must be above 0",
        ),
        (
            '"Correlation" correlation_param { kernel_size: 1 max_displacement: 2 }',
            [(1, 2, 3, 4)] * 2,
            "do not fit into a bottom",
        ),
        (
            '"Correlation" correlation_param { kernel_size: 1 max_displacement: 1 }',
            [(1, 2, 3, 4), (1, 2, 3, 5)],
            "expected N x C x H x W twice",
        ),
        (
            '"Correlation1D" correlation_param { kernel_size: 1 max_displacement: 1 single_direction: 2 }',
            [(1, 2, 3, 4)] * 2,
            "single_direction is 2",
        ),
    ],
)
def test_what_is_wrong(layer, shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(f"type: {layer}", [np.ones(shape) for shape in shapes])
