"""The arrays in BlobProtos, whichever way they tell their shape."""

from __future__ import annotations

import numpy as np
import pytest

from caffe_compat.prototxt.blob_proto import has_shape, to_array
from caffe_compat.prototxt.caffe_pb2 import BlobProto, BlobShape


@pytest.mark.parametrize(
    "fields, shape",
    [
        ({"shape": BlobShape(dim=[2, 3])}, (2, 3)),
        ({"num": 1, "channels": 3, "height": 1, "width": 2}, (1, 3, 1, 2)),
        ({"num": 1, "channels": 3, "height": 1, "width": 2, "shape": BlobShape(dim=[2, 3])}, (1, 3, 1, 2)),
    ],
    ids=["new", "old", "the old one counts where both stand"],
)
def test_shape(fields, shape):
    blob = BlobProto(data=range(6), **fields)
    array = to_array(blob)
    assert has_shape(blob) and array.shape == shape and array.dtype == np.float32
    np.testing.assert_array_equal(array.ravel(), range(6))


def test_doubles_stay_doubles():
    blob = BlobProto(double_diff=[0.1, 0.2, 0.3], shape=BlobShape(dim=[3]))
    np.testing.assert_array_equal(to_array(blob, diff=True), np.array([0.1, 0.2, 0.3]))


def test_numbers_that_do_not_fit():
    with pytest.raises(ValueError, match=r"3 numbers for the shape \(2, 2\)"):
        to_array(BlobProto(data=range(3), shape=BlobShape(dim=[2, 2])))
