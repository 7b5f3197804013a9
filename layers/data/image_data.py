"""Images from files, with labels from a list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.image_size import resized
from caffe_compat.layers.data.image_transformer import REFUSED, WITHOUT_EFFECT
from caffe_compat.layers.data.listed import ListedBatches
from caffe_compat.layers.data.refused import moved
from caffe_compat.layers.registry import register

OF_MAPS = {
    "image_data_param.label_type": "it is for ImageSegData",
    "image_data_param.ignore_label": "it is for ImageSegData",
    "image_data_param.normalize": "it is for ImageLabelmapData",
}
ONLY_THERE = "it is for ImageData"
OF_IMAGE_DATA = ("new_dim", "bicubic", "label", "min_height", "min_width")


class Entry(NamedTuple):
    path: str
    label: Any  # a whole number, or an array of numbers
    place: str  # file:line of the list


@register("ImageData")
class ImageData(ListedBatches):
    """Images of the files that image_data_param.source lists, a line each: a path, a blank, a whole number.

    Paths are relative to root_folder. Images are BGR (grey where is_color is false), resized to new_height x
    new_width where these are given, or to new_dim pixels along the shorter side (bicubic: by cubes, for this alone);
    else, where one is smaller than min_height x min_width, in their ratio so that the side that lacks more is as long
    as that. shuffle brings the list into a new random order in every round; rand_skip starts up to that many images
    behind the first. With `label: false` a line is a path, and there is one top. Raises LayerError, with the line of
    the list, for a line that is none of these and for an image that cannot be read.
    Source: Caffe's ImageDataLayer; new_dim and bicubic of yihui-he's, label of DeBlurNet's, min_height and min_width
    of LisaAnne's Caffe.
    """

    leaves_out = True
    reads: tuple[str, ...] = ("transform_param", "image_data_param")
    top_count = (1, 2)
    without_effect = (*WITHOUT_EFFECT, "transform_param.flow")  # LisaAnne's Caffe has it for other layers
    refused = {
        **{name: way_out for name, way_out in REFUSED.items() if name != "transform_param.flow"},
        **moved("image_data_param", "scale", "mean_file", "crop_size", "mirror"),
        **OF_MAPS,
        "transform_param.force_color": "images are read in colour unless image_data_param { is_color: false }",
        "transform_param.force_gray": "write it as image_data_param { is_color: false }",
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.check_tops(top)
        super().setup(bottom, top)

    def check_tops(self, top: Sequence[Blob]) -> None:
        """Raise LayerError where the params want another number of tops."""
        if len(top) != 1 + self.layer_param.image_data_param.label:
            raise self.error(f"has {len(top)} tops; expected the images, and the labels unless label: false")

    def open(self) -> None:
        self.image_param = param = self.layer_param.image_data_param
        for size in ("new", "min"):
            if bool(getattr(param, f"{size}_height")) != bool(getattr(param, f"{size}_width")):
                raise self.error(f"{size}_height and {size}_width go together; give both or none")
        if param.new_height and param.new_dim:
            raise self.error("new_dim and new_height exclude each other; keep one")
        self.batch_size = param.batch_size
        self.start_list(self.read_entries(), param.source, param.shuffle, param.rand_skip)

    def read_entries(self) -> list[Entry]:
        """The lines of the list."""
        return read_list(self, self.image_param.source, self.image_param.label)

    def current(self) -> tuple[np.ndarray, int | np.ndarray, str]:
        entry, param = self.entry, self.image_param
        flag = cv2.IMREAD_COLOR if param.is_color else cv2.IMREAD_GRAYSCALE
        image = resized(self, read_image(self, param.root_folder + entry.path, flag, entry.place), param)
        return image.transpose(2, 0, 1), entry.label, f"{entry.place}: '{entry.path}'"


def read_list(owner: ErrorFactory, source: str, has_labels: bool = True) -> list[Entry]:
    """The lines of a list of images. Raises owner's error that names the file and the line."""
    entries = []
    for line, place in read_lines(owner, source, "list of images"):
        path, _, label = line.rstrip().rpartition(" ")
        if not has_labels:
            path, label = line.strip(), "0"
        if not path or not label.removeprefix("-").isdecimal():
            expected = "a path, a blank and a whole number" if has_labels else "a path"
            raise owner.error(f"{place}: expected {expected}, found '{line}'")
        entries.append(Entry(path, int(label), place))
    return entries


def read_number_list(owner: ErrorFactory, source: str, count: int | None = None) -> list[Entry]:
    """The lines of a list of images with `count` numbers each (None: as many as the first line has).

    Raises owner's error that names the file and the line.
    """
    entries = []
    for line, place in read_lines(owner, source, "list of images"):
        path, *words = line.split() or [""]
        try:
            numbers = np.array([float(word) for word in words], np.float32)
        except ValueError:
            numbers = np.empty(0, np.float32)
        count = count or len(numbers)
        if not path or not count or len(numbers) != count:
            raise owner.error(f"{place}: expected a path and {count or 'some'} numbers, found '{line}'")
        entries.append(Entry(path, numbers, place))
    return entries
