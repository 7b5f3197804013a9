"""ROIGenerating."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

INFO = 18  # numbers of a box: see the class


@register("ROIGenerating")
class ROIGenerating(Layer):
    """Samples RoIs from a heatmap: boxes of objects, the worst first, and other places, the hottest first.

    bottom[0]: N x 1 x H x W heatmaps, S scales of an image behind each other. bottom[1]: G x 18 boxes, by image: place
    x y on the map, the RoI there (map, x1 y1 x2 y2 in pixels), the RoI on the maps of the layers behind (the same
    five), class, subclass, box targets (4). bottom[2]: S, the number of aspect ratios A, S scales, S indices of the
    scale whose map the layers behind take instead, A heights, A widths (of boxes, in pixels of the map).
    The tops have batch_size rows, as many an image, up to fg_fraction of them objects (roi_generating_param): rois_sub
    R x 5, sublabels R, and R x 4 classes targets, inside weights and outside weights; unless flag_proposal_only is
    set, also rois R x 5 and labels R. R's axes are followed by two of 1. A place that is no object's has the size of a
    random aspect ratio. The gradient is 0.
    Raises LayerError for shapes and parameters that do not fit, and where a heatmap has too few places.

    Source: ROIGeneratingLayer of SubCNN's Caffe. It draws aspect ratios from the time of day, here they come from the
    net's random numbers; and an image without boxes makes it write too many rows. Xiang et al., Subcategory-aware CNNs
    (2016).
    """

    reads = ("roi_generating_param",)
    origin = "SubCNN"
    bottom_count = (3, 3)
    top_count = (5, 7)
    no_gradient = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param = self.layer_param.roi_generating_param
        wanted = 5 if self.param.flag_proposal_only else 7
        if len(top) != wanted or self.param.batch_size < 1 or not self.param.spatial_scale > 0:
            raise self.error(
                f"there are {len(top)} tops, batch_size is {self.param.batch_size} and spatial_scale "
                f"{self.param.spatial_scale:g}; with flag_proposal_only: {self.param.flag_proposal_only} there are "
                f"{wanted} tops, the others must be above 0"
            )
        if not 0 <= self.param.fg_fraction <= 1:
            raise self.error(f"fg_fraction is {self.param.fg_fraction:g}; it must be from 0 to 1")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Shape the tops. What the other bottoms must have is known with their values."""
        if len(bottom[0].shape) != 4 or bottom[0].channels != 1:
            raise self.error(f"bottom[0] has the shape {bottom[0].shape}; expected heatmaps N x 1 x H x W")
        rows, boxes = self.param.batch_size, 4 * self.param.num_classes
        for blob, width in zip(top, (5, 1, boxes, boxes, boxes, 5, 1), strict=False):
            blob.reshape(rows, width, 1, 1)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        boxes = self._boxes(bottom)
        heat = bottom[0].data.reshape(bottom[0].num, -1).copy()
        self._read(bottom)
        images = len(heat) // len(self.scales)
        each = self.param.batch_size // images
        scores = self._take(heat, boxes, bottom[0].shape[-1])
        of_image = boxes[:, 2].astype(int) // len(self.scales)
        objects, places = [], []
        for image in range(images):
            mine = np.flatnonzero(of_image == image)
            most = int(np.float32(self.param.fg_fraction) * np.float32(each))
            if mine.size > most:
                mine = mine[np.argsort(scores[mine], kind="stable")][:most]
            objects.append(mine)
            places.append(self._hottest(heat, image, each - mine.size))
        for blob in top:
            blob.data.fill(0)
        rows = np.concatenate(objects)
        self._write_objects(top, boxes[rows])
        self._write_places(top, np.concatenate(places), rows.size, bottom[0].shape)

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if propagate_down[0]:
            bottom[0].diff.fill(0)

    def _boxes(self, bottom: Sequence[Blob]) -> np.ndarray:
        if not bottom[0].count:
            raise self.error(
                f"there are no heatmaps to take RoIs from, in the shape {bottom[0].shape}; a net of SubCNN takes so "
                "many images of each as there are scales"
            )
        if bottom[1].count != INFO * bottom[1].num:
            raise self.error(
                f"bottom[1] has the shape {bottom[1].shape}; expected G x {INFO}: place, RoIs, classes, targets"
            )
        boxes = bottom[1].data.reshape(-1, INFO)
        height, width = bottom[0].shape[-2:]
        x, y, number, label = (boxes[:, i] for i in (0, 1, 2, 12))
        fits = (x >= 0) & (x < width) & (y >= 0) & (y < height) & (number >= 0) & (number < bottom[0].num)
        fits &= (label >= 0) & (label < self.param.num_classes)
        if not fits.all():
            row = int(np.argmin(fits))
            raise self.error(
                f"box {row} is at x {x[row]:g}, y {y[row]:g} of map {number[row]:g} and of class {label[row]:g}; the "
                f"heatmaps are {bottom[0].num} of {height} x {width}, the classes 0 to {self.param.num_classes - 1}"
            )
        return boxes

    def _read(self, bottom: Sequence[Blob]) -> None:
        values = bottom[2].data.ravel()
        counts = values[:2]
        if not (
            counts.size == 2
            and np.isfinite(values).all()
            and (counts >= 1).all()
            and values.size >= 2 + 2 * int(counts[0]) + 2 * int(counts[1])
        ):
            raise self.error(
                f"bottom[2] has {values.size} numbers, {values[:2].tolist()} first; expected S, A, 2 S and 2 A numbers"
            )
        scales, ratios = int(counts[0]), int(counts[1])
        ends = np.cumsum([2, scales, scales, ratios, ratios])
        self.scales, mapped, self.heights, self.widths = (values[a:b] for a, b in pairwise(ends))
        self.mapped = mapped.astype(int)
        if bottom[0].num % scales or not ((self.mapped >= 0) & (self.mapped < scales)).all():
            raise self.error(
                f"bottom[2] has {scales} scales mapped to {self.mapped.tolist()}, bottom[0] {bottom[0].num} heatmaps; "
                f"expected a multiple of {scales}, and scales from 0 to {scales - 1}"
            )

    def _take(self, heat: np.ndarray, boxes: np.ndarray, width: int) -> np.ndarray:
        """The heat of each box's place, which is -1 from then on."""
        scores = np.empty(len(boxes), heat.dtype)
        for i, (x, y, number) in enumerate(boxes[:, :3].astype(int)):
            scores[i] = heat[number, y * width + x]
            heat[number, y * width + x] = -1
        return scores

    def _hottest(self, heat: np.ndarray, image: int, count: int) -> np.ndarray:
        """Places of an image's heatmaps, counted through all maps; of equal ones the last is the first."""
        size = len(self.scales) * heat.shape[1]
        mine = heat.ravel()[image * size : (image + 1) * size]
        if count > size:
            raise self.error(
                f"{count} RoIs are wanted of image {image}, whose heatmaps have {size} places; make batch_size smaller"
            )
        return image * size + np.argsort(mine, kind="stable")[::-1][:count]

    def _write_objects(self, top: Sequence[Blob], boxes: np.ndarray) -> None:
        rows = np.arange(len(boxes))
        columns = 4 * boxes[:, 12].astype(int)[:, None] + np.arange(4)
        top[0].data[rows, :, 0, 0] = boxes[:, 2:7]
        top[1].data[rows, 0, 0, 0] = boxes[:, 13]
        for blob, values in zip(top[2:5], (boxes[:, 14:], 1, 1), strict=True):
            blob.data[rows[:, None], columns, 0, 0] = values
        if len(top) > 5:
            top[5].data[rows, :, 0, 0] = boxes[:, 7:12]
            top[6].data[rows, 0, 0, 0] = boxes[:, 12]

    def _write_places(
        self, top: Sequence[Blob], places: np.ndarray, first: int, shape: tuple[int, ...]
    ) -> None:
        *_, height, width = shape
        number, (y, x) = places // (height * width), np.divmod(places % (height * width), width)
        ratio = np.array([caffe_rng().draw() % len(self.widths) for _ in places], int)
        reach = np.stack([self.widths[ratio], self.heights[ratio]]) / 2
        scale = np.float32(self.param.spatial_scale)
        place = np.stack([x, y])
        boxes = np.concatenate([place - reach, place + reach]).T.astype(np.float32) / scale
        rows = slice(first, first + places.size)
        top[0].data[rows, :, 0, 0] = np.column_stack([number, boxes])
        if len(top) > 5:
            image, own = np.divmod(number, len(self.scales))
            part = self.scales[own] / self.scales[-1]
            # beyond the image on the map of its scale, nothing is mapped
            there = np.where((x < width * part) & (y < height * part), self.mapped[own], own)
            larger = self.scales[there] / self.scales[own]
            boxes = boxes * larger[:, None]
            top[5].data[rows, :, 0, 0] = np.column_stack([image * len(self.scales) + there, boxes])
