"""What data layers share whose minibatches several workers share out."""

from __future__ import annotations

from caffe_compat.layers.base import Layer


class SharedOut(Layer):
    """A layer that serves the `rank`-th of each `count` minibatches, and leaves the others to other workers.

    Afterwards it stands, in its data and in the random numbers, where it would after all of them; what the others serve
    is not read. images_read: how many it has read so far. shares_out: whether it can do so.
    """

    shares_out = True
    rank, count = 0, 1
    images_read = 0

    def share_out(self, rank: int, count: int) -> None:
        """Serve this part from now on."""
        self.rank, self.count = rank, count
