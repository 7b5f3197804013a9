"""BoxOutput."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.anchors import Anchors, bounds, last_axis
from caffe_compat.layers.mscnn.bbox_reg import BBoxReg
from caffe_compat.layers.mscnn.proposals import Proposals
from caffe_compat.layers.registry import register


@register("BoxOutput")
class BoxOutput(Proposals):
    """RoIs from maps of scores and offsets, one map a scale (box_output_param).

    Each bottom: N x (classes + 4) x H x W, scores of the background and of the other classes (no probabilities), and
    offsets of a box of field_w x field_h around the place; cells are downsample_rate pixels apart. These three are
    given once a bottom, in their order. A box scores what its best class has above the background; it counts from
    fg_thr on, and where it is at least min_size pixels wide and high inside the image. Offsets are times bbox_std, plus
    bbox_mean, and at most a field / field_xyr away and field_whr times larger or smaller. Tops: see proposals.py.
    Nothing takes a gradient. Of equal scores the last place comes first, as in the original.
    A box that begins outside of the image is moved in as it is, not cut, as in the original.

    Source: BoxOutputLayer of zhaoweicai/mscnn; Cai et al., A Unified Multi-scale Deep CNN (2016), section 3.
    """

    reads = ("bbox_reg_param", "box_output_param")
    origin = "MS-CNN"
    without_effect = ("bbox_reg_param.cls_aware",)
    bottom_count = (1, None)
    pixel = 0

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.box_output_param
        counts = [len(values) for values in (param.field_w, param.field_h, param.downsample_rate)]
        if counts != [len(bottom)] * 3:
            raise self.error(
                f"there are {len(bottom)} bottoms, and {counts[0]} field_w, {counts[1]} field_h and {counts[2]} "
                "downsample_rate; give as many of each"
            )
        super().setup(bottom, top)
        self.regression = BBoxReg(self)
        self.bounds = bounds(self, param.field_xyr, param.field_whr)
        scales = zip(param.field_w, param.field_h, param.downsample_rate, strict=True)
        self.anchors = [Anchors(self, [width], [height], stride) for width, height, stride in scales]

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for index, blob in enumerate(bottom):
            if len(blob.shape) != 4 or blob.shape[:2] != bottom[0].shape[:2] or blob.channels < 6:
                raise self.error(
                    f"bottom[{index}] has the shape {blob.shape}, bottom[0] {bottom[0].shape}; expected N x C x H x W, "
                    "N and C alike, with the scores of two classes or more and four offsets"
                )

    def images(self, bottom: Sequence[Blob]) -> int:
        return bottom[0].num

    def candidates(self, bottom: Sequence[Blob], image: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        each = [self._boxes(blob, anchors, image) for blob, anchors in zip(bottom, self.anchors, strict=True)]
        boxes, scores = (np.concatenate(values) for values in zip(*each, strict=True))
        order = np.argsort(scores, kind="stable")[::-1]
        boxes, scores = boxes[order], scores[order]
        corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        return corners, boxes[:, 2] * boxes[:, 3], scores

    def _boxes(self, blob: Blob, anchors: Anchors, image: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes x y w h of one scale that count, and their scores, in the order of their places."""
        maps = last_axis(blob.data[image : image + 1])
        scores, offsets = maps[..., :-4], self.regression.restored(maps[..., -4:])
        boxes = anchors.decoded(np.clip(offsets, *self.bounds)).reshape(-1, 4)
        size = np.array(blob.shape[:1:-1], np.float32) * anchors.stride
        boxes[:, :2] = np.maximum(boxes[:, :2], 0)
        boxes[:, 2:] = np.minimum(boxes[:, 2:], size - boxes[:, :2])
        score = (scores[..., 1:].max(axis=-1) - scores[..., 0]).ravel()
        counts = (score >= np.float32(self.param.fg_thr)) & (boxes[:, 2:] >= self.param.min_size).all(axis=1)
        return boxes[counts], score[counts]
