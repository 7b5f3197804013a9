"""RoIs that are none: what Caffe computes is computed, with a warning; what it dies of is an error."""

import warnings

import numpy as np
import pytest

import caffe_compat as caffe
from caffe_compat.blob import Blob
from caffe_compat.layers.registry import create_layer
from caffe_compat.prototxt.caffe_pb2 import LayerParameter

INSIDE = [1, 2, 3, 8, 9]
INVERTED, BELOW = [1, 6, 3, 4, 9], [0, 2, 60, 8, 70]


def roi_pooling(*rois):
    """The layer, its bottoms (maps 2 x 3 x 5 x 7 of ones, in cells of two pixels) and its top."""
    param = LayerParameter(name="pool", type="ROIPooling")
    param.roi_pooling_param.pooled_h, param.roi_pooling_param.pooled_w = 2, 4
    param.roi_pooling_param.spatial_scale = 0.5
    layer = create_layer(param, caffe.TRAIN)
    bottom, top = [Blob((2, 3, 5, 7)), Blob((len(rois), 5))], [Blob()]
    bottom[0].data[...], bottom[1].data[...] = 1, rois
    layer.setup(bottom, top)
    layer.reshape(bottom, top)
    return layer, bottom, top


@pytest.mark.parametrize(
    "roi, text, pooled",
    [
        (INVERTED, r"RoI 1 \(image 1, box 6 3 4 9\) ends before it starts; .* \(1 of 2 RoIs\)", 1),
        (BELOW, r"RoI 1 \(image 0, box 2 60 8 70\) lies outside the image; 0 is pooled there", 0),
    ],
)
def test_warned_of_once(roi, text, pooled):
    layer, bottom, top = roi_pooling(INSIDE, roi)
    with pytest.warns(UserWarning, match=rf"layer 'pool' \(ROIPooling\): {text}") as told:
        layer.forward(bottom, top)
        layer.forward(bottom, top)
    assert len(told) == 1
    np.testing.assert_array_equal(top[0].data[0], 1)
    np.testing.assert_array_equal(top[0].data[1], pooled)


def test_not_warned_of():
    """At the border a RoI of the image may miss the map, which convolutions made smaller."""
    layer, bottom, top = roi_pooling(INSIDE, [0, 0, 11, 3, 13], [0, 6, 6, 6, 6])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer.forward(bottom, top)


@pytest.mark.parametrize("image", [-1, 2, np.nan])
def test_of_no_image(image):
    layer, bottom, top = roi_pooling(INSIDE, [image, *INSIDE[1:]])
    with pytest.raises(caffe.LayerError, match=r"RoI 1 is of image .*; bottom\[0\] holds the images 0 to 1"):
        layer.forward(bottom, top)
