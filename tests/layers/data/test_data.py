"""Data on LMDBs written here: raw, float and encoded Datums, order, skip, transforms, state, and wrong ones."""

import shutil
import sys

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.prototxt.caffe_pb2 import Datum
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner

lmdb = pytest.importorskip("lmdb")
PIXELS = np.random.RandomState(3).randint(0, 256, (5, 3, 6, 7)).astype(np.uint8)
LABELS = [4, 0, 7, 2, 9]


def write(path, datums: list[Datum | bytes]) -> None:
    """The keys in Caffe's form; written from the last to the first."""
    with lmdb.open(str(path), map_size=2**20) as environment, environment.begin(write=True) as transaction:
        for i in reversed(range(len(datums))):
            value = datums[i]
            if isinstance(value, Datum):
                value = value.SerializeToString()
            transaction.put(f"{i:08d}_photo".encode(), value)


def raw(i: int) -> Datum:
    return Datum(channels=3, height=6, width=7, data=PIXELS[i].tobytes(), label=LABELS[i])


def encoded(image: np.ndarray) -> Datum:
    return Datum(encoded=True, data=cv2.imencode(".png", image)[1].tobytes(), label=3)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "db", [raw(i) for i in range(5)])
    return tmp_path


def data(
    folder,
    params: str = "batch_size: 2",
    more: str = "",
    tops: int = 2,
    backend: str = "LMDB",
    source: str = "db",
) -> Runner:
    text = f'source: "{folder}/{source}" backend: {backend} {params}'
    return Runner(f'type: "Data" data_param {{ {text} }} {more}', [], tops=tops)


def test_in_the_order_of_the_keys(folder):
    runner = data(folder)
    assert [top.shape for top in runner.top] == [(2, 3, 6, 7), (2,)]
    for batch in ([0, 1], [2, 3], [4, 0], [1, 2]):
        images, labels = runner.forward()
        np.testing.assert_array_equal(images, PIXELS[batch])
        assert labels.tolist() == [LABELS[i] for i in batch]


def test_without_labels(folder):
    np.testing.assert_array_equal(data(folder, tops=1).forward()[0], PIXELS[:2])


def test_two_layers_read_the_same_database(folder):
    a, b = data(folder), data(folder)
    a.forward()
    np.testing.assert_array_equal(b.forward()[0], PIXELS[:2])
    np.testing.assert_array_equal(a.forward()[0], PIXELS[2:4])


def test_a_database_is_open_while_it_is_read_only(folder):
    """LMDB opens a file once a process: others can look into it, write to it, and put another in its place."""
    runner = data(folder, "batch_size: 1")
    runner.forward()
    with (
        lmdb.open(str(folder / "db"), map_size=2**20) as environment,
        environment.begin(write=True) as transaction,
    ):
        transaction.delete(b"00000001_photo")
        assert transaction.stat()["entries"] == 4
    np.testing.assert_array_equal(runner.forward()[0], PIXELS[2:3])  # in the place of the one that is gone
    shutil.rmtree(folder / "db")
    write(folder / "db", [raw(4)])
    np.testing.assert_array_equal(runner.forward()[0], PIXELS[4:])


@pytest.mark.parametrize("source", ["db", "db/data.mdb"])
def test_a_database_that_others_have_open(folder, source):
    """Its own file is the same database."""
    with lmdb.open(str(folder / "db"), readonly=True):
        np.testing.assert_array_equal(data(folder, source=source).forward()[0], PIXELS[:2])
    a, b = data(folder), data(folder, source=source)
    with a.layer.records:
        np.testing.assert_array_equal(b.forward()[0], PIXELS[:2])
        np.testing.assert_array_equal(a.forward()[0], PIXELS[:2])
    np.testing.assert_array_equal(b.forward()[0], PIXELS[2:4])


def test_transformed(folder):
    set_random_seed(8)
    stream = Rng(8)
    runner = data(folder, "batch_size: 3", "transform_param { mirror: true crop_size: 4 mean_value: 10 }")
    stream.draw()  # the transformer's first stream is started anew after the source is open
    rng = Rng(stream.draw())
    for image, pixels in zip(runner.forward()[0], PIXELS, strict=False):
        mirror, y, x = rng.draw() % 2, rng.draw() % 3, rng.draw() % 4
        for c, h, w in np.ndindex(3, 4, 4):
            assert image[c, h, 3 - w if mirror else w] == float(pixels[c, y + h, x + w]) - 10


