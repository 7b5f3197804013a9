"""What Data and ImageData share: batches of transformed images, one after the other, from a place in a source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caffe_compat.blob import Blob
from caffe_compat.layers.common.shared_out import SharedOut
from caffe_compat.layers.data.image_transformer import ImageTransformer


class ImageBatches(SharedOut):
    """top[0]: batch_size images, N x channels x height x width, transformed; top[1]: their labels, N x label_shape.

    The first image of a batch says its size, and the others must be like it. Subclasses give the source.
    Source: Caffe's BasePrefetchingDataLayer, without its thread, but with the random number that starts it.
    """

    bottom_count = (0, 0)
    has_backward = False
    batch_size: int
    transformer: Any
    label_shape: tuple[int, ...] = ()  # of one image's
    leaves_out = False  # whether `forward` is the one here, and `current` draws nothing

    def open(self) -> None:
        """Find the source and the first image; set batch_size."""
        raise NotImplementedError

    def current(self) -> tuple[np.ndarray, int | np.ndarray, str]:
        """The image (channels x height x width), its label, and its name for errors."""
        raise NotImplementedError

    def advance(self) -> None:
        """Go to the next image; behind the last comes the first."""
        raise NotImplementedError

    def place(self) -> dict[str, np.ndarray]:
        """Where `current` stands, for get_state."""
        raise NotImplementedError

    def set_place(self, state: dict[str, np.ndarray]) -> None:
        raise NotImplementedError

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.transformer = self.make_transformer()
        self.open()
        if self.batch_size < 1:
            raise self.error("batch_size is 0; give a positive one")
        self.start()
        self.shape_tops(top)

    def shape_tops(self, top: Sequence[Blob]) -> None:
        """Shape the tops as the first image wants it."""
        top[0].reshape(self.batch_size, *self.transformer.shape(self.current()[0]))
        self.shape_labels(top)

    def shape_labels(self, top: Sequence[Blob]) -> None:
        """Shape the tops behind the first."""
        for labels in top[1:]:
            labels.reshape(self.batch_size, *self.label_shape)

    def make_transformer(self) -> Any:
        """What every image goes through."""
        return ImageTransformer(self)

    def start(self) -> None:
        """Draw what the layer's streams start from."""
        self.transformer.init_rand()
        self.transformer.start_thread()

    def write_labels(self, top: Sequence[Blob], i: int, label: int | np.ndarray) -> None:
        """Write what `current` gave for image i of the batch."""
        for labels in top[1:]:
            labels.data[i] = label

    @property
    def shares_out(self) -> bool:  # type: ignore[override]
        return self.leaves_out and self.transformer.draws_alike

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for turn in range(self.count):
            self.transformer.new_batch()
            for i in range(self.batch_size):
                if turn == self.rank:
                    self._serve(top, i)
                else:
                    self.transformer.leave_out()
                self.advance()

    def _serve(self, top: Sequence[Blob], i: int) -> None:
        image, label, name = self.current()
        if i == 0:
            top[0].reshape(self.batch_size, *self.transformer.shape(image))
        self.transformer.transform(image, top[0].data[i], name)
        self.write_labels(top, i, label)
        self.images_read += 1

    def get_state(self) -> dict[str, np.ndarray]:
        return self.place() | self.transformer.get_state()

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        self.set_place(state)
        self.transformer.set_state(state)
