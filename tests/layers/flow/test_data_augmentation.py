"""DataAugmentation: the mean of the first forwards, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from layers.harness import Runner

IMAGES = np.arange(8.0).reshape(2, 1, 2, 2)


def augmentation(params, images=IMAGES, phase=TEST) -> Runner:
    return Runner(f'type: "DataAugmentation" augmentation_param {{ {params} }}', [images], phase=phase)


def test_the_first_forwards_make_the_mean():
    runner = augmentation("recompute_mean: 2 mean_per_pixel: false")
    for shift, mean in ((0, 3.5), (2, 4.5), (100, 4.5)):
        runner.bottom[0].data[...] = IMAGES + shift
        np.testing.assert_allclose(runner.forward()[0], IMAGES + shift - mean, rtol=1e-6)
    assert [blob.data.ravel().tolist() for blob in runner.layer.blobs] == [[3], [3, 4, 5, 6], [4.5]]
    assert [(spec.lr_mult, spec.decay_mult) for spec in runner.layer.layer_param.param] == [(0, 0)] * 3


def test_what_would_be_drawn_is_not_built():
    drawn = "crop_width: 1 crop_height: 1 rotate { spread: 3 }"
    augmentation(drawn)
    augmentation("rotate { spread: 3 }", phase=TRAIN)
    for params, phase in ((drawn, TRAIN), (f"{drawn} augment_during_test: true", TEST)):
        with pytest.raises(LayerError, match=r"transformations \(rotate\), which is not built"):
            augmentation(params, phase=phase)


def test_what_is_wrong():
    with pytest.raises(LayerError, match="a crop of 3 x 1 does not fit"):
        augmentation("crop_height: 3 crop_width: 1")
    with pytest.raises(LayerError, match="the bottom must have 3"):
        augmentation("mean: 1 mean: 2 mean: 3 mean_per_pixel: false")
    with pytest.raises(LayerError, match="expected N x C x H x W"):
        augmentation("", np.ones((2, 3)))
    runner = augmentation("recompute_mean: 1")
    with pytest.raises(LayerError, match="the mean image has the shape"):
        runner.feed([np.ones((2, 1, 3, 3))])
