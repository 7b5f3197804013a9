"""Upsample: against plain loops, behind the pooling that gives its mask, and errors."""

from __future__ import annotations

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.errors import LayerError
from layers.harness import Runner, indices

F = np.float32


def layer(params: str) -> str:
    return f'type: "Upsample" upsample_param {{ {params} }}'


@pytest.mark.parametrize(
    "params, size",
    [
        ("", (8, 10)),
        ("scale: 3", (12, 15)),
        ("scale_h: 3 scale_w: 2", (12, 10)),
        ("pad_out_h: true pad_out_w: true", (7, 9)),
        ("upsample_h: 5 upsample_w: 11", (5, 11)),
        ("upsample_h: 5 upsample_w: 11 scale: 4 pad_out_h: true", (5, 11)),  # the size comes first
    ],
)
def test_against_plain_loops(params, size):
    rng = np.random.RandomState(4)
    x, mask = rng.standard_normal((2, 3, 4, 5)).astype(F), indices(rng, (2, 3, 4, 5))
    runner = Runner(layer(params), [x, mask])
    (top,) = runner.forward()
    seed = rng.standard_normal((2, 3, *size)).astype(F)
    want, want_diff = np.zeros(seed.shape, F), np.zeros(x.shape, F)
    for n, c, h, w in np.ndindex(x.shape):
        place = divmod(mask[n, c, h, w], size[1])
        want[(n, c, *place)] = x[n, c, h, w]
        want_diff[n, c, h, w] = seed[(n, c, *place)]
    np.testing.assert_array_equal(top, want)
    diff, mask_diff = runner.backward([seed])
    np.testing.assert_array_equal(diff, want_diff)
    assert mask_diff is None


def test_of_equal_places_the_last_stands_and_all_take_its_gradient():
    runner = Runner(layer(""), [np.array([[[[1, 2, 3]]]], F), np.array([[[[4, 1, 4]]]], F)])
    np.testing.assert_array_equal(runner.forward()[0].ravel(), [0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0])
    diff, _ = runner.backward([np.arange(12).reshape(1, 1, 2, 6)])
    np.testing.assert_array_equal(diff.ravel(), [4, 1, 4])


def test_maxima_come_back_to_where_the_pooling_took_them(tmp_path):
    """SegNet's pair, at an odd size: the last windows hang over the edge."""
    text = """
        input: "data" input_shape { dim: 2 dim: 3 dim: 7 dim: 5 } force_backward: true
        layer { name: "pool" type: "Pooling" bottom: "data" top: "pool" top: "mask"
                pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
        layer { name: "up" type: "Upsample" bottom: "pool" bottom: "mask" top: "up"
                upsample_param { scale: 2 pad_out_h: true pad_out_w: true } }
    """
    path = tmp_path / "segnet.prototxt"
    path.write_text(text)
    net = caffe.Net(str(path), caffe.TEST)
    x = np.random.RandomState(5).permutation(210).reshape(2, 3, 7, 5).astype(F)
    net.blobs["data"].data[...] = x
    net.forward()
    largest = np.zeros(x.shape, bool)
    for n, c, i, j in np.ndindex(2, 3, 4, 3):
        window = x[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        largest[n, c, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2] = window == window.max()
    np.testing.assert_array_equal(net.blobs["up"].data, np.where(largest, x, 0))
    seed = np.random.RandomState(6).standard_normal(x.shape).astype(F)
    net.blobs["up"].diff[...] = seed
    net.backward()
    np.testing.assert_array_equal(net.blobs["data"].diff, np.where(largest, seed, 0))


@pytest.mark.parametrize(
    "params, shape, place, message",
    [
        (
            "scale: 2 scale_h: 3 scale_w: 3",
            (2, 3, 4, 5),
            0,
            "either scale alone, or both scale_h and scale_w",
        ),
        ("scale_h: 3", (2, 3, 4, 5), 0, "either scale alone, or both scale_h and scale_w"),
        ("scale: 1", (2, 3, 4, 5), 0, "the scales are 1 and 1; they must be above 1"),
        ("upsample_h: 9 upsample_w: 1", (2, 3, 4, 5), 0, "upsample_h and upsample_w are 9 and 1"),
        ("scale: 3 pad_out_w: true", (2, 3, 4, 5), 0, "are for a scale of 2, found (3, 3)"),
        ("", (2, 3, 4), 0, "the bottoms have the shapes (2, 3, 4) and (2, 3, 4)"),
        ("", (2, 3, 4, 5), 80, "the mask has 80 at [1, 2, 3, 4]; the top's 8 x 10 pixels are 0 to 79"),
        ("", (2, 3, 4, 5), -1, "the mask has -1 at [1, 2, 3, 4]"),
        ("", (2, 3, 4, 5), np.nan, "the mask has nan at [1, 2, 3, 4]"),
    ],
)
def test_errors(params, shape, place, message):
    mask = np.zeros(shape)
    mask.flat[-1] = place
    with pytest.raises(LayerError) as error:
        Runner(layer(params), [np.zeros(shape), mask]).forward()
    assert message in str(error.value)


@pytest.mark.parametrize(
    "params, shape, message",
    [
        ("scale_h: 2", (1, 1, 4, 4), "scale_h is for two bottoms; give scale, or the mask of a pooling"),
        ("scale: 0", (1, 1, 4, 4), "scale is 0; it must be at least 1"),
        ("", (1, 4, 4), "expected 4 axes"),
    ],
)
def test_errors_of_one_bottom(params, shape, message):
    with pytest.raises(LayerError) as error:
        Runner(layer(params), [np.zeros(shape)])
    assert message in str(error.value)
