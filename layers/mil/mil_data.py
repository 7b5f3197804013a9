"""MILData."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack

import cv2
import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.hdf5_files import opened
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.common.warn_once import warn_once
from caffe_compat.layers.data.image_files import read_image
from caffe_compat.layers.data.refused import others
from caffe_compat.layers.kernels.rounding import c_round
from caffe_compat.layers.registry import register
from caffe_compat.rng import Rng, caffe_rng

USUAL_MEAN = 128


@register("MILData")
class MILData(SharedOut):
    """Images at several scales, and which words each has (mil_data_param).

    source: a list of names, between blanks; the image of each is root_dir/name.ext, its labels are the dataset
    labels-name, 1 x 1 x n_classes x 1, of the HDF5 file label_file. top[0]: images_per_batch num_scales x channels x
    crop_size x crop_size: an image's longer side has crop_size pixels, at each further scale scale_factor times as
    many, in the upper left corner; less mean_value (128 each where there is none), times scale, cut to a whole number;
    the rest is 0. mirror turns every image. top[1]: images_per_batch x n_classes x 1 x 1. randomize draws each image
    from a stream that the global one starts; else they come in their order. Needs the extra `h5`. Raises LayerError for
    lists, images, labels and params that do not fit.
    Source: MILDataLayer of MSRCCS' Caffe, for visual-concepts (Fang et al., From Captions to Visual Concepts, 2015);
    it leaves the rest of the batch 0 where an image cannot be read.
    """

    reads = ("transform_param", "mil_data_param")
    origin = "visual-concepts"
    bottom_count = (0, 0)
    top_count = (2, 2)
    has_backward = False
    refused = others("scale", "mirror", "crop_size", "mean_value")

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.param, transform = self.layer_param.mil_data_param, self.layer_param.transform_param
        self.size, self.mirror = transform.crop_size, transform.mirror
        self._check()
        self.scale = int(transform.scale)
        if self.scale != transform.scale:
            warn_once(
                self,
                f"scale {transform.scale:g} is cut to {self.scale}, as in the original; give a whole number",
            )
        self.mean = np.array(transform.mean_value or [USUAL_MEAN] * self.param.channels, np.float32)
        if len(self.mean) != self.param.channels:
            raise self.error(
                f"there are {len(self.mean)} mean_value; expected one for each of {self.param.channels}"
            )
        lines = read_lines(self, self.param.source, "list of images")
        self.names = [(name, place) for line, place in lines for name in line.split()]
        self.rng, self.counter = Rng(caffe_rng().draw()), 0
        self._open_labels()
        images = self.param.images_per_batch
        top[0].reshape(images * self.param.num_scales, self.param.channels, self.size, self.size)
        top[1].reshape(images, self.param.n_classes, 1, 1)

    def _check(self) -> None:
        param = self.param
        counts = {name: getattr(param, name) for name in ("images_per_batch", "n_classes", "num_scales")}
        for name, count in (counts | {"crop_size": self.size}).items():
            if count < 1:
                raise self.error(f"{name} is {count}; it must be at least 1")
        if not 1 <= param.channels <= 3:
            raise self.error(f"channels is {param.channels}; images have 3")
        scale = self.layer_param.transform_param.scale
        if not abs(scale) < 2**31:
            raise self.error(f"scale is {scale:g}; expected a finite number, below 2**31")
        if not 0 < param.scale_factor <= 1:
            raise self.error(f"scale_factor is {param.scale_factor:g}; it must be above 0, and 1 at most")

    def _open_labels(self) -> None:
        h5py, path = optional_import(self.error, "h5py", "h5"), self.param.label_file
        self.files = ExitStack()
        try:
            self.labels = self.files.enter_context(opened(h5py, path))
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
            raise self.error(f"cannot read the labels '{path}': {reason}") from error

    def get_state(self) -> dict[str, np.ndarray]:
        return {"place": np.array(self.counter), **rng_state("sampling", self.rng)}

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.counter = int(state["place"])
        set_rng_state("sampling", self.rng, state)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for turn in range(self.count):
            for i in range(self.param.images_per_batch):
                index, drawn = self.counter, self.rng.draw()  # drawn in both cases
                self.counter += 1
                if turn == self.rank:
                    self._serve(top, i, drawn if self.param.randomize else index)

    def _serve(self, top: Sequence[Blob], i: int, index: int) -> None:
        name, place = self.names[index % len(self.names)]
        path = f"{self.param.root_dir}/{name}.{self.param.ext}"
        image = read_image(self, path, cv2.IMREAD_COLOR, place)
        side = np.float32(self.size)
        for k in range(self.param.num_scales):
            item = top[0].data[i * self.param.num_scales + k]
            self._write(item, image, int(c_round(side)), f"{place}: '{path}'")
            side = max(np.float32(1), side * np.float32(self.param.scale_factor))
        top[1].data[i, :, 0, 0] = self._labels(name, place)
        self.images_read += 1

    def _write(self, item: np.ndarray, image: np.ndarray, side: int, place: str) -> None:
        """Write an image whose longer side is `side` into item, channels x crop_size x crop_size."""
        height, width = image.shape[:2]
        size = (side, height * side // width) if width > height else (width * side // height, side)
        if min(size) < 1:
            raise self.error(
                f"{place} of {height} x {width} pixels has no pixels left with {side} of the longer side"
            )
        pixels = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        if self.mirror:
            pixels = pixels[:, ::-1]
        item[...] = 0
        values = pixels[..., : len(item)].astype(np.float32) - self.mean
        item[:, : size[1], : size[0]] = (values * np.float32(self.scale)).transpose(2, 0, 1)

    def _labels(self, name: str, place: str) -> np.ndarray:
        where, expected = f"'{self.param.label_file}'", (1, 1, self.param.n_classes, 1)
        try:
            found = self.labels.get(f"labels-{name}")
            if getattr(found, "shape", None) != expected or found.dtype.kind not in "biuf":
                has = (
                    f"has labels-{name} in the shape {found.shape}" if hasattr(found, "shape") else "lacks it"
                )
                raise self.error(
                    f"{place}: expected numbers labels-{name}, {expected}, in {where}, which {has}"
                )
            return np.asarray(found, np.float32).ravel()
        except (OSError, ValueError) as error:
            raise self.error(f"{place}: labels-{name} of {where} cannot be read: {error}") from error
