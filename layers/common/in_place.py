"""What layers share that may write their output over their input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob, Fill
from caffe_compat.layers.base import Layer
from caffe_compat.layers.kernels.eltwise import copy


class InPlaceLayer(Layer):
    """top[0] has the shape of bottom[0] and may be the same blob.

    A layer whose backward wants its input calls `keep_input` in forward, or copies it to `room_to_keep`, and calls
    `kept_input` in backward.
    """

    in_place = True
    _copy: Blob | None = None

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        top[0].reshape(*bottom[0].shape)

    def keep_input(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> np.ndarray:
        """Return the input in memory that forward does not overwrite: in place, a copy."""
        room = self.room_to_keep(bottom, top)
        if room is not None:
            copy(bottom[0].data.reshape(-1), room.reshape(-1))
        return self.kept_input(bottom, top)

    def room_to_keep(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> np.ndarray | None:
        """Return where forward has to copy its input before it overwrites that; None where it does not."""
        if top[0] is not bottom[0]:
            return None
        copy = self._room(bottom[0])
        copy.defer_data(None)
        return copy.data

    def keep_later(self, blob: Blob, fill: Fill) -> None:
        """Let `fill` write the input of a forward in place, in the blob's shape, when backward wants it."""
        self._room(blob).defer_data(fill)

    @property
    def keeps_later(self) -> Fill | None:
        """What `keep_later` was given, as long as nobody wanted the input, and no forward has kept another one."""
        return self._copy.pending_data if self._copy else None

    def keep_now(self) -> None:
        """Write the input that `keep_later` is about."""
        if self._copy:
            _ = self._copy.data

    def _room(self, blob: Blob) -> Blob:
        self._copy = self._copy or Blob((), blob.dtype)
        self._copy.reshape(*blob.shape)
        return self._copy

    def kept_input(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> np.ndarray:
        """Return the input of the last forward, which it has kept."""
        if top[0] is bottom[0] and self._copy is not None:
            return self._copy.data
        return bottom[0].data
