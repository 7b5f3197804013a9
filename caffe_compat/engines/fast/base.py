"""What stands in for layers of a net when it runs forward."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob

Blobs = Sequence[Sequence[Blob]]  # of each layer


class Fused:
    """Computes the tops of some consecutive layers from the first one's bottoms, as they would, only faster.

    The net has called the layers' reshape. `forward` is given the bottoms and tops of each of these layers; it writes
    the last one's tops, and of the others those that other layers need.
    """

    def forward(self, bottoms: Blobs, tops: Blobs) -> None:
        raise NotImplementedError
