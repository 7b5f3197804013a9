"""ImageGtData."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.mscnn.object_data import ObjectData, refused
from caffe_compat.layers.mscnn.object_list import Listed
from caffe_compat.layers.mscnn.object_maps import Field, Rule
from caffe_compat.layers.mscnn.rounding import whole
from caffe_compat.layers.mscnn.scene import Scene
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import ImageGtDataParameter

UNKNOWN, LEAST = 0.4, 0.2  # see Rule
OCTAVE, STEP = 2, np.float32(0.05)  # scales in an octave; between ratios of width to height


@register("ImageGtData")
class ImageGtData(ObjectData):
    """MS-CNN's data: images and their ground truth from a list (image_gt_data_param).

    For the list see object_list.py (objects have no `difficult`), for the tops and what happens to an image
    object_data.py. Images are resized to resize_width x resize_height, if both are given, and cut or padded to
    crop_width x crop_height. do_multiple_scale, with min_scale and max_scale: every second image with objects is made
    larger or smaller by whole and half octaves, so that an object's scale lies between the two; and of these every
    second one is stretched, if min_whaspect and max_whaspect are given, so that the object's ratio of width to
    height does. Places: see Rule, with fg_threshold. Rows of objects: image, x1, y1, x2, y2, class, ignored;
    without any, 0, 1, 1, 2, 2, 1, 1. Images with an object that is not ignored stand fg_img_multiple times in the
    list, which shuffle brings into a new order for each round. scale is the layer's own; mirror and mean_value are
    transform_param's.

    Source: ImageGtDataLayer of zhaoweicai/mscnn, with its random numbers.
    """

    reads = ("transform_param", "image_gt_data_param")
    origin = "MS-CNN"
    without_effect = ("image_gt_data_param.cache_images",)  # but on time and memory
    refused = refused("image_gt_data_param", "mirror", "mean_file") | {
        "transform_param.scale": "use image_gt_data_param.scale"
    }
    columns = 7
    has_difficult = False
    param: ImageGtDataParameter

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.image_gt_data_param
        self.scale = np.float32(param.scale)
        self.rule = Rule(0, param.fg_threshold, UNKNOWN, LEAST)
        self.zooms = param.do_multiple_scale and param.HasField("min_scale") and param.HasField("max_scale")
        self.stretches = param.HasField("min_whaspect") and param.HasField("max_whaspect")
        self.ratios = whole((np.float32(param.max_whaspect) - np.float32(param.min_whaspect)) / STEP)
        if self.zooms and not 0 < param.min_scale <= param.max_scale:
            raise self.error(
                f"min_scale is {param.min_scale} and max_scale {param.max_scale}; expected 0 < min <= max"
            )
        if self.zooms and self.stretches and (param.min_whaspect <= 0 or self.ratios < 1):
            raise self.error(
                f"min_whaspect is {param.min_whaspect:g} and max_whaspect {param.max_whaspect:g}; expected "
                "0 < min < max"
            )
        super().setup(bottom, top)

    def fields(self) -> list[Field]:
        param = self.param
        fields = self.make_fields(param.field_w, param.field_h, param.downsample_rate)
        if not fields:
            raise self.error("there is no field; give field_w, field_h and downsample_rate")
        return fields

    def start_size(self) -> tuple[int, int] | None:
        return self._given("crop") or self._given("resize")

    def arrange(self, images: list[Listed]) -> None:
        several = self.param.fg_img_multiple
        times = [several if len(image.ignored) and not image.ignored.all() else 1 for image in images]
        self.order = np.repeat(np.arange(len(images)), times)
        if not len(self.order):
            raise self.error("fg_img_multiple is 0, and no image is without objects: none is left")
        self.shuffle()

    def shuffle(self) -> None:
        if self.param.shuffle:
            self.rng.shuffle(self.order)

    def prepare(self, scene: Scene) -> None:
        scene.resize(*(self._given("resize") or scene.size))

    def size_of_batch(self, scene: Scene) -> tuple[int, int]:
        return self.start_size() or self.images[-1].size[:0:-1]

    def no_object(self) -> np.ndarray:
        return np.array([[0, 1, 1, 2, 2, 1, 1]], np.float32)

    def zoom(self, scene: Scene, chosen: int | None) -> np.ndarray:
        factors = np.ones(2, np.float32)
        if not self.zooms or chosen is None or not self.draw(2):
            return factors
        size = scene.boxes[chosen, 2:] - scene.boxes[chosen, :2]
        factors *= self._octaves(size)
        if self.stretches and self.draw(2):
            self._stretch(factors, size)
        return factors

    def _octaves(self, size: np.ndarray) -> np.float32:
        """By how much to zoom, so that an object of this size has a drawn scale."""
        low, high = np.float32(self.param.min_scale), np.float32(self.param.max_scale)
        steps = np.arange(whole(OCTAVE * np.log2(high / low) + 1), dtype=np.float32) / np.float32(OCTAVE)
        areas, area = (low * low * np.exp2(2 * steps.astype(np.float64))).astype(np.float32), size.prod()
        nearest = steps[np.argmax(np.minimum(areas, area) / np.maximum(areas, area))]
        return np.exp2(steps[self.draw(len(steps))] - nearest)

    def _stretch(self, factors: np.ndarray, size: np.ndarray) -> None:
        """Give the object another ratio of width to height, unless it becomes too small or too large."""
        ratio = self.draw(self.ratios) * STEP + np.float32(self.param.min_whaspect)
        axis = 0 if self.draw(2) else 1
        with np.errstate(divide="ignore", invalid="ignore"):
            more = ratio / (size[0] / size[1])
            factor = factors[axis] * (more if axis == 0 else 1 / more)
            side = size[axis] * factor
        if self.param.min_scale * 0.8 <= side <= self.param.max_scale * 1.2:
            factors[axis] = factor

    def _given(self, what: str) -> tuple[int, int] | None:
        """Width and height of `crop` or `resize`, if both are given."""
        width, height = getattr(self.param, f"{what}_width"), getattr(self.param, f"{what}_height")
        return (width, height) if width and height else None
