"""LmdbFile beside liblmdb, on databases of all shapes; and damaged ones."""

from __future__ import annotations

import os
import random

import pytest

from caffe_compat.layers.data.lmdb_file import LmdbError, LmdbFile

lmdb = pytest.importorskip("lmdb")


def write(path, count: int, size: int, long_keys: bool = False) -> None:
    """Records written in four transactions, every seventh removed: pages of all ages."""
    rng = random.Random(count)
    with lmdb.open(str(path), map_size=2**26) as environment:
        for part in range(4):
            with environment.begin(write=True) as transaction:
                for i in range(part, count, 4):
                    key = f"{i:08d}" + "k" * (rng.randrange(200) if long_keys else 1)
                    transaction.put(key.encode(), bytes([i % 256]) * rng.randrange(size))
        with environment.begin(write=True) as transaction:
            for key in [key for key, _ in transaction.cursor()][::7]:
                transaction.delete(key)


SHAPES = [(0, 5), (1, 10), (5, 300), (900, 20), (300, 3000), (30, 60000)]


@pytest.mark.parametrize("count, size, long_keys", [*((*one, False) for one in SHAPES), (5000, 40, True)])
def test_as_liblmdb_reads_it(tmp_path, count, size, long_keys):
    write(tmp_path, count, size, long_keys)
    rng = random.Random(3)
    with (
        lmdb.open(str(tmp_path), readonly=True) as environment,
        environment.begin() as transaction,
        LmdbFile(str(tmp_path)) as ours,
    ):
        theirs = transaction.cursor()
        assert list(ours) == list(theirs)
        for _ in range(60):
            key = f"{rng.randrange(count + 2):08d}".encode() + rng.choice((b"", b"k", b"z"))
            there = theirs.set_range(key)
            assert ours.seek(key) == there
            for _ in range(3 if there else 0):
                assert ours.item() == theirs.item()
                if not theirs.next():
                    assert not ours.next()
                    break
                assert ours.next()


def test_the_depth_of_the_trees_above(tmp_path):
    """The case of long keys has three levels, so that pages of branches lie below a page of branches."""
    write(tmp_path, 5000, 40, long_keys=True)
    with lmdb.open(str(tmp_path), readonly=True) as environment:
        assert environment.stat()["depth"] == 3


def test_a_file_that_is_cut_while_it_is_read(tmp_path):
    write(tmp_path, 300, 3000)
    with LmdbFile(str(tmp_path)) as file:
        records = iter(file)
        for _ in range(20):
            next(records)
        os.truncate(tmp_path / "data.mdb", 3 * 4096)
        with pytest.raises(LmdbError, match=r"it is cut off: there is nothing at byte \d+; copy it again"):
            list(records)


@pytest.mark.parametrize("seed", range(4))
def test_any_bytes_are_records_or_an_error(tmp_path, seed):
    write(tmp_path, 300, 600)
    whole, rng = (tmp_path / "data.mdb").read_bytes(), random.Random(seed)
    outcomes = set()
    for _ in range(80):
        damaged = bytearray(whole)
        for _ in range(rng.choice((1, 3, 40))):
            damaged[rng.randrange(len(damaged))] = rng.choice((0, 1, 127, 255))
        (tmp_path / "data.mdb").write_bytes(damaged)
        try:
            with LmdbFile(str(tmp_path)) as file:
                list(file)
            outcomes.add("read")
        except LmdbError:
            outcomes.add("corrupt")
    assert outcomes == {"read", "corrupt"}


def test_a_tree_that_bites_its_tail(tmp_path):
    """A branch whose entries all lead to the same page has more records than the file says; it comes to an end."""
    write(tmp_path, 900, 20)
    content = bytearray((tmp_path / "data.mdb").read_bytes())
    with LmdbFile(str(tmp_path)) as file:
        root = file._root * 4096
        end = int.from_bytes(content[root + 12 : root + 14], "little")
        places = [int.from_bytes(content[root + at : root + at + 2], "little") for at in range(16, end, 2)]
    assert len(places) > 2
    for place in places[1:]:
        content[root + place : root + place + 4] = content[root + places[0] : root + places[0] + 4]
    (tmp_path / "data.mdb").write_bytes(content)
    with (
        LmdbFile(str(tmp_path)) as file,
        pytest.raises(LmdbError, match="it has more than its 771 records"),
    ):
        for _ in range(9):
            list(file)
            file.entries -= 100
