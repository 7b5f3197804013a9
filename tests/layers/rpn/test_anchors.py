"""Anchors: those of the original, their places on the map, and boxes from them and back."""

import ast
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.layers.kernels.anchors import decode, encode
from caffe_compat.layers.rpn.anchors import anchors_on_map, generate_anchors

GOLDEN = Path(__file__).parents[2] / "golden" / "rpn" / "anchors.npz"


@pytest.mark.parametrize("case", range(6))
def test_anchors_of_the_original(case):
    with np.load(GOLDEN) as golden:
        args = dict(ast.literal_eval(str(golden[f"{case}:args"])))
        np.testing.assert_array_equal(generate_anchors(**args), golden[f"{case}:anchors"])


def test_places_on_the_map():
    anchors = generate_anchors(scales=(2, 3))
    got = anchors_on_map(anchors, 5, 3, 4).reshape(3, 4, 6, 4)
    for y in range(3):
        for x in range(4):
            np.testing.assert_array_equal(got[y, x], anchors + 5 * np.array([x, y, x, y]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_decode_leads_where_encode_came_from(dtype):
    rng = np.random.RandomState(3)
    corners = rng.uniform(0, 50, (2, 7, 2))
    boxes, goals = (np.hstack([c, c + rng.uniform(1, 40, (7, 2))]).astype(dtype) for c in corners)
    best = rng.randint(0, 7, 7)
    steps = np.full((7, 4), np.nan, dtype)
    encode(boxes, goals, best, steps)
    for n, (box, goal) in enumerate(zip(boxes, goals[best], strict=True)):
        w, h, gw, gh = box[2] - box[0] + 1, box[3] - box[1] + 1, goal[2] - goal[0] + 1, goal[3] - goal[1] + 1
        dx = (goal[0] + gw / 2 - box[0] - w / 2) / w
        dy = (goal[1] + gh / 2 - box[1] - h / 2) / h
        np.testing.assert_allclose(steps[n], [dx, dy, np.log(gw / w), np.log(gh / h)], atol=1e-5)
    back = np.full((7, 4), np.nan, dtype)
    decode(boxes, steps, np.exp(steps[:, 2:]), dtype(60), dtype(45), back)
    # the original adds half the width to the centre without taking away the corner's own pixel
    want = np.clip(goals[best] + [0, 0, 1, 1], 0, [60, 45, 60, 45])
    np.testing.assert_allclose(back, want, atol=1e-4)
