"""DataAugmentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.flow.augmenting import all_but, check_rows
from caffe_compat.layers.flow.coefficients import (
    CONTRAST,
    COUNT,
    EIGEN,
    UNCHANGED,
    Coefficients,
    differ,
    from_row,
    to_row,
    without_traces,
)
from caffe_compat.layers.flow.colours import change_colours, has_effects
from caffe_compat.layers.flow.drawing import GENERATORS, Augmentation, schedule
from caffe_compat.layers.flow.transformation import matrix, places, sampled_at
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import FillerParameter


@register("DataAugmentation")
class DataAugmentation(Layer):
    """Parts of images, transformed at random and less their mean (augmentation_param).

    bottom[0]: N x C x H x W. top[0]: N x C x crop_height x crop_width, its pixels bilinear where they lie between the
    bottom's; the last row and column of a map are 0.05 pixels before its end, as there. Without both fields it is the
    bottom. What there is a generator for is drawn in phase TRAIN, or with augment_during_test, for each image: where it
    lies (anew until the corners of the top are in the image, 49 times at most), contrast, colours along the axes
    chromatic_eigvec (9 numbers, an axis after the other), a shadow and noise. All but the first need 3 channels; then
    pixels are from 0 to max_multiplier. Spreads grow as coeff_schedule_param says. Nothing draws fog and blur, whose
    coefficients are kept. bottom[1]: N x 42 x 1 x 1 coefficients to take instead of drawing; top[1]: those of this
    layer. See GenerateAugmentationParameters.

    With recompute_mean, params: how many forwards there were (1 x 1 x 1 x 1), the mean image (1 x C x crop_height x
    crop_width) and the mean of each channel (1 x C x 1 x 1). The first recompute_mean forwards, in phase TEST too, move
    the mean; it is subtracted pixel by pixel, or with mean_per_pixel: false channel by channel. They are not learned:
    their lr_mult and decay_mult become 0. Without it there is the first param only, and with mean_per_pixel: false
    three numbers `mean` are subtracted. Forward only. Raises LayerError for a generator that cannot be, for crops
    larger than the bottom, where colours are to change without 3 channels or axes, and for a mean of not 3 channels.

    Source: DataAugmentationLayer of lmb-freiburg/flownet2, its GPU kernels: there are none for the CPU; its order of
    draws, but for noise, which its GPU draws.
    """

    reads = ("coeff_schedule_param", "augmentation_param")
    without_effect = all_but(
        *("recompute_mean", "mean_per_pixel", "mean", "crop_width", "crop_height", "augment_during_test"),
        *("max_multiplier", "chromatic_eigvec"),
        *GENERATORS,
    )
    bottom_count = (1, 2)
    top_count = (1, 2)
    changes_params = True
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.augmentation_param, bottom[0].shape
        self.crops = param.HasField("crop_width") and param.HasField("crop_height")
        self.augmentation = Augmentation(self)
        self._check(shape)
        shapes = [(1, 1, 1, 1)]
        if param.recompute_mean:
            shapes += [(1, shape[1], *self._sizes(shape)), (1, shape[1], 1, 1)]
        set_up_params(self, *((shape, FillerParameter()) for shape in shapes))
        while len(self.layer_param.param) < len(shapes):
            self.layer_param.param.add()
        for spec in self.layer_param.param:
            spec.lr_mult = spec.decay_mult = 0

    def _check(self, shape: tuple[int, ...]) -> None:
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        if self._is_given() and shape[1] != 3:
            raise self.error(f"there are 3 numbers `mean`, and {shape[1]} channels; the bottom must have 3")

    def _sizes(self, shape: tuple[int, ...]) -> tuple[int, int]:
        param = self.layer_param.augmentation_param
        sizes = (param.crop_height, param.crop_width) if self.crops else (shape[2], shape[3])
        if min(sizes) < 1 or sizes[0] > shape[2] or sizes[1] > shape[3]:
            raise self.error(f"a crop of {sizes[0]} x {sizes[1]} does not fit into a bottom of {shape}")
        return sizes

    def _is_given(self) -> bool:
        """Whether the mean of each channel is."""
        param = self.layer_param.augmentation_param
        return len(param.mean) == 3 and not param.mean_per_pixel and not param.recompute_mean

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        shape = bottom[0].shape
        self._check(shape)
        top[0].reshape(*shape[:2], *self._sizes(shape))
        if len(self.blobs) > 1 and self.blobs[1].shape[1:] != top[0].shape[1:]:
            raise self.error(
                f"the mean image has the shape {self.blobs[1].shape}, the top {top[0].shape}; give crop_height and "
                "crop_width"
            )
        if len(bottom) > 1:
            check_rows(self, bottom[1].shape, shape[0], "bottom[1]")
        for blob in top[1:]:
            blob.reshape(shape[0], COUNT, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.augmentation_param
        self.blobs[0].data[...] = np.trunc(self.blobs[0].data) + 1
        rows = self._rows(bottom)
        for blob in top[1:]:
            blob.data[...] = rows.reshape(blob.shape)
        if self.crops:
            self._transform(bottom[0].data, [without_traces(from_row(row)) for row in rows], top[0].data)
        else:
            top[0].data[...] = bottom[0].data
        if self._is_given():
            top[0].data[...] -= np.array(param.mean, self.dtype)[:, None, None]
        if not param.recompute_mean:
            return
        count, image, channels = (blob.data for blob in self.blobs)
        if count.item() <= param.recompute_mean and len(top[0].data):
            image[...] = (image * (count - 1) + top[0].data.mean(axis=0)) / count
            channels[...] = image.mean(axis=(2, 3), keepdims=True)
        top[0].data[...] -= image if param.mean_per_pixel else channels

    def _rows(self, bottom: Sequence[Blob]) -> np.ndarray:
        """The coefficients of each image, N x 42."""
        images = bottom[0].data
        if len(bottom) > 1:
            return bottom[1].data.reshape(len(images), COUNT)
        rows = np.zeros((len(images), COUNT), np.float32)
        if self.crops:
            spread_by = schedule(self.layer_param.coeff_schedule_param, self.blobs[0].data.item())
            for row in rows:
                row[...] = to_row(self._drawn(spread_by, images.shape))
        return rows

    def _drawn(self, spread_by: np.float32, shape: tuple[int, ...]) -> Coefficients:
        found = self.augmentation.placed(UNCHANGED, spread_by, self._sizes(shape), shape[2:])
        for part in self.augmentation.coloured(spread_by):
            found = found | part
        return found

    def _transform(self, images: np.ndarray, coefficients: list[Coefficients], out: np.ndarray) -> None:
        crop = out.shape[2:]
        for image, one, result in zip(images, coefficients, out, strict=True):
            place = matrix(one, crop, images.shape[2:]).astype(self.dtype)
            result[...] = sampled_at(image, *places(place, crop))
        if any(differ(one, (*EIGEN, *CONTRAST)) or has_effects(one) for one in coefficients):
            param = self.layer_param.augmentation_param
            change_colours(
                out, images, coefficients, self._axes(images, coefficients), np.float32(param.max_multiplier)
            )

    def _axes(self, images: np.ndarray, coefficients: list[Coefficients]) -> np.ndarray:
        axes = np.array(self.layer_param.augmentation_param.chromatic_eigvec, np.float32)
        if images.shape[1] != 3:
            raise self.error(
                f"colours are to change, and there are {images.shape[1]} channels; there have to be 3"
            )
        if axes.size != 9:
            if any(differ(one, EIGEN) for one in coefficients):
                raise self.error(f"chromatic_eigvec has {axes.size} numbers; give 9, three axes of colours")
            return np.eye(3, dtype=np.float32)
        return axes.reshape(3, 3)
