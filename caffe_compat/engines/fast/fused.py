"""Fused: computes several layers of a net at once when it runs forward."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob

Blobs = Sequence[Sequence[Blob]]  # one sequence a layer


class Fused:
    """Computes the tops of consecutive layers from the bottoms of the first one: the same values in less time.

    `forward` gets the bottoms and the tops of each of the layers, which have been reshaped. It writes the tops of the
    last layer, and those tops of the others that further layers need.
    """

    def forward(self, bottoms: Blobs, tops: Blobs) -> None:
        raise NotImplementedError
