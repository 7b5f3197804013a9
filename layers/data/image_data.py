"""Images from files, with labels from a list."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.data.listed import ListedBatches
from caffe_compat.layers.data.transformer import FORKS_ONLY, moved, read_image
from caffe_compat.layers.registry import register


class Entry(NamedTuple):
    path: str
    label: int
    place: str  # file:line of the list


@register("ImageData")
class ImageData(ListedBatches):
    """Images of the files that image_data_param.source lists, a line each: a path, a blank, a whole number.

    Paths are relative to root_folder. Images are BGR (grey where is_color is false), resized to new_height x
    new_width where these are given; else, where one is smaller than min_height x min_width (of LisaAnne's fork), in
    their ratio so that the side that lacks more is as long as that. shuffle brings the list into a new random order in
    every round; rand_skip starts up to that many images behind the first. Raises LayerError, with the line of the
    list, for a line that is none of these and for an image that cannot be read.
    Source: Caffe's ImageDataLayer.
    """

    reads = ("transform_param", "image_data_param")
    top_count = (2, 2)
    without_effect = ("transform_param.flow",)  # LisaAnne's fork has it for other layers
    refused = {
        **{name: way_out for name, way_out in FORKS_ONLY.items() if name != "transform_param.flow"},
        **moved("image_data_param", "scale", "mean_file", "crop_size", "mirror"),
        "transform_param.force_color": "images are read in colour unless image_data_param { is_color: false }",
        "transform_param.force_gray": "write it as image_data_param { is_color: false }",
    }

    def open(self) -> None:
        self.image_param = param = self.layer_param.image_data_param
        for size in ("new", "min"):
            if bool(getattr(param, f"{size}_height")) != bool(getattr(param, f"{size}_width")):
                raise self.error(f"{size}_height and {size}_width go together; give both or none")
        self.batch_size = param.batch_size
        self.start_list(read_list(self, param.source), param.source, param.shuffle, param.rand_skip)

    def current(self) -> tuple[np.ndarray, int, str]:
        entry, param = self.entry, self.image_param
        flag = cv2.IMREAD_COLOR if param.is_color else cv2.IMREAD_GRAYSCALE
        image = read_image(self, param.root_folder + entry.path, flag, entry.place)
        size = self._size(*image.shape[:2])
        if size != image.shape[:2]:
            image = cv2.resize(image, size[::-1]).reshape(*size, image.shape[2])
        return image.transpose(2, 0, 1), entry.label, f"{entry.place}: '{entry.path}'"

    def _size(self, height: int, width: int) -> tuple[int, int]:
        """That an image of this size is resized to."""
        param = self.image_param
        if param.new_height:
            return param.new_height, param.new_width
        if height >= param.min_height and width >= param.min_width:
            return height, width
        if param.min_width - width > param.min_height - height:
            return _in_ratio(param.min_width, height, width), param.min_width
        return param.min_height, _in_ratio(param.min_height, width, height)


def _in_ratio(side: int, one: int, other: int) -> int:
    """side * one / other, rounded, in the original's precision."""
    return int(float(np.float32(side) * (np.float32(one) / np.float32(other))) + 0.5)


def read_list(owner: ErrorFactory, source: str) -> list[Entry]:
    """The lines of a list of images. Raises owner's error that names the file and the line."""
    entries = []
    for line, place in read_lines(owner, source, "list of images"):
        path, _, label = line.rstrip().rpartition(" ")
        if not path or not label.removeprefix("-").isdecimal():
            raise owner.error(f"{place}: expected a path, a blank and a whole number, found '{line}'")
        entries.append(Entry(path, int(label), place))
    return entries
