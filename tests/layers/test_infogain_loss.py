"""InfogainLoss against plain loops: axis, ignored labels, normalisation, and where the matrix comes from."""

import math
import re

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.prototxt.caffe_pb2 import BlobProto
from layers.harness import Runner


def naive(x, labels, gains, ignore=None):
    """The sum of the losses, its gradient, and how many labels counted; x is outer x classes x inner."""
    loss, count, diff = 0.0, 0, np.zeros(x.shape)
    for i, k in np.ndindex(*labels.shape):
        if labels[i, k] != ignore:
            count += 1
            for c in range(x.shape[1]):
                prob = max(float(x[i, c, k]), 1e-20)
                loss -= gains[labels[i, k], c] * math.log(prob)
                diff[i, c, k] = -gains[labels[i, k], c] / prob
    return loss, diff, count


def bottoms():
    rng = np.random.RandomState(3)
    x = rng.uniform(0, 1, (3, 5, 4)).astype(np.float32)
    gains = rng.standard_normal((5, 5)).astype(np.float32)
    gains[1, 2:] = 0
    return x, rng.randint(0, 5, (3, 4)), gains


def softmax(x):
    powers = np.exp(x.astype(np.float64))
    return powers / powers.sum(axis=1, keepdims=True)


def through_softmax(prob, diff):
    """The gradient of scores, from that of their probabilities."""
    return prob * (diff - (prob * diff).sum(axis=1, keepdims=True))


def test_probabilities_of_an_earlier_softmax():
    x, labels, gains = bottoms()
    runner = Runner('type: "InfogainLoss"', [x, labels, gains])
    loss, diff, count = naive(x, labels, gains)
    np.testing.assert_allclose(runner.forward()[0], loss / count, rtol=1e-5)
    np.testing.assert_allclose(runner.backward([2.5])[0], 2.5 * diff / count, rtol=1e-5)


@pytest.mark.parametrize(
    ("param", "divisor"),
    [
        ("", lambda count: count),
        ("normalization: FULL", lambda count: 12),
        ("normalization: BATCH_SIZE", lambda count: 3),
        ("normalization: NONE", lambda count: 1),
    ],
)
@pytest.mark.parametrize("ignore", [None, 1])
def test_scores(param, divisor, ignore):
    x, labels, gains = bottoms()
    x = 9 * x - 4
    text = "" if ignore is None else f"ignore_label: {ignore}"
    runner = Runner(f'type: "InfogainLoss" loss_param {{ {param} {text} }}', [x, labels, gains])
    loss, diff, count = naive(softmax(x), labels, gains, ignore)
    diff = through_softmax(softmax(x), diff)
    assert count == (12 if ignore is None else np.count_nonzero(labels != 1))
    np.testing.assert_allclose(runner.forward()[0], loss / divisor(count), rtol=1e-5)
    got, *others = runner.backward([2.5])
    np.testing.assert_allclose(got, 2.5 * diff / divisor(count), rtol=1e-5, atol=1e-6)
    assert others == [None, None]


def test_axis():
    x, labels, gains = bottoms()
    runner = Runner(
        'type: "InfogainLoss" infogain_loss_param { axis: -1 }', [x.transpose(0, 2, 1), labels, gains], tops=2
    )
    loss, diff, count = naive(softmax(x), labels, gains)
    top, prob = runner.forward()
    np.testing.assert_allclose(top, loss / count, rtol=1e-5)
    np.testing.assert_allclose(prob, softmax(x).transpose(0, 2, 1), rtol=1e-5)
    want = through_softmax(softmax(x), diff).transpose(0, 2, 1) / count
    np.testing.assert_allclose(runner.backward([1, np.nan])[0], want, rtol=1e-4, atol=1e-6)


def test_probability_zero():
    runner = Runner(
        'type: "InfogainLoss"', [np.array([[0, 1.0]]), np.array([0]), np.array([[0.5, 3], [0, 1]])]
    )
    np.testing.assert_allclose(runner.forward()[0], -0.5 * math.log(1e-20), rtol=1e-6)
    np.testing.assert_allclose(runner.backward([1])[0], [[-0.5e20, -3]], rtol=1e-6)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("double", [False, True])
def test_the_matrix_from_a_file(tmp_path, legacy, double):
    x, labels, gains = bottoms()
    proto = BlobProto()
    if legacy:
        proto.num, proto.channels, proto.height, proto.width = 1, 1, 5, 5
    else:
        proto.shape.dim.extend([5, 5])
    (proto.double_data if double else proto.data).extend(gains.ravel())
    file = tmp_path / "gains.binaryproto"
    file.write_bytes(proto.SerializeToString())
    runner = Runner(f'type: "InfogainLoss" infogain_loss_param {{ source: "{file}" }}', [x, labels])
    loss, _, count = naive(x, labels, gains)
    np.testing.assert_allclose(runner.forward()[0], loss / count, rtol=1e-5)


def test_files_that_hold_no_matrix(tmp_path):
    bad, short = tmp_path / "bad", tmp_path / "short"
    bad.write_bytes(b"\xff\xff\xff")
    proto = BlobProto(data=[1, 2, 3])
    proto.shape.dim.extend([2, 2])
    short.write_bytes(proto.SerializeToString())
    for file, message in (
        (bad, f"'{bad}' is no binaryproto file"),
        (short, f"'{short}' holds 3 numbers for the shape (2, 2)"),
        (tmp_path / "none", f"cannot read '{tmp_path}/none': No such file"),
        ("", "there is no matrix; give infogain_loss_param.source or a third bottom"),
    ):
        with pytest.raises(LayerError, match=re.escape(message)):
            Runner(
                f'type: "InfogainLoss" infogain_loss_param {{ source: "{file}" }}',
                [np.ones((1, 2)), np.zeros(1)],
            )


def test_what_does_not_fit():
    x, labels, gains = bottoms()
    layer = 'type: "InfogainLoss"'
    with pytest.raises(LayerError, match=re.escape("the matrix has the shape (5, 4)")):
        Runner(layer, [x, labels, gains[:, :4]])
    with pytest.raises(
        LayerError, match=re.escape("label 5 at [2, 3] of the labels (shape (3, 4)) is no class")
    ):
        labels[2, 3] = 5
        Runner(layer, [x, labels, gains]).forward()
    for value in (-0.5, 3):
        x[1, 2, 3] = value
        with pytest.raises(
            LayerError, match=f"bottom.0. holds {value:g}, which is no probability; put a Softmax"
        ):
            Runner(layer, [x, labels, gains]).forward()
