"""DeformablePSROIPooling."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.fast_rcnn.rois import check_shapes, read_rois
from caffe_compat.layers.kernels import deformable_psroi_pooling as kernels
from caffe_compat.layers.registry import register

MOST_SAMPLES = 1000


@register("DeformablePSROIPooling")
class DeformablePSROIPooling(Layer):
    """PSROIPooling whose bins are moved (deformable_psroi_pooling_param).

    bottom[0]: N x (output_dim * group_size^2) x H x W maps. bottom[1]: R x 5 RoIs: index of the image, x1 y1 x2 y2 in
    pixels. bottom[2], unless no_trans is set: R x 2K x part_size x part_size offsets of the parts of a RoI, right
    first, in its widths and heights times trans_std; each K-th of the outputs has its own (part_size 0: group_size).
    top[0]: R x output_dim x group_size x group_size, bin (c, i, j) the mean of sample_per_part x sample_per_part
    bilinear samples of channel (c group_size + i) group_size + j, those outside of the map left out. The RoIs take no
    gradient. Raises LayerError for shapes that do not fit and for a RoI of no image or not finite.

    Source: DeformablePSROIPoolingLayer of caffe_latte, a port for the GPU which leaves pooled_size unread; Dai et al.,
    Deformable Convolutional Networks (2017), section 2.2.
    """

    reads = ("deformable_psroi_pooling_param",)
    bottom_count = (2, 3)
    no_gradient = (1,)
    origin = "Deformable ConvNets"
    without_effect = ("deformable_psroi_pooling_param.pooled_size",)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = param = self.layer_param.deformable_psroi_pooling_param
        least = min(param.output_dim, param.group_size, param.sample_per_part, param.part_size + 1)
        if least < 1 or param.sample_per_part > MOST_SAMPLES:
            raise self.error(
                f"output_dim is {param.output_dim}, group_size {param.group_size}, sample_per_part "
                f"{param.sample_per_part} and part_size {param.part_size}; the first three must be above 0, part_size "
                f"not below, and there may be {MOST_SAMPLES} samples along a side"
            )
        if len(bottom) != (2 if param.no_trans else 3):
            raise self.error(
                f"there are {len(bottom)} bottoms; give maps, RoIs and offsets or, with no_trans: true, maps and RoIs"
            )
        self.scale, self.reach = np.float32(param.spatial_scale), np.float32(param.trans_std)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        check_shapes(self, bottom)
        outputs, group, rois = self.param.output_dim, self.param.group_size, bottom[1].num
        if bottom[0].channels != outputs * group**2:
            raise self.error(
                f"bottom[0] has {bottom[0].channels} channels; output_dim {outputs} and group_size {group} need "
                f"{outputs * group**2}"
            )
        if len(bottom) > 2:
            parts, shape = self.param.part_size or group, bottom[2].shape
            groups = shape[1] // 2 if len(shape) > 1 else 0
            if shape != (rois, 2 * groups, parts, parts) or not groups or outputs % groups:
                raise self.error(
                    f"bottom[2] has the shape {shape}; expected ({rois}, 2 K, {parts}, {parts}) with a divisor K of "
                    f"output_dim {outputs}"
                )
            self.groups = groups
        top[0].reshape(rois, outputs, group, group)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        read_rois(self, bottom, self.scale)
        kernels.deformable_psroi_pooling(*self._inputs(bottom), top[0].data)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        diffs = [np.empty((0, 0, 0, 0), bottom[0].dtype)] * 2
        for i, index in enumerate((0, 2)):
            if any(propagate_down[index : index + 1]):
                bottom[index].diff.fill(0)
                diffs[i] = bottom[index].diff
        kernels.deformable_psroi_pooling_backward(*self._inputs(bottom), top[0].diff, diffs[0], diffs[1])

    def _inputs(
        self, bottom: Sequence[Blob]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.float32, np.float32, int]:
        """Maps, RoIs, offsets (without elements where there are none), and what they are multiplied with."""
        rois = bottom[1].data.reshape(-1, 5)
        offsets = bottom[2].data if len(bottom) > 2 else np.empty((len(rois), 0, 1, 1), bottom[0].dtype)
        if not np.isfinite(offsets).all():
            raise self.error("bottom[2] is not finite; has the training diverged?")
        return bottom[0].data, rois, offsets, self.scale, self.reach, self.param.sample_per_part
