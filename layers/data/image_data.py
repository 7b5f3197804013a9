"""Images from files, with labels from a list."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from caffe_compat.errors import ErrorFactory
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.data.image_batches import ImageBatches
from caffe_compat.layers.data.image_transformer import REFUSED, WITHOUT_EFFECT
from caffe_compat.layers.data.transformer import (
    moved,
    read_image,
    rng_state,
    set_rng_state,
)
from caffe_compat.layers.registry import register
from caffe_compat.rng import Rng, caffe_rng


class Entry(NamedTuple):
    path: str
    label: int
    place: str  # file:line of the list


@register("ImageData")
class ImageData(ImageBatches):
    """Images of the files that image_data_param.source lists, a line each: a path, a blank, a whole number.

    Paths are relative to root_folder. Images are BGR (grey where is_color is false), resized to new_height x
    new_width where these are given. shuffle brings the list into a new random order in every round; rand_skip
    starts up to that many images behind the first. Raises LayerError, with the line of the list, for a line that
    is none of these and for an image that cannot be read.
    Source: Caffe's ImageDataLayer.
    """

    reads = ("transform_param", "image_data_param")
    top_count = (2, 2)
    without_effect = WITHOUT_EFFECT
    refused = {
        **REFUSED,
        **moved("image_data_param", "scale", "mean_file", "crop_size", "mirror"),
        "transform_param.force_color": "images are read in colour unless image_data_param { is_color: false }",
        "transform_param.force_gray": "write it as image_data_param { is_color: false }",
    }

    def open(self) -> None:
        self.image_param = param = self.layer_param.image_data_param
        if bool(param.new_height) != bool(param.new_width):
            raise self.error("new_height and new_width go together; give both or none")
        self.batch_size = param.batch_size
        self.entries = read_list(self, param.source)
        self.order = np.arange(len(self.entries))
        if param.shuffle:
            self.rng = Rng(caffe_rng().draw())
            self.rng.shuffle(self.order)
        self.position = caffe_rng().draw() % param.rand_skip if param.rand_skip else 0
        if self.position >= len(self.entries):
            raise self.error(
                f"rand_skip skips {self.position} of the {len(self.entries)} images in '{param.source}'"
            )

    def current(self) -> tuple[np.ndarray, int, str]:
        entry, param = self.entries[self.order[self.position]], self.image_param
        flag = cv2.IMREAD_COLOR if param.is_color else cv2.IMREAD_GRAYSCALE
        image = read_image(self, param.root_folder + entry.path, flag, entry.place)
        if param.new_height:
            image = cv2.resize(image, (param.new_width, param.new_height)).reshape(
                param.new_height, param.new_width, image.shape[2]
            )
        return image.transpose(2, 0, 1), entry.label, f"{entry.place}: '{entry.path}'"

    def advance(self) -> None:
        self.position = (self.position + 1) % len(self.entries)
        if self.position == 0 and self.image_param.shuffle:
            self.rng.shuffle(self.order)

    def place(self) -> dict[str, np.ndarray]:
        place = {"position": np.array(self.position)}
        if self.image_param.shuffle:
            place |= {"order": self.order.copy(), **rng_state("shuffle", self.rng)}
        return place

    def set_place(self, state: dict[str, np.ndarray]) -> None:
        order = state.get("order", self.order)
        if len(order) != len(self.entries) or int(state["position"]) >= len(order):
            raise self.error(f"'{self.image_param.source}' is not the list that the state was kept with")
        self.order, self.position = order.copy(), int(state["position"])
        if self.image_param.shuffle:
            set_rng_state("shuffle", self.rng, state)


def read_list(owner: ErrorFactory, source: str) -> list[Entry]:
    """The lines of a list of images. Raises owner's error that names the file and the line."""
    entries = []
    for line, place in read_lines(owner, source, "list of images"):
        path, _, label = line.rstrip().rpartition(" ")
        if not path or not label.removeprefix("-").isdecimal():
            raise owner.error(f"{place}: expected a path, a blank and a whole number, found '{line}'")
        entries.append(Entry(path, int(label), place))
    return entries
