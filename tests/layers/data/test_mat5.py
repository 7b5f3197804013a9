"""read_mat beside scipy's loadmat on arrays of all kinds; and damaged files."""

from __future__ import annotations

import io
import random
import struct
import zlib

import numpy as np
import pytest

from caffe_compat.layers.data.mat5 import MatError, read_mat

scipy_io = pytest.importorskip("scipy.io")
NUMBERS = np.arange(24).reshape(4, 3, 2)
CELLS = np.empty((1, 4), object)
CELLS[0, :] = [NUMBERS[:, :, 0].astype(kind) for kind in ("u2", "f4", "f8", "i4")]
VARIABLES = {
    **{kind: NUMBERS.astype(kind) for kind in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4")},
    "fractions": NUMBERS / 7,
    "flag": np.array([[True, False]]),
    "one": 3.5,
    "nothing": np.zeros((0, 4)),
    "cells": CELLS,
    "in_cells": np.array([[CELLS, "x"]], object),
    "names": np.array([["000012"], ["größe"]], object),
    "text": "photo.jpg",
    "rows": np.array(["ab ", "cde"]),
}


def saved(variables, compressed=False) -> bytes:
    file = io.BytesIO()
    scipy_io.savemat(file, variables, do_compression=compressed)
    return file.getvalue()


def same(one, two) -> bool:
    one, two = np.asarray(one), np.asarray(two)
    if one.dtype == object:
        return one.shape == two.shape and all(
            same(a, b) for a, b in zip(one.ravel(), two.ravel(), strict=True)
        )
    return one.dtype.kind == two.dtype.kind and np.array_equal(one, two)


@pytest.mark.parametrize("compressed", [False, True])
def test_as_scipy_reads_it(tmp_path, compressed):
    (tmp_path / "x.mat").write_bytes(saved(VARIABLES, compressed))
    theirs, ours = scipy_io.loadmat(tmp_path / "x.mat"), read_mat(tmp_path / "x.mat")
    assert list(ours) == list(VARIABLES)
    assert [name for name in VARIABLES if not same(theirs[name], ours[name])] == []


def test_the_other_order_of_bytes(tmp_path):
    """As machines of big-endian processors write it: a 2 x 2 double that is stored in small integers."""

    def element(kind, content):
        return struct.pack(">2I", kind, len(content)) + content + bytes(-len(content) % 8)

    parts = element(6, struct.pack(">2I", 6, 0)) + element(5, struct.pack(">2i", 2, 2)) + element(1, b"data")
    body = parts + element(3, struct.pack(">4h", 1, -2, 3, 400))
    (tmp_path / "x.mat").write_bytes(b"MATLAB 5.0".ljust(124) + b"\x01\x00MI" + element(14, body))
    np.testing.assert_array_equal(read_mat(tmp_path / "x.mat")["data"], [[1.0, 3.0], [-2.0, 400.0]])


def test_what_is_left_out(tmp_path):
    (tmp_path / "x.mat").write_bytes(saved({"s": {"a": 1}, "c": np.array([[1j]]), "data": 2}))
    assert list(read_mat(tmp_path / "x.mat")) == ["data"]


@pytest.mark.parametrize("compressed", [False, True])
def test_any_bytes_are_arrays_or_an_error(tmp_path, compressed):
    whole, rng = saved({"boxes": CELLS, "text": "photo.jpg", "one": NUMBERS}, compressed), random.Random(1)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3, 10))):
            damaged[rng.randrange(128, len(damaged))] = rng.choice((0, 1, 14, 127, 255))
        (tmp_path / "x.mat").write_bytes(
            damaged[: rng.choice((len(whole), len(whole), rng.randrange(len(whole))))]
        )
        try:
            read_mat(tmp_path / "x.mat")
            outcomes.add("read")
        except MatError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


def test_cells_within_cells_without_end(tmp_path):
    def element(kind, content):
        return struct.pack("<2I", kind, len(content)) + content + bytes(-len(content) % 8)

    inner = b""
    for _ in range(3000):
        head = element(6, struct.pack("<2I", 1, 0)) + element(5, struct.pack("<2i", 1, 1)) + element(1, b"")
        inner = element(14, head + inner)
    packed = zlib.compress(inner)
    content = b"MATLAB 5.0".ljust(124) + b"\x00\x01IM" + struct.pack("<2I", 15, len(packed)) + packed
    (tmp_path / "x.mat").write_bytes(content)
    with pytest.raises(MatError, match="cells within cells without end"):
        read_mat(tmp_path / "x.mat")
