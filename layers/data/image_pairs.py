"""What the layers share that bring images and maps of labels, from a list of pairs of files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.image_size import resized
from caffe_compat.layers.data.pair_transformer import PairTransformer
from caffe_compat.layers.data.shuffled_list import ShuffledList
from caffe_compat.prototxt.caffe_pb2 import DenseImageDataParameter, ImageDataParameter
from caffe_compat.rng import caffe_rng

BY_MESSAGE = {
    "transform_param.force_color": "images are read in colour unless is_color: false",
    "transform_param.force_gray": "write it as is_color: false",
}


class Pair(NamedTuple):
    path: str
    labels: str  # a path, or what else the list has there
    place: str  # file:line of the list


class ImagePairs(Layer):
    """top[0]: N x channels x height x width; top[1]: the labels of their pixels, N x 1 x height x width.

    The first image of a batch says its size. Images are BGR (grey where is_color is false), paths relative to
    root_folder. shuffle brings the list into a new random order in every round; rand_skip starts up to that many pairs
    behind the first. Raises LayerError, with the line of the list, for what cannot be read or does not fit.
    """

    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    padding: int | None = None  # the label of what a crop exceeds; None: that is an error
    columns = 2  # of the list
    label_step = 1  # every so many rows and columns of the labels are taken
    transformer_class = PairTransformer

    def source(self) -> ImageDataParameter | DenseImageDataParameter:
        """The layer's message."""
        raise NotImplementedError

    def read_labels(self, pair: Pair, image: np.ndarray) -> np.ndarray:
        """The labels of an image that is read and resized: height x width, uint8."""
        return self.read_map(pair)

    def read_map(self, pair: Pair, how: int = cv2.INTER_LINEAR) -> np.ndarray:
        """A grey image of the list's second column, resized as the first; how: cv2's interpolation."""
        path = self.source().root_folder + pair.labels
        return resized(self, read_image(self, path, cv2.IMREAD_GRAYSCALE, pair.place), self.source(), how)[
            :, :, 0
        ]

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.source()
        self.transformer = self.transformer_class(self, self.padding)
        if bool(param.new_height) != bool(param.new_width):
            raise self.error("new_height and new_width go together; give both or none")
        if param.batch_size < 1:
            raise self.error("batch_size is 0; give a positive one")
        self.pairs = read_pairs(self, param.source, self.columns)
        self.list = ShuffledList(self, param.source, len(self.pairs), param.shuffle, param.rand_skip)
        self.transformer.init_rand()
        caffe_rng().draw()  # Caffe seeds its prefetch thread
        self._shape_tops(top, self._current()[0])

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i in range(self.source().batch_size):
            image, labels, name = self._current()
            if i == 0:
                self._shape_tops(top, image)
            whole = np.empty(top[0].shape[2:], top[1].dtype)
            self.transformer.transform_pair(image, labels, top[0].data[i], whole, name)
            top[1].data[i, 0] = whole[:: self.label_step, :: self.label_step]
            self.write_more(top[2:], i, image)
            self.list.advance()

    def write_more(self, top: Sequence[Blob], i: int, image: np.ndarray) -> None:
        """Write what the tops behind the second have of image i (channels x height x width)."""

    def shape_more(self, top: Sequence[Blob]) -> None:
        """Shape the tops behind the second."""

    def get_state(self) -> dict[str, np.ndarray]:
        return self.list.get_state() | self.transformer.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.list.set_state(state)
        self.transformer.set_state(state)

    def _current(self) -> tuple[np.ndarray, np.ndarray, str]:
        """The image (channels x height x width), its labels (height x width), and its name for errors."""
        pair, param = self.pairs[self.list.index], self.source()
        flag = cv2.IMREAD_COLOR if param.is_color else cv2.IMREAD_GRAYSCALE
        image = resized(self, read_image(self, param.root_folder + pair.path, flag, pair.place), param)
        return image.transpose(2, 0, 1), self.read_labels(pair, image), f"{pair.place}: '{pair.path}'"

    def _shape_tops(self, top: Sequence[Blob], image: np.ndarray) -> None:
        channels, *size = self.transformer.shape(image)
        top[0].reshape(self.source().batch_size, channels, *size)
        top[1].reshape(self.source().batch_size, 1, *(n // self.label_step for n in size))
        self.shape_more(top[2:])


def read_pairs(layer: Layer, source: str, columns: int) -> list[Pair]:
    """The lines of a list, of so many words each, two at most. Raises the layer's error, with the line."""
    pairs = []
    for line, place in read_lines(layer, source, "list of images"):
        words = line.split()
        if len(words) < columns:
            expected = "a path" if columns == 1 else "the paths of an image and of its labels"
            raise layer.error(f"{place}: expected {expected}, found '{line}'")
        pairs.append(Pair(words[0], (words[1:] or [""])[0], place))
    return pairs
