"""EvalData."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.refused import others
from caffe_compat.layers.data.transformer import DataTransformer
from caffe_compat.layers.mscnn.object_list import Listed, read_objects, warn_of_missing
from caffe_compat.layers.mscnn.rounding import whole
from caffe_compat.layers.mscnn.scene import Scene
from caffe_compat.layers.registry import register
from caffe_compat.rng import caffe_rng

MULTIPLE = 32  # of what all sizes are


@register("EvalData")
class EvalData(Layer):
    """Images and their objects, one after the other, to test a net on (eval_data_param).

    For the list see object_list.py. top[0]: N x 3 x height x width, images less mean_value, times scale, both of
    transform_param. top[1]: objects, G x 8 x 1 x 1 (image, x1, y1, x2, y2, class, ignored, difficult); without any, a
    row of -1. top[2], if wanted: N x 2 x 1 x 1, height and width of each. Images are resized to resize_width x
    resize_height, or so that the shorter side is short_size, but none longer than long_size (both sides are cut to it,
    each by itself, as in the original); then to the nearest multiples of 32. Without resize_width and resize_height,
    batch_size must be 1. A list that is not there is a warning; the first forward is the error. Raises LayerError, with
    the line of the list, for what cannot be read.

    Source: EvalDataLayer of zhaoweicai/cascade-rcnn.
    """

    reads = ("transform_param", "eval_data_param")
    origin = "Cascade R-CNN"
    bottom_count = (0, 0)
    top_count = (2, 3)
    has_backward = False
    refused = {
        name: "images are read in colour, and sized as eval_data_param says"
        for name in others("scale", "mean_value")
    } | {"eval_data_param.scale": "write it as transform_param { scale: ... }"}

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.param = self.layer_param.eval_data_param
        if param.batch_size < 1:
            raise self.error("batch_size is 0; give a positive one")
        self.fixed = param.HasField("resize_width") and param.HasField("resize_height")
        self.fits = param.HasField("short_size") and param.HasField("long_size")
        if not self.fixed and param.batch_size != 1:
            raise self.error(
                f"batch_size is {param.batch_size}; images may differ in size unless resize_width and resize_height "
                "are given: set it to 1"
            )
        transformer = DataTransformer(self)
        self.mean = np.float32(0) if transformer.mean is None else transformer.mean
        if np.size(self.mean) not in (1, 3):
            raise self.error(f"there are {np.size(self.mean)} mean_values for 3 channels; give one, or 3")
        self.images: list[Listed] = []
        self.position = 0
        if not (self.fixed or self.fits) or not warn_of_missing(self, param.source):
            self._read_list()
        caffe_rng().draw()  # Caffe seeds its prefetch thread
        width, height = self._start_size()
        top[0].reshape(param.batch_size, 3, height, width)
        top[1].reshape(1, 8, 1, 1)
        for blob in top[2:]:
            blob.reshape(param.batch_size, 2, 1, 1)

    def get_state(self) -> dict[str, np.ndarray]:
        return {"position": np.array(self.position)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.position = int(state["position"])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if not self.images:
            self._read_list()
        rows: list[np.ndarray] = []
        for item in range(self.param.batch_size):
            listed = self.images[self.images[self.position % len(self.images)].index]
            scene = self._scene(listed)
            if item == 0:
                top[0].reshape(self.param.batch_size, 3, *scene.size[::-1])
            pixels = scene.image.transpose(2, 0, 1).astype(top[0].dtype)
            top[0].data[item] = (pixels - self.mean) * np.float32(self.layer_param.transform_param.scale)
            for blob in top[2:]:
                blob.data[item, :, 0, 0] = scene.size[::-1]
            boxes = [
                np.full(len(listed.labels), item),
                *scene.boxes.T,
                listed.labels,
                listed.ignored,
                listed.difficult,
            ]
            rows.append(np.column_stack(boxes))
            self.position = (self.position + 1) % len(self.images)
        found = np.concatenate(rows)
        found = found if len(found) else np.full((1, 8), -1)
        top[1].reshape(len(found), 8, 1, 1)
        top[1].data[..., 0, 0] = found

    def _read_list(self) -> None:
        self.images = read_objects(self, self.param.source, self.param.root_folder, has_difficult=True)

    def _start_size(self) -> tuple[int, int]:
        if self.fixed:
            return self.param.resize_width, self.param.resize_height
        if self.fits:
            return self.param.short_size, self.param.long_size
        return self.images[-1].size[2], self.images[-1].size[1]

    def _scene(self, listed: Listed) -> Scene:
        image = read_image(self, listed.path, cv2.IMREAD_COLOR, listed.place)
        scene = Scene(image, listed.boxes, listed.regions)
        size: tuple[int, ...] = scene.size
        if self.fixed:
            size = self.param.resize_width, self.param.resize_height
        elif self.fits:
            factor = np.float32(self.param.short_size) / np.float32(min(size))
            size = tuple(min(whole(side * factor), self.param.long_size) for side in size)
        width, height = (whole(side / MULTIPLE) * MULTIPLE for side in size)
        if not width or not height:
            raise self.error(
                f"{listed.place}: '{listed.path}' would have {width} x {height} pixels, multiples of 32"
            )
        scene.resize(width, height)
        return scene
