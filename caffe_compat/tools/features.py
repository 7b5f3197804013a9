"""Writes what blobs of a net hold over many passes: features of its images."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np

from caffe_compat.errors import DataError, GraphError
from caffe_compat.files import check_writable, replacing
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import Datum
from caffe_compat.tools.database import DatabaseWriter
from caffe_compat.tools.score import check_fed
from caffe_compat.weights import import_h5py

logger = logging.getLogger("caffe_compat.tools")

FORMATS = ("lmdb", "npz", "h5")


def extract(
    net: Net,
    blobs: Sequence[str],
    outputs: Sequence[str],
    passes: int | Iterable[object],
    form: str = "lmdb",
) -> list[int]:
    """Run a net forward `passes` times and write each blob to its output; returns how many items each got.

    passes: their number, of a net with data layers; or what has fed the net its next batch whenever it yields. form:
    "lmdb", one Datum with float_data an item of the batch, its key the item's number in ten digits; "npz" or "h5", one
    float32 array under the blob's name, all passes along axis 0. Raises GraphError for unknown blobs and for inputs
    that nothing feeds, DataError where something cannot be written.
    Source: Caffe's extract_features.
    """
    _check(net, blobs, outputs)
    if isinstance(passes, int):
        check_fed(net)
        passes = range(passes)
    if form == "lmdb":
        counts = _to_databases(net, blobs, outputs, passes)
    else:
        counts = _to_arrays(net, blobs, outputs, passes, form)
    for name, count in zip(blobs, counts, strict=True):
        logger.info("Extracted features of %d query images for feature blob %s", count, name)
    return counts


def _check(net: Net, blobs: Sequence[str], outputs: Sequence[str]) -> None:
    if len(blobs) != len(outputs):
        raise DataError(f"there are {len(blobs)} blobs and {len(outputs)} outputs; give one output for each")
    if len(set(outputs)) < len(outputs):
        raise DataError("two blobs cannot go to the same output; give each its own")
    file = net.source.name if net.source else None
    for name in blobs:
        if name not in net.blobs:
            raise GraphError(f"there is no blob '{name}'; its blobs are {', '.join(net.blobs)}", file=file)
        if len(net.blobs[name].shape) > 4:
            raise GraphError(f"blob '{name}' has more than 4 axes, {net.blobs[name].shape}", file=file)


def _to_databases(
    net: Net, blobs: Sequence[str], outputs: Sequence[str], passes: Iterable[object]
) -> list[int]:
    counts = [0] * len(blobs)
    with ExitStack() as stack:
        writers = [stack.enter_context(DatabaseWriter(path)) for path in outputs]
        for _ in passes:
            net.forward_from_to()
            for i, (name, writer) in enumerate(zip(blobs, writers, strict=True)):
                blob = net.blobs[name]
                for item in blob.data.reshape(blob.num, -1):
                    datum = Datum(channels=blob.channels, height=blob.height, width=blob.width)
                    datum.float_data.extend(item.tolist())
                    writer.put(f"{counts[i]:010d}", datum)
                    counts[i] += 1
    return counts


def _to_arrays(
    net: Net, blobs: Sequence[str], outputs: Sequence[str], passes: Iterable[object], form: str
) -> list[int]:
    h5py = import_h5py() if form == "h5" else None
    for path in outputs:
        check_writable(path)
    batches: list[list[np.ndarray]] = [[] for _ in blobs]
    for _ in passes:
        net.forward_from_to()
        for name, rows in zip(blobs, batches, strict=True):
            rows.append(np.atleast_1d(net.blobs[name].data).copy())
    for name, path, rows in zip(blobs, outputs, batches, strict=True):
        arrays: dict[str, Any] = {name: np.concatenate(rows)}
        with replacing(path) as temporary:
            if h5py:
                with h5py.File(temporary, "w") as file:
                    file[name] = arrays[name]
            else:
                with open(temporary, "wb") as npz:
                    np.savez(npz, **arrays)
    return [sum(len(row) for row in rows) for rows in batches]
