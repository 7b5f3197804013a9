"""SINet: the gradient of what is enlarged as the original takes it, drawn areas, and what is wrong."""

from math import erf

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.rng import set_random_seed
from layers.cases.sinet import small_rois
from layers.harness import Runner, apart
from layers.naive.sinet import bin_of, span, stretched

F = np.float32
POOLING = 'type: "CAROIPooling" caroi_pooling_param'


def weight(index: int, size: int, bin: int, bins: int) -> float:
    """What a bin of an enlarged side hands down to pixel `index`."""
    if size == 1:
        return bins if bin == 0 else 0
    step = F(bins - 1) / F(size - 1)
    place = float(step * F(index))
    reach = bins // size
    near = reach if place == int(place) else reach - 1
    if not np.floor(place) - near <= bin <= np.ceil(place) + near:
        return 0
    return 1 - abs(bin - place) / float(step)


def gathered(x: np.ndarray, regions: np.ndarray, seed: np.ndarray, scale: float, pad: float) -> np.ndarray:
    """The original's gradient: each pixel asks all bins of all RoIs."""
    diff = np.zeros(x.shape)
    bins = seed.shape[2:]
    for (r, (n, x1, y1, x2, y2)), c in ((a, c) for a in enumerate(regions) for c in range(x.shape[1])):
        spans = [span(*s, scale, pad, side) for s, side in (((y1, y2), x.shape[2]), ((x1, x2), x.shape[3]))]
        (top, low, rows), (left, right, columns) = spans
        enlarged = rows < bins[0] or columns < bins[1]
        tall, wide = enlarged and rows > bins[0], enlarged and columns > bins[1]
        plane = x[int(n), c]
        patch = plane[np.ix_(np.clip(top + np.arange(rows), 0, len(plane) - 1),
                             np.clip(left + np.arange(columns), 0, plane.shape[1] - 1))]  # fmt: skip
        if tall or wide:
            patch = stretched(stretched(patch, max(rows, bins[0])).T, max(columns, bins[1])).T
        for h, w in np.ndindex(plane.shape):
            if not (top <= h <= low and left <= w <= right):
                continue
            for i, j in np.ndindex(*bins):
                share = seed[r, c, i, j]
                if enlarged and not tall and not wide:
                    share *= weight(h - top, rows, i, bins[0]) * weight(w - left, columns, j, bins[1])
                elif tall:  # place h of the RoI is taken for row h of the map
                    own = bin_of(i, rows, bins[0])
                    inside = [p for p in own if p < len(plane)]
                    best = max(
                        inside, key=lambda p, j=w - left: patch[p, j] if j < bins[1] else 0, default=-1
                    )
                    is_hit = w - left < min(bins[1], plane.shape[1]) and best == h and h - top in own
                    share *= is_hit * weight(w - left, columns, j, bins[1])
                elif wide:
                    own = bin_of(j, columns, bins[1])
                    inside = [p for p in own if p < plane.shape[1]]
                    best = max(inside, key=lambda p, i=h - top: patch[i, p] if i < bins[0] else 0, default=-1)
                    is_hit = h - top < min(bins[0], len(plane)) and best == w and w - left in own
                    share *= is_hit * weight(h - top, rows, i, bins[0])
                else:
                    box = [
                        (p + top, q + left)
                        for p in bin_of(i, rows, bins[0])
                        for q in bin_of(j, columns, bins[1])
                    ]
                    box = [at for at in box if at[0] < len(plane) and at[1] < plane.shape[1]]
                    share *= bool(box) and max(box, key=lambda at: plane[at]) == (h, w)
                diff[int(n), c, h, w] += share
    return diff


