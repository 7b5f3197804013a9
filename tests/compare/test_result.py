"""The sentences that a comparison is told in, on the command line and on a page."""

import numpy as np
import pytest

from caffe_compat.compare.distance import distance, in_words
from caffe_compat.compare.prototxt_diff import FieldDifference
from caffe_compat.compare.reference import Value
from caffe_compat.compare.result import DATA, PARAM, PARAM_GRADIENT, Diff, Divergence, Row

X = np.arange(6, dtype=np.float32).reshape(2, 3)


def row(got=X, want=X, stage=DATA, layer="ip", blob="y", running=None) -> Row:
    error = distance(got, want if isinstance(want, Value) else Value(whole=want))
    place = "" if error.index is None else in_words(error.index, "data", False)
    return Row(
        stage, layer, "InnerProduct", blob, got.shape, error, running, place, same=error.max_error < 0.1
    )


def diff(rows, **more) -> Diff:
    divergences = [Divergence(i, [], 4) for i, one in enumerate(rows) if not one.same]
    return Diff("net", "other", "net", "TRAIN", 1, 1e-4, rows, divergences, **more)


def changed(index, value):
    other = X.copy()
    other[index] = value
    return other


@pytest.mark.parametrize(
    ("one", "text"),
    [
        (row(), "most at (0, 0): image 0, channel 0: 0 here, 0 there"),
        (row(changed((1, 0), 9), X), "most at (1, 0): image 1, channel 0: 9 here, 3 there"),
        (row(np.float32(2).reshape(()), np.float32(4).reshape(())), "the only value: 2 here, 4 there"),
        (row(X, X[:, :2]), "its shape is 2x3 here, 2x2 there"),
        (row(X, Value(mean=5.0)), "the mean |x| is 2.5 here, 5 there"),
        (row(X[:0], X[:0]), ""),
    ],
)
def test_where_a_row_differs(one, text):
    assert one.difference == text


def test_what_a_row_is():
    assert [row(stage=stage, blob="0").what for stage in (DATA, PARAM, PARAM_GRADIENT)] == [
        "data of 0",
        "param of param 0",
        "param gradient of param 0",
    ]


def test_verdicts():
    rows = [row(), row(running=0.5), row(X + 1, X)]
    assert diff(rows[:1]).verdict == "the same: all 1 compared agree to 0.0001"
    assert diff(rows).verdict == "different: 1 of 3 compared"
    assert diff(rows, ended=True).verdict == (
        "different: 1 of 3 compared; what comes after was not looked at (--all does)"
    )
    assert diff(rows[:2], drift=1).verdict == (
        "different: each layer alone agrees, but the net's own values drift, from data y of ip on (5.0e-01)"
    )
    setting = FieldDifference("ip", "lr_mult of param 0", "1", "0")
    found = diff(rows[:1], settings=[setting])
    assert found.same is False
    assert found.verdict == "different: all 1 compared agree to 0.0001, but a solver would do otherwise"


def test_divergences_without_a_cause():
    found = diff([row(X + 1, X), row(X + 1, X, stage=PARAM_GRADIENT), row(X + 1, X, layer="loss")])
    first, second, third = found.divergences
    third.tried = 0
    assert found.unexplained(first) == "cause not found: 4 guesses were checked, none holds"
    assert found.unexplained(second) == "may follow from what differs in this layer above"
    assert found.unexplained(third) == "cause not found"