def test_float_data(tmp_path):
    values = np.random.RandomState(5).standard_normal((2, 3, 4)).astype(np.float32)
    write(tmp_path / "db", [Datum(channels=2, height=3, width=4, float_data=values.ravel().tolist())])
    np.testing.assert_array_equal(data(tmp_path, "batch_size: 1").forward()[0][0], values)


@pytest.mark.parametrize(
    ("force", "colour", "channels"),
    [
        ("", True, 3),
        ("", False, 1),
        ("force_color: true", False, 3),
        ("force_gray: true", True, 1),
    ],
)
def test_encoded(tmp_path, force, colour, channels):
    image = PIXELS[0].transpose(1, 2, 0) if colour else PIXELS[0][0]
    write(tmp_path / "db", [encoded(image)])
    (got,), labels = data(tmp_path, "batch_size: 1", f"transform_param {{ {force} }}").forward()
    if channels == 1:
        want = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[None] if colour else image[None]
    else:
        want = image.transpose(2, 0, 1) if colour else np.stack([image] * 3)
    np.testing.assert_allclose(got, want, rtol=0, atol=bool(force and colour))  # grey is rounded otherwise
    assert labels.tolist() == [3]


def test_force_color_on_raw_datums_is_warned_about(folder):
    with pytest.warns(UserWarning, match="no effect on raw Datums"):
        images, _ = data(folder, more="transform_param { force_gray: true }").forward()
    np.testing.assert_array_equal(images, PIXELS[:2])


def test_rand_skip(folder):
    starts = set()
    for seed in range(6):
        set_random_seed(seed)
        start = Rng(seed).draw() % 4
        labels = data(folder, "batch_size: 2 rand_skip: 4").forward()[1]
        assert labels.tolist() == LABELS[start : start + 2]
        starts.add(start)
    assert len(starts) > 1


def test_the_state_goes_on_exactly(folder):
    a, b = (data(folder, more="transform_param { mirror: true crop_size: 3 }") for _ in range(2))
    for _ in range(4):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(6):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_state_of_another_database(folder, tmp_path):
    runner = data(folder)
    runner.forward()
    (tmp_path / "other").mkdir()
    write(tmp_path / "other" / "db", [raw(0)])
    with pytest.raises(LayerError, match="not the LMDB that the state was kept with"):
        data(tmp_path / "other").layer.set_state(runner.layer.get_state())


@pytest.mark.parametrize(
    ("datums", "message"),
    [
        ([], "db' is empty"),
        ([b"\xff\xff"], "db', key '00000000_photo': this is no Datum"),
        ([Datum(channels=3, height=2, width=2, data=b"1234")], r"has 4 numbers for the shape \(3, 2, 2\)"),
        ([Datum(encoded=True, data=b"1234")], "key '00000000_photo' is no image that OpenCV can decode"),
        ([encoded(PIXELS[0][0].astype(np.uint16))], "has pixels of uint16; only 8 bits are read"),
    ],
)
def test_wrong_databases(tmp_path, datums, message):
    write(tmp_path / "db", datums)
    with pytest.raises(LayerError, match=message):
        data(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.6, 0.9])
def test_a_database_that_is_cut_off(folder, share):
    path = folder / "db/data.mdb"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(
        LayerError, match=r"LMDB '.*db': it is cut off: there is nothing at byte \d+; copy it"
    ):
        data(folder).forward()


def test_no_database(tmp_path):
    with pytest.raises(LayerError, match=r"cannot open the LMDB '.*db'"):
        data(tmp_path)


def test_wrong_params(folder):
    with pytest.raises(LayerError, match="batch_size is 0"):
        data(folder, "")
    with pytest.raises(LayerError, match=r"is an LMDB, but backend is LEVELDB .*; add backend: LMDB"):
        data(folder, backend="LEVELDB")


def test_leveldb_says_how_to_convert(tmp_path):
    with pytest.raises(LayerError, match=r"convert_imageset -backend lmdb.*plyvel"):
        data(tmp_path, backend="LEVELDB")


def test_without_the_package(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "lmdb", None)
    np.testing.assert_array_equal(data(folder).forward()[0], PIXELS[:2])