@pytest.mark.filterwarnings("ignore:layer 'layer'")
@pytest.mark.parametrize(
    "bins, scale, pad", [((4, 6), 0.1, 0), ((5, 2), 0.0625, 0.25), ((3, 3), 0.15, 0), ((1, 9), 0.1, 0)]
)
def test_the_gradient_is_the_originals(bins, scale, pad):
    rng = np.random.RandomState(5)
    x, regions = apart(rng, (2, 3, 8, 12)), small_rois(rng, (40, 5)).astype(F)
    regions[3:9, 1:3] = 0  # of those the row or column of a RoI is one of the map
    params = f"pooled_h: {bins[0]} pooled_w: {bins[1]} spatial_scale: {scale} pad_ratio: {pad}"
    runner = Runner(f"{POOLING} {{ {params} }}", [x, regions])
    runner.forward()
    seed = rng.standard_normal((40, 3, *bins))
    want = gathered(x, regions, seed, scale, pad)
    got = runner.backward([seed])[0]
    np.testing.assert_allclose(got, want, atol=2e-5 * np.abs(want).max())


def test_a_small_roi_by_hand():
    """2 x 1 pixels, 1 and 5, in 3 x 2 bins; the one column hands down its first bin, twice."""
    x = np.zeros((1, 1, 4, 5))
    x[0, 0, 1:3, 2] = 1, 5
    runner = Runner(f"{POOLING} {{ pooled_h: 3 pooled_w: 2 }}", [x, np.array([[0, 2, 1, 2, 2]])])
    np.testing.assert_array_equal(runner.forward()[0][0, 0], [[1, 1], [3, 3], [5, 5]][:3])
    diff = runner.backward([np.array([[1.0, 7], [10, 70], [100, 700]]).reshape(1, 1, 3, 2)])[0]
    np.testing.assert_array_equal(diff[0, 0, 1:3, 2], [2 * (1 + 5), 2 * (100 + 5)])
    assert np.count_nonzero(diff) == 2


def test_areas_are_drawn_in_training_only():
    sides = np.full(400, 30.0)
    regions = np.column_stack([np.zeros((400, 3)), sides, sides])
    text = (
        'type: "ROISplit" roi_split_param { split_area1: 970 fluctuation_range_large: 90 '
        "fluctuation_range_small: 900 }"
    )
    set_random_seed(3)
    counts, table = Runner(text, [regions], 2, TRAIN).forward()  # of 961 pixels; 880 at least is the limit
    assert 40 < counts[1, 0, 0, 0] < 200 and counts.sum() == 400
    assert (np.bincount(table[:, 1, 0, 0].astype(int), minlength=3)[1:] == counts.ravel()).all()
    counts, _ = Runner(text, [regions], 2, TEST).forward()
    assert counts.ravel().tolist() == [400, 0]


