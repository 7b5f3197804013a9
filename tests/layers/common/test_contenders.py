"""The best of many scores, found without sorting them all."""

import numpy as np
import pytest

from caffe_compat.layers.common.contenders import contenders


@pytest.mark.parametrize("most", [None, 0, 1, 7, 40, 99, 100, 1000])
@pytest.mark.parametrize("levels", [3, 1000])
@pytest.mark.parametrize("nan", [False, True])
def test_they_sort_as_all_do(most, levels, nan):
    """Both where of equal scores the first is the best, and where it is the last."""
    scores = np.random.RandomState(3).randint(0, levels, 100).astype(np.float32)
    if nan:
        scores[[5, 71]] = np.nan
    few = contenders(scores, most)
    assert (np.diff(few) > 0).all()
    if not nan:  # -NaN is NaN, which argsort puts last
        first = few[np.argsort(-scores[few], kind="stable")][:most]
        np.testing.assert_array_equal(first, np.argsort(-scores, kind="stable")[:most])
    last = few[np.argsort(scores[few], kind="stable")[::-1]][:most]
    np.testing.assert_array_equal(last, np.argsort(scores, kind="stable")[::-1][:most])
    if levels == 1000 and most in (1, 7, 40) and not nan:
        assert len(few) < most + 10
