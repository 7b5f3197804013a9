"""What layers share that may write their output over their input."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from caffe_compat.blob import Blob
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
        self._copy = self._copy or Blob((), bottom[0].dtype)
        self._copy.reshape(*bottom[0].shape)
        return self._copy.data

    def kept_input(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> np.ndarray:
        """Return the input of the last forward, which it has kept."""
        if top[0] is bottom[0] and self._copy is not None:
            return self._copy.data
        return bottom[0].data
