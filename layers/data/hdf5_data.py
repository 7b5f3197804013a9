"""Arrays from HDF5 files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.hdf5_files import opened
from caffe_compat.layers.common.list_file import read_lines
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.layers.common.order import is_order
from caffe_compat.layers.common.rng_state import rng_state, set_rng_state
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.registry import register
from caffe_compat.rng import Rng, caffe_rng


@register("HDF5Data")
class HDF5Data(SharedOut):
    """Rows of the HDF5 files that hdf5_data_param.source lists: each top the dataset of its own name.

    The tops have batch_size rows, which may come from several files. shuffle brings the files, and the rows within
    each, into a new random order in every round. Raises LayerError, with the line of the list, for a file that
    cannot be read, that lacks a dataset, or whose datasets do not fit together or to the first file. Needs the
    extra `h5`.
    Source: Caffe's HDF5DataLayer; that shuffles with the C library's random numbers, this with a stream that
    starts from the global one, so that a seed tells the order.
    """

    reads = ("hdf5_data_param",)
    bottom_count = (0, 0)
    top_count = (1, None)
    has_backward = False
    refused = {"transform_param": "HDF5 data is not transformed: remove it"}

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        param = self.layer_param.hdf5_data_param
        if param.batch_size == 0:
            raise self.error("batch_size is 0; give a positive one")
        self.names = list(self.layer_param.top)
        lines = read_lines(self, param.source, "list of HDF5 files")
        self.files = [(path, place) for line, place in lines for path in line.split()]
        self.file_order = np.arange(len(self.files))
        self.rng = Rng(caffe_rng().draw()) if param.shuffle else None
        self.file = self.row = 0
        self.row_shapes: list[tuple[int, ...]] = []
        self.arrays: list[np.ndarray] = []  # of the present file, one a top, once a row of it is served
        self.row_order = np.arange(0)
        self._shuffle(self.file_order)
        self._load()
        for blob, shape in zip(top, self.row_shapes, strict=True):
            blob.reshape(param.batch_size, *shape)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for turn in range(self.count):
            for i in range(self.layer_param.hdf5_data_param.batch_size):
                if turn == self.rank:
                    self._serve(top, i)
                self._next()

    def _serve(self, top: Sequence[Blob], i: int) -> None:
        if not self.arrays:
            with self._file() as file:
                self.arrays = [np.asarray(file[name], self.dtype) for name in self.names]
        for blob, array in zip(top, self.arrays, strict=True):
            blob.data[i] = array[self.row_order[self.row]]
        self.images_read += 1

    def get_state(self) -> dict[str, np.ndarray]:
        place = np.array([self.file, self.row])
        state = {"place": place, "file_order": self.file_order.copy(), "row_order": self.row_order.copy()}
        return state | (rng_state("shuffle", self.rng) if self.rng else {})

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        source = self.layer_param.hdf5_data_param.source
        if not is_order(state["file_order"], len(self.files)):
            raise self.error(f"'{source}' is not the list that the state was kept with")
        self.file_order = state["file_order"].copy()
        self.file, self.row = (int(i) for i in state["place"])
        if not 0 <= self.file < len(self.files):
            raise self.error(f"'{source}' has no file {self.file}, where the state was kept")
        self._load()
        count = len(self.row_order)
        if not is_order(state["row_order"], count) or not 0 <= self.row < count:
            raise self.error(f"{self._place()} has other rows than when the state was kept")
        self.row_order = state["row_order"].copy()
        if self.rng:
            set_rng_state("shuffle", self.rng, state)

    def _next(self) -> None:
        self.row += 1
        if self.row < len(self.row_order):
            return
        self.row = 0
        if len(self.files) > 1:
            self.file = (self.file + 1) % len(self.files)
            if self.file == 0:
                self._shuffle(self.file_order)
            self._load()
        else:
            self._shuffle(self.row_order)

    def _shuffle(self, order: np.ndarray) -> None:
        if self.rng:
            self.rng.shuffle(order)

    def _place(self) -> str:
        path, place = self.files[self.file_order[self.file]]
        return f"{place}: '{path}'"

    @contextmanager
    def _file(self) -> Iterator[Any]:
        """The present file, open."""
        h5py = optional_import(self.error, "h5py", "h5")
        try:
            with opened(h5py, self.files[self.file_order[self.file]][0]) as file:
                missing = [name for name in self.names if not isinstance(file.get(name), h5py.Dataset)]
                if missing:
                    raise self.error(f"{self._place()} lacks the datasets {missing}; it has {sorted(file)}")
                yield file
        except (OSError, ValueError) as error:
            reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else error
            raise self.error(f"{self._place()} cannot be read: {reason}") from error

    def _load(self) -> None:
        """Go to the present file, and begin a new order of its rows, which are read when one is served."""
        self.arrays = []
        with self._file() as file:
            for name in self.names:
                if file[name].dtype.kind not in "biuf":
                    raise self.error(
                        f"{self._place()}: the dataset '{name}' holds {file[name].dtype}; expected numbers"
                    )
            shapes: list[tuple[int, ...]] = [file[name].shape or () for name in self.names]
            if len({shape[:1] for shape in shapes}) != 1 or shapes[0][:1] in ((), (0,)):
                raise self.error(
                    f"{self._place()} has datasets of the shapes {shapes}; expected as many rows in each"
                )
            if self.row_shapes and self.row_shapes != [shape[1:] for shape in shapes]:
                raise self.error(f"{self._place()} has rows of other shapes ({shapes}) than the first file")
            self.row_shapes = [shape[1:] for shape in shapes]
            self.row_order = np.arange(shapes[0][0])
        self._shuffle(self.row_order)