@pytest.mark.parametrize("large, small", [(3, 300), (300, 3), (0, 30), (30, 0), (3, 3)])
def test_the_shares_of_drawn_areas(large, small):
    """Of 961 pixels, with that area: branch 1 where the drawn one is larger, by half a pixel before it is rounded."""

    def within_half(spread: int) -> float:
        return (1 + erf(0.5 / spread / 2**0.5)) / 2 if spread else 1.0

    below, above = (within_half(width // 3) for width in (large, small))  # what is not refused
    regions = np.column_stack([np.zeros((4000, 3)), np.full((4000, 2), 30.0)])
    text = (
        f'type: "ROISplit" roi_split_param {{ split_area1: 961 fluctuation_range_large: {large} '
        f"fluctuation_range_small: {small} }}"
    )
    set_random_seed(4)
    counts, _ = Runner(text, [regions], 2, TRAIN).forward()
    larger = 1 - within_half(small // 3)
    want = larger / (below + above) if small >= 3 else 0
    assert abs(counts[0, 0, 0, 0] / 4000 - want) < 4 * (want * (1 - want) / 4000) ** 0.5 + 1e-9


def test_a_branch_without_rois():
    table = np.array([[0, 2], [1, 2]])
    features = Runner('type: "ROIFeatureSplit"', [np.ones((2, 3, 1, 2)), np.array([0, 2]), table], 2)
    small, large = features.forward()
    assert small.shape == (1, 3, 1, 2) and not small.any() and large.shape == (2, 3, 1, 2)
    diff = features.backward([np.full((1, 3, 1, 2), 9), np.full((2, 3, 1, 2), 4)])[0]
    assert (diff == 4).all()
    for text, bottoms, tops in (
        ('"SoftmaxWithLoss2"', [np.ones((1, 3)), np.zeros(1)], 3),
        ('"SmoothL1Loss2"', [np.ones((1, 3)), np.zeros((1, 3)), np.ones((1, 3)), np.ones((1, 3))], 2),
    ):
        for count in (0, 1):
            loss = Runner(f"type: {text}", [*bottoms, np.array([count, 2])], tops)
            costs = loss.forward()
            assert all(bool(cost.any()) == bool(count) for cost in (costs[0], costs[-1]))
            assert bool(loss.backward([1.0, *[None] * (tops - 1)])[0].any()) == bool(count)


def test_proposals_without_matches():
    text = 'type: "ProposalTarget" proposal_target_param { cls_num: 3 num_img_per_batch: 1 batch_size: 2 }'
    set_random_seed(1)
    bottoms = [np.array([[0, 5, 5, 40, 40], [0, 50, 50, 70, 70]]), np.array([[0, 6, 6, 40, 40, 2, 0]])]
    with_matches = Runner(text, bottoms, 6).forward()
    set_random_seed(1)
    without = Runner(text, bottoms, 5).forward()
    for a, b in zip(with_matches, without, strict=False):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    "text, shapes, tops, message",
    [
        (f"{POOLING} {{ pooled_h: 2 }}", [(1, 2, 3, 4), (5, 5)], 1, "pooled_w 0"),
        (
            f"{POOLING} {{ pooled_h: 2 pooled_w: 2 spatial_scale: 0 }}",
            [(1, 2, 3, 4), (5, 5)],
            1,
            "above 0",
        ),
        ('type: "ROISplit" roi_split_param { branch_num: 4 }', [(5, 5)], 2, "expected 2 or 3"),
        ('type: "ROISplit"', [(5, 4)], 2, "expected R x 5"),
        ('type: "ROIFeatureSplit"', [(5, 4, 2, 2), (2,), (5, 2)], 3, "3 tops for 2 branches"),
        ('type: "ROIFeatureSplit"', [(5, 4, 2), (2,), (5, 2)], 2, "expected R x C x H x W"),
        ('type: "ROIFeatureSplit"', [(5, 4, 2, 2), (2,), (4, 2)], 2, "5 x 2 numbers"),
        ('type: "LabelSplit2"', [(2,), (5, 2), (5,), (5, 3), (4, 3), (5, 3)], 8, "expected 5 rows"),
        ('type: "LabelSplit3"', [(2,), (5, 2), *[(5,)] * 4], 12, "each of 3 branches"),
        (
            'type: "SoftmaxWithLoss2" softmax_split_param { branch_id: 3 }',
            [(4, 5), (4,), (2,)],
            1,
            "the branches 1 to 2",
        ),
        (
            'type: "SmoothL1Loss2" smooth_l1_split_param { sigma: 0 }',
            [(4, 5)] * 4 + [(2,)],
            1,
            "split_param.sigma",
        ),
    ],
)
def test_what_is_wrong(text, shapes, tops, message):
    with pytest.raises(LayerError, match=message):
        Runner(text, [np.zeros(shape) for shape in shapes], tops)


@pytest.mark.parametrize(
    "table, message",
    [([[0, 1], [2, 1]], "not numbered from 0"), ([[0, 1], [0, 3]], "none of the 2 branches")],
)
def test_a_table_that_is_none(table, message):
    runner = Runner('type: "ROIFeatureSplit"', [np.ones((2, 3, 1, 2)), np.array([2, 0]), np.array(table)], 2)
    with pytest.raises(LayerError, match=message):
        runner.forward()


def test_a_roi_that_is_not_finite():
    with pytest.raises(LayerError, match="RoI 1 has the corners"):
        Runner('type: "ROISplit"', [np.array([[0, 1, 2, 3, 4], [0, 1, np.nan, 3, 4]])], 2).forward()
