"""ROIWarping: its two gradients in plain loops, after the original's kernels."""

import math

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

LAYER = 'type: "ROIWarping" roi_warping_param { pooled_h: 3 pooled_w: 4 spatial_scale: 0.5 }'
HEIGHT, WIDTH, BINS = 6, 8, (3, 4)
# inside of the map, at its end, ending before it starts, and outside
ROIS = [(0, 1, 2, 11, 9), (1, 4, 0, 15, 12), (1, 6, 7, 3, 2), (0, 40, 2, 60, 9)]


@pytest.fixture
def runner():
    maps = np.random.RandomState(1).standard_normal((2, 3, HEIGHT, WIDTH))
    with pytest.warns(UserWarning):
        made = Runner(LAYER, [maps, np.array(ROIS)])
        made.forward()
    return made


def places(roi):
    """Start and size of the RoI on the map, and the places of the samples, kept on the map: down and across."""
    x1, y1, x2, y2 = (math.floor(v / 2 + 0.5) for v in roi[1:])
    for start, end, bins, size in ((y1, y2, BINS[0], HEIGHT), (x1, x2, BINS[1], WIDTH)):
        step = max(end - start, 0) / bins
        samples = [start + i * step for i in range(bins)]
        inside = [-0.5 <= s <= size - 0.5 for s in samples]
        yield start, end, [min(max(s, 0), size - 1) for s in samples], inside


def test_the_gradient_at_the_maps(runner):
    seed = np.random.RandomState(2).standard_normal(runner.top[0].shape)
    want = np.zeros(runner.bottom[0].shape)
    for r, roi in enumerate(ROIS):
        sides = list(places(roi))
        for c, i, j in np.ndindex(3, *BINS):
            if not (sides[0][3][i] and sides[1][3][j]):
                continue
            for h, w in np.ndindex(HEIGHT, WIDTH):
                weight = 1.0
                for pixel, bin, bins, (start, end, at, _) in zip((h, w), (i, j), BINS, sides, strict=True):
                    wide = max(end - start + 1, 1) / bins
                    first = math.floor((pixel - start - 1) / wide - 1)
                    last = math.ceil((pixel - start + 1) / wide)
                    counts = start <= pixel <= end and first <= bin < last
                    weight *= max(0, 1 - abs(at[bin] - pixel)) * counts
                want[roi[0], c, h, w] += weight * seed[r, c, i, j]
    got = runner.backward([seed], [True, False])[0]
    np.testing.assert_allclose(got, want, atol=1e-5)


def test_the_gradient_at_the_rois(runner):
    seed = np.random.RandomState(3).standard_normal(runner.top[0].shape)
    maps, want = runner.bottom[0].data, np.zeros((len(ROIS), 5))
    for r, roi in enumerate(ROIS):
        (y1, y2, rows, row_in), (x1, x2, columns, column_in) = places(roi)
        for c, i, j in np.ndindex(3, *BINS):
            h, w = int(rows[i]), int(columns[j])
            if not (row_in[i] and column_in[j]) or h + 1 > HEIGHT - 1 or w + 1 > WIDTH - 1:
                continue
            a, b, plane = rows[i] - h, columns[j] - w, maps[roi[0], c]
            across = (1 - a) * (plane[h, w + 1] - plane[h, w]) + a * (plane[h + 1, w + 1] - plane[h + 1, w])
            down = (1 - b) * (plane[h + 1, w] - plane[h, w]) + b * (plane[h + 1, w + 1] - plane[h, w + 1])
            x = (columns[j] - x1) / max(x2 - x1 + 1, 1)
            y = (rows[i] - y1) / max(y2 - y1 + 1, 1)
            want[r, 1:] += (
                0.5 * seed[r, c, i, j] * np.array([across * (1 - x), down * (1 - y), across * x, down * y])
            )
    got = runner.backward([seed], [False, True])[1]
    np.testing.assert_allclose(got, want, atol=1e-4)
    assert got[0].any() and not got[3].any()


def test_what_is_wrong():
    maps = np.ones((1, 2, 3, 4))
    with pytest.raises(LayerError, match="both must be above 0"):
        Runner('type: "ROIWarping"', [maps, np.ones((1, 5))])
    with pytest.raises(LayerError, match="RoI 0 is of image 1"):
        Runner(LAYER, [maps, np.ones((1, 5))]).forward()
    with pytest.raises(LayerError, match="expected R x 5"):
        Runner(LAYER, [maps, np.ones((1, 4))])
