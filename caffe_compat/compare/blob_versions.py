"""Which layer wrote what stands in a blob: a blob that layers change in place has a version for each of them."""

from __future__ import annotations

from dataclasses import dataclass

from caffe_compat.graph import Graph


@dataclass(frozen=True)
class Version:
    """What layer `index` leaves in a blob. `first`, `last`: no layer before, none after it writes to the blob."""

    index: int
    layer: str
    blob: str
    first: bool
    last: bool


class Versions:
    """`tops[i]` and `bottoms[i]`: the versions that layer i writes and reads, in the order of its tops and bottoms."""

    def __init__(self, graph: Graph):
        writers: dict[int, list[int]] = {}
        for i, node in enumerate(graph.nodes):
            for blob in node.tops:
                writers.setdefault(blob, []).append(i)

        def version(blob: int, writer: int) -> Version:
            all_of_it = writers[blob]
            name = graph.nodes[writer].param.name
            return Version(
                writer, name, graph.blob_names[blob], writer == all_of_it[0], writer == all_of_it[-1]
            )

        self.tops = [[version(blob, i) for blob in node.tops] for i, node in enumerate(graph.nodes)]
        self.bottoms = [
            [version(blob, max(w for w in writers[blob] if w < i)) for blob in node.bottoms]
            for i, node in enumerate(graph.nodes)
        ]
