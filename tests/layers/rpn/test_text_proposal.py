"""CTPN's ProposalLayer against plain loops, and what does not fit."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

TEXT = """type: "Python" python_param { module: "layers.text_proposal_layer" layer: "ProposalLayer"
    param_str: "'feat_stride': 16" }"""
HEIGHTS = 11, 16, 23, 33, 48, 68, 97, 139, 198, 283


def naive(prob, steps, height, width):
    boxes, scores = [], []
    for y in range(prob.shape[2]):
        for x in range(prob.shape[3]):
            for a, size in enumerate(HEIGHTS):
                left, right = int(7.5 - 8) + 16 * x, int(7.5 + 8) + 16 * x
                above, below = int(7.5 - size // 2) + 16 * y, int(7.5 + size // 2) + 16 * y
                high = below - above + 1
                new = np.exp(steps[0, 2 * a + 1, y, x]) * high
                upper = steps[0, 2 * a, y, x] * high + (above + below) / 2 - new / 2
                box = [left, upper, right, upper + new]
                boxes.append([min(max(v, 0), (width, height)[i % 2] - 1) for i, v in enumerate(box)])
                scores.append(prob[0, 10 + a, y, x])
    return np.array(boxes), np.array(scores)[:, None]


def test_boxes_of_all_anchors():
    rng = np.random.RandomState(1)
    prob, steps = rng.uniform(0, 1, (1, 20, 5, 3)), rng.normal(0, 0.5, (1, 20, 5, 3))
    boxes, scores = Runner(TEXT, [prob, steps, np.array([[70, 45]])], tops=2).forward()
    want, of_text = naive(prob, steps, 70, 45)
    np.testing.assert_allclose(boxes, want, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(scores, of_text.astype(np.float32))
    inside = (want[:, 1] > 0) & (want[:, 3] < 69)
    assert 10 < inside.sum() < len(want)


def test_the_anchors():
    nothing = np.zeros((1, 20, 1, 1))
    boxes, _ = Runner(TEXT, [nothing, nothing, np.array([[1e4, 1e4]])], tops=2).forward()
    # no step: y2 is behind the last pixel, and what would be above the image is cut off
    assert boxes[:3].tolist() == [[0, 1.5, 15, 12.5], [0, 0, 15, 15.5], [0, 0, 15, 18.5]]


@pytest.mark.parametrize(
    "shapes, message",
    [
        ([(1, 18, 4, 3), (1, 20, 4, 3), (1, 2)], "expected both times 1 x 20 x height x width"),
        ([(1, 20, 4, 3), (1, 20, 3, 4), (1, 2)], r"\(1, 20, 4, 3\) and \(1, 20, 3, 4\)"),
        ([(2, 20, 4, 3), (2, 20, 4, 3), (2, 2)], "expected both times 1 x 20"),
        ([(1, 20, 4, 3), (1, 20, 4, 3), (1, 1)], r"bottom\[2\] has the shape \(1, 1\)"),
    ],
)
def test_what_does_not_fit(shapes, message):
    with pytest.raises(LayerError, match=message):
        Runner(TEXT, [np.zeros(shape) for shape in shapes], tops=2)
