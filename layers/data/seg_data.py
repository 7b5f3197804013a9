"""SegData: images and their maps of labels."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.listed import ListedBatches
from caffe_compat.layers.data.seg_transformer import HONOURED, SegTransformer
from caffe_compat.layers.registry import register
from caffe_compat.prototxt.caffe_pb2 import TransformationParameter
from caffe_compat.rng import Rng

MAGIC = 17  # what the original's order starts from, whatever the seed


@register("SegData")
class SegData(ListedBatches):
    """One image a forward of those that seg_data_param.source lists, and the class of each of its pixels.

    A line has two paths behind root_dir, of an image and of a grey image whose values are the classes. top[0]: 1 x 3 x
    H x W (BGR); top[1]: 1 x 1 x H x W. What happens to both: see SegTransformer. shuffle: another order in every round,
    the same in every run. balance: up to ten times another crop is taken where one class has over 80 % of the pixels.

    Raises LayerError, with the line of the list, for a line that is none, for an image that cannot be read, and for two
    that differ in size.
    Source: SegDataLayer of TSN's fork of Caffe (yjxiong/caffe).
    """

    reads = ("transform_param", "seg_data_param")
    origin = "TSN"
    top_count = (2, 2)
    refused = {
        f"transform_param.{field.name}": f"SegData knows {', '.join(HONOURED)}"
        for field in TransformationParameter.DESCRIPTOR.fields
        if field.name not in HONOURED
    }

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.transformer = SegTransformer(self)
        param = self.layer_param.seg_data_param
        self.start_list(self._read_list(), param.source, shuffle=False)
        if param.shuffle:
            self.list.shuffles, self.list.rng = True, Rng(MAGIC)
            self.list.rng.shuffle(self.list.order)
        self.transformer.init_rand()
        labels = self._read()[1]
        self._reshape(top, self.transformer.crop_size(*labels.shape))

    def _read_list(self) -> list[tuple[str, str, str]]:
        param, entries = self.layer_param.seg_data_param, []
        for line, place in read_lines(self, param.source, "list of images"):
            paths = line.split()
            if len(paths) != 2:
                raise self.error(f"{place}: expected the paths of an image and of its labels, found '{line}'")
            entries.append((param.root_dir + paths[0], param.root_dir + paths[1], place))
        return entries

    def _read(self) -> tuple[np.ndarray, np.ndarray, str]:
        image_path, labels_path, place = self.entry
        image = read_image(self, image_path, cv2.IMREAD_COLOR, place)
        labels = read_image(self, labels_path, cv2.IMREAD_GRAYSCALE, place)[:, :, 0]
        if image.shape[:2] != labels.shape:
            raise self.error(f"{place}: the image has the size {image.shape[:2]}, its labels {labels.shape}")
        return image, labels, f"{place}: '{image_path}'"

    @staticmethod
    def _reshape(top: Sequence[Blob], size: tuple[int, ...]) -> None:
        top[0].reshape(1, 3, *size)
        top[1].reshape(1, 1, *size)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        image = self._read()
        data, labels = self.transformer.transform(*image)
        for _ in range(10 if self.layer_param.seg_data_param.balance else 0):
            if np.unique(labels, return_counts=True)[1].max() <= 0.8 * labels.size:
                break
            data, labels = self.transformer.transform(*image)
        self._reshape(top, labels.shape)
        top[0].data[0], top[1].data[0, 0] = data, labels
        self.advance()
        self.transformer.init_rand()  # this Caffe starts a thread for each batch
