"""What LabelSplit2 and LabelSplit3 share."""

from __future__ import annotations

from collections.abc import Sequence

from caffe_compat.blob import Blob
from caffe_compat.layers.base import Layer
from caffe_compat.layers.sinet.branches import check_tables, rows_of_branches

KINDS = 4  # labels, targets, inside weights, outside weights


class LabelSplit(Layer):
    """Gives each branch the labels, targets and weights of its RoIs.

    bottom[0], bottom[1]: ROISplit's tops; bottom[2] to bottom[5]: R rows each, as ProposalTarget has them. Tops: the
    rows of branch 1 of the four, then those of branch 2, ..., with four axes; a branch without any has one row of 0.
    Nothing takes a gradient. Raises LayerError for tables that are not ROISplit's.
    """

    reads = ()
    origin = "SINet"
    bottom_count = (2 + KINDS, 2 + KINDS)
    no_gradient = tuple(range(2 + KINDS))
    has_backward = False
    counts_rows = True

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        for i, blob in enumerate(top):
            blob.reshape(1, *self._row(bottom[2 + i % KINDS]))

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check the bottoms; how many rows the tops have is known after forward."""
        rows = bottom[2].num
        check_tables(self, bottom[0], bottom[1], rows, len(top) // KINDS)
        for index, blob in enumerate(bottom[2:], 2):
            if blob.num != rows or len(blob.shape) > 4:
                raise self.error(
                    f"bottom[{index}] has the shape {blob.shape}; expected {rows} rows, as bottom[2] {bottom[2].shape} "
                    "has, and at most four axes"
                )

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        branches = rows_of_branches(self, bottom[1], len(top) // KINDS)
        for i, blob in enumerate(top):
            rows, source = branches[i // KINDS], bottom[2 + i % KINDS]
            blob.reshape(max(len(rows), 1), *self._row(source))
            blob.data[...] = source.data[rows].reshape(blob.shape) if len(rows) else 0

    def _row(self, blob: Blob) -> tuple[int, int, int]:
        return blob.channels, blob.height, blob.width
