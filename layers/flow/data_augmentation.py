"""DataAugmentation, as nets that are run have it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import TRAIN, Layer
from caffe_compat.layers.common.learnable import set_up_params
from caffe_compat.layers.common.lines import Line, sampled
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import AugmentationParameter, FillerParameter

GENERATORS = [
    field.name
    for field in AugmentationParameter.DESCRIPTOR.fields
    if field.message_type and field.message_type.name == "RandomGeneratorParameter"
]
OTHERS = [
    *("write_augmented", "write_mean", "mode", "max_multiplier", "augment_during_test"),
    *("bottomwidth", "bottomheight", "num", "chromatic_eigvec"),
]
BORDER = np.float32(1.05)


@register("DataAugmentation")
class DataAugmentation(Layer):
    """The middle of images, less their mean (augmentation_param); what is random there is not built.

    bottom: N x C x H x W. top: N x C x crop_height x crop_width, the middle, bilinear where it lies between pixels; the
    last row and column of a map are 0.05 pixels before its end, as there. Without both fields it is the bottom.

    With recompute_mean, params: how many forwards there were (1 x 1 x 1 x 1), the mean image (1 x C x crop_height x
    crop_width) and the mean of each channel (1 x C x 1 x 1). The first recompute_mean forwards, in phase TEST too, move
    the mean; it is subtracted pixel by pixel, or with mean_per_pixel: false channel by channel. They are not learned:
    their lr_mult and decay_mult become 0. Without it there is the first param only, and with mean_per_pixel: false
    three numbers `mean` are subtracted. Forward only. Raises LayerError in phase TRAIN, or with augment_during_test,
    for a crop with fields that draw transformations, for crops larger than the bottom, and for a mean of other than 3
    channels.

    Source: DataAugmentationLayer of lmb-freiburg/flownet2, its GPU kernels: there are none for the CPU.
    """

    reads = ("augmentation_param",)
    without_effect = tuple(f"augmentation_param.{name}" for name in (*OTHERS, *GENERATORS))
    changes_params = True
    has_backward = False
    origin = "FlowNet2"

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param, shape = self.layer_param.augmentation_param, bottom[0].shape
        drawn = [name for name in GENERATORS if param.HasField(name)]
        self.crops = param.HasField("crop_width") and param.HasField("crop_height")
        if self.crops and drawn and (self.phase == TRAIN or param.augment_during_test):
            raise self.error(
                f"it would draw transformations ({', '.join(drawn)}), which is not built; transform the images before, "
                "and remove these fields"
            )
        if len(shape) != 4:
            raise self.error(f"the bottom has the shape {shape}, expected N x C x H x W")
        shapes = [(1, 1, 1, 1)]
        if param.recompute_mean:
            shapes += [(1, shape[1], *self._sizes(shape)), (1, shape[1], 1, 1)]
        elif self._is_given() and shape[1] != 3:
            raise self.error(f"there are 3 numbers `mean`, and {shape[1]} channels; the bottom must have 3")
        set_up_params(self, *((shape, FillerParameter()) for shape in shapes))
        while len(self.layer_param.param) < len(shapes):
            self.layer_param.param.add()
        for spec in self.layer_param.param:
            spec.lr_mult = spec.decay_mult = 0

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
        top[0].reshape(*shape[:2], *self._sizes(shape))
        if len(self.blobs) > 1 and self.blobs[1].shape[1:] != top[0].shape[1:]:
            raise self.error(
                f"the mean image has the shape {self.blobs[1].shape}, the top {top[0].shape}; give crop_height and "
                "crop_width"
            )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.crops:
            places = zip(bottom[0].shape[2:], top[0].shape[2:], strict=True)
            top[0].data[...] = sampled(bottom[0].data, *(_middle(size, count) for size, count in places))
        else:
            top[0].data[...] = bottom[0].data
        param = self.layer_param.augmentation_param
        self.blobs[0].data[...] = np.trunc(self.blobs[0].data) + 1
        if self._is_given():
            top[0].data[...] -= np.array(param.mean, self.dtype)[:, None, None]
        if not param.recompute_mean:
            return
        count, image, channels = (blob.data for blob in self.blobs)
        if count.item() <= param.recompute_mean and len(top[0].data):
            image[...] = (image * (count - 1) + top[0].data.mean(axis=0)) / count
            channels[...] = image.mean(axis=(2, 3), keepdims=True)
        top[0].data[...] -= image if param.mean_per_pixel else channels


def _middle(size: int, count: int) -> Line:
    """The places of `count` pixels in the middle of `size`."""
    places = np.arange(count, dtype=np.float32) + np.float32(size / 2 - count / 2)
    return Line(np.clip(places, 0, max(np.float32(size) - BORDER, 0)), size)
