"""SPP against bins written out by hand."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from layers.harness import Runner


def layer(params):
    return f'type: "SPP" spp_param {{ {params} }}'


def bins(size, count):
    """For each bin of an axis its pixels, and how many there are with padding."""
    kernel = -(-size // count)
    pad = (kernel * count - size + 1) // 2
    starts = [i * kernel - pad for i in range(count)]
    return [
        ([p for p in range(start, start + kernel) if 0 <= p < size], min(start + kernel, size + pad) - start)
        for start in starts
    ]


def naive(x, levels, pool):
    """The pooled numbers of each image, and for each one its share of every pixel."""
    images, channels, height, width = x.shape
    tops, shares = [], []
    for level in range(levels):
        for c in range(channels):
            for rows, n in bins(height, 2**level):
                for columns, m in bins(width, 2**level):
                    share = np.zeros(x.shape)
                    part = np.ix_(range(images), [c], rows, columns)
                    for i in range(images):
                        pixels = x[i, c][np.ix_(rows, columns)]
                        if pool == "MAX":
                            h, w = np.unravel_index(pixels.argmax(), pixels.shape)
                            share[i, c, rows[h], columns[w]] = 1
                    if pool == "AVE":
                        share[part] = 1 / (n * m)
                    tops.append((x * share).sum(axis=(1, 2, 3)))
                    shares.append(share)
    return np.stack(tops, axis=1), shares


@pytest.mark.parametrize("pool", ["MAX", "AVE"])
@pytest.mark.parametrize(
    "levels, shape", [(1, (2, 3, 5, 4)), (2, (2, 3, 9, 12)), (3, (2, 3, 13, 11)), (4, (2, 1, 32, 15))]
)
def test_against_naive(levels, shape, pool):
    rng = np.random.RandomState(1)
    x = rng.standard_normal(shape).astype(np.float32)
    runner = Runner(layer(f"pyramid_height: {levels} pool: {pool}"), [x])
    (top,) = runner.forward()
    want, shares = naive(x.astype(np.float64), levels, pool)
    if levels == 1:
        assert top.shape == (2, 3, 1, 1)
    else:
        assert top.shape == (2, shape[1] * sum(4**i for i in range(levels)))
    np.testing.assert_allclose(top.reshape(want.shape), want, rtol=1e-5, atol=1e-6)
    seed = rng.standard_normal(top.shape).astype(np.float32)
    (diff,) = runner.backward([seed])
    rows = seed.reshape(want.shape)
    want_diff = sum(share * rows[:, k].reshape(-1, 1, 1, 1) for k, share in enumerate(shares))
    np.testing.assert_allclose(diff, want_diff, rtol=1e-4, atol=1e-5)


def test_stochastic_levels():
    x = np.random.RandomState(1).uniform(size=(2, 3, 4, 8)).astype(np.float32)
    (top,) = Runner(layer("pyramid_height: 2 pool: STOCHASTIC"), [x], phase=TEST).forward()
    whole = (x**2).sum(axis=(2, 3)) / x.sum(axis=(2, 3))
    part = x[:, :, 2:, :4]
    np.testing.assert_allclose(top[:, :3], whole, rtol=1e-5)
    np.testing.assert_allclose(
        top[:, 3:].reshape(2, 3, 2, 2)[:, :, 1, 0], (part**2).sum((2, 3)) / part.sum((2, 3)), rtol=1e-5
    )


def test_the_pyramid_follows_the_image():
    runner = Runner(layer("pyramid_height: 2"), [np.zeros((2, 3, 9, 12))])
    x = np.random.RandomState(1).standard_normal((4, 3, 5, 6)).astype(np.float32)
    runner.feed([x])
    np.testing.assert_allclose(runner.forward()[0], naive(x, 2, "MAX")[0], rtol=1e-6)


def test_an_image_that_is_refused_leaves_no_trace():
    runner = Runner(layer("pyramid_height: 3"), [np.zeros((2, 3, 8, 9))])
    with pytest.raises(LayerError, match="too many for an image of 1 x 9"):
        runner.feed([np.zeros((2, 3, 1, 9))])
    x = np.random.RandomState(1).standard_normal((2, 3, 8, 9)).astype(np.float32)
    runner.feed([x])
    np.testing.assert_allclose(runner.forward()[0], naive(x, 3, "MAX")[0], rtol=1e-6)


@pytest.mark.parametrize(
    ("params", "shape", "message"),
    [
        ("", (2, 3, 4, 5), "pyramid_height is 0"),
        ("pyramid_height: 3", (2, 3, 5, 9), "4 x 4 bins are too many for an image of 5 x 9"),
        ("pyramid_height: 2", (2, 3, 5), r"\(2, 3, 5\), expected 4 axes"),
        ("pyramid_height: 2 pool: STOCHASTIC", (2, 3, 5, 4), "STOCHASTIC works without padding"),
    ],
)
def test_wrong_params(params, shape, message):
    with pytest.raises(LayerError, match=message):
        Runner(layer(params), [np.zeros(shape)])
