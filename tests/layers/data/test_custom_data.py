"""CustomData on LMDBs written here: what its encodings mean, the order of records, state, errors."""

import ctypes
import sys

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.prototxt.caffe_pb2 import BlobProto, BlobShape, Datum
from caffe_compat.rng import Rng, set_random_seed
from layers.data.test_annotated_data import write
from layers.harness import Runner

pytest.importorskip("lmdb")
COUNT, SHAPE = 6, (4, 3, 5)
SLICES = "slice_point: 1 slice_point: 3 "
CODED = SLICES + "encoding: UINT8 encoding: UINT16FLOW encoding: BOOL1 "


def pixels(i: int) -> np.ndarray:
    return np.random.RandomState(i).randint(0, 256, (1, 3, 5)).astype(np.uint8)


def flow(i: int) -> np.ndarray:
    values = np.random.RandomState(10 + i).randint(-3000, 3000, (2, 3, 5)).astype("<i2")
    values[0, 1, 2], values[1, 0, 3] = 32767, 32766
    return values


def mask(i: int) -> np.ndarray:
    return np.random.RandomState(20 + i).randint(0, 2, (1, 3, 5))


def record(i: int) -> Datum:
    bits = np.packbits(mask(i).ravel(), bitorder="little").tobytes()
    data = pixels(i).tobytes() + flow(i).tobytes() + bits
    return Datum(channels=4, height=3, width=5, data=data, label=i)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "db", [record(i) for i in range(COUNT)])
    return tmp_path


def runner(folder, params: str = CODED, tops: int = 3, batch: str = "batch_size: 2") -> Runner:
    return Runner(
        f'type: "CustomData" data_param {{ source: "{folder}/db" backend: LMDB {batch} {params} }}', [], tops
    )


def test_slices_in_their_encodings(folder):
    layer = runner(folder)
    for batch in ((0, 1), (2, 3), (4, 5), (0, 1)):
        image, motion, bits = layer.forward()
        for n, i in enumerate(batch):
            np.testing.assert_array_equal(image[n], pixels(i))
            want = flow(i) / 32.0
            want[0, 1, 2] = np.nan
            np.testing.assert_array_equal(motion[n], want)
            np.testing.assert_array_equal(bits[n], mask(i))


def test_numbers_less_a_mean_times_scale_and_labels(tmp_path):
    values = np.random.RandomState(0).standard_normal((2, *SHAPE)).astype(np.float32)
    write(
        tmp_path / "db",
        [
            Datum(channels=4, height=3, width=5, float_data=v.ravel().tolist(), label=7 + i)
            for i, v in enumerate(values)
        ],
    )
    data, labels = runner(tmp_path, "subtract: 2 subtract: 3 scale: 0.5", tops=2).forward()
    np.testing.assert_allclose(
        data, (values - np.array([2, 3, 0, 0]).reshape(4, 1, 1)) / 2, rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(labels, np.array([7, 8]).reshape(2, 1, 1, 1))
    mean = np.arange(60, dtype=float)
    proto = BlobProto(shape=BlobShape(dim=(1, *SHAPE)), data=mean)
    (tmp_path / "mean").write_bytes(proto.SerializeToString())
    (data,) = runner(tmp_path, f'mean_file: "{tmp_path}/mean"', tops=1).forward()
    np.testing.assert_allclose(data, values - mean.reshape(SHAPE), rtol=1e-5, atol=1e-5)
    assert runner(tmp_path, "", tops=1, batch="").forward()[0].shape == (1, *SHAPE)


def order(layer: Runner, batches: int) -> list[int]:
    """Which records it serves."""
    first = {pixels(i).tobytes(): i for i in range(COUNT)}
    return [first[x.astype(np.uint8).tobytes()] for _ in range(batches) for x in layer.forward()[0]]


def shuffled(items: list[int], draw) -> list[int]:
    for i in range(1, len(items)):
        j = draw() % (i + 1)
        items[i], items[j] = items[j], items[i]
    return items


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's")
def test_c_rand():
    libc = ctypes.CDLL(None)
    for seed in (0, 1, 77, 2**31 + 5, 2**32 - 1):
        libc.srand(ctypes.c_uint(seed))
        rand = CRand(seed)
        assert [rand.draw() for _ in range(99)] == [libc.rand() for _ in range(99)]


def test_orders(folder):
    (folder / "labels").write_text("1 2 01\n+1 2 1\n")
    chosen = f'preselection_file: "{folder}/labels" preselection_label: 1 '
    assert order(runner(folder, CODED + chosen), 3) == [0, 2, 3, 5, 0, 2]
    assert order(runner(folder, CODED + "range_start: 2 range_end: 3"), 2) == [2, 3, 2, 3]
    assert order(runner(folder, CODED + "range_start: 9 range_end: 99"), 1) == [5, 5]
    seeded = CODED + "rand_permute: true rand_permute_seed: 77 "
    whole = shuffled(list(range(6)), CRand(77).draw)
    assert whole != sorted(whole)
    assert order(runner(folder, seeded), 3) == whole
    assert order(runner(folder, seeded + "range_start: 1 range_end: 4"), 2) == whole[1:5]
    last = seeded + "range_start: 1 range_end: 4 rand_permute_order: FIRST_RANGE_THEN_PERMUTE"
    assert order(runner(folder, last), 2) == shuffled([1, 2, 3, 4], CRand(77).draw)
    draw = CRand(77).draw
    assert order(runner(folder, seeded + "block_size: 4"), 3) == [*shuffled([0, 1, 2], draw), 3, 4, 5]
    set_random_seed(3)
    assert order(runner(folder, CODED + "rand_permute: true"), 3) == shuffled(list(range(6)), Rng(3).draw)


def test_another_order_and_the_state_goes_on(folder):
    params = CODED + "rand_permute: true rand_permute_seed: 5 permute_every_iter: 2"
    draw, layer, other = CRand(5).draw, runner(folder, params), runner(folder, params)
    first = shuffled(list(range(6)), draw)
    second = shuffled(list(first), draw)
    assert order(layer, 2) == first[:4]
    assert order(layer, 1) == second[4:]
    state = layer.layer.get_state()
    other.layer.set_state(state)
    assert order(other, 5) == order(layer, 5)


@pytest.mark.parametrize(
    "params, tops, message",
    [
        (CODED, 2, "there are 2 tops and 3 slices"),
        ("slice_point: 3 slice_point: 3", 3, r"slice_point is \[3, 3\]"),
        ("slice_point: 4", 2, r"slice_point is \[4\]"),
        ("encoding: BOOL1", 1, "channels 0 to 3 have the encoding BOOL1"),
        (
            SLICES,
            3,
            r"key '00000000': the Datum has 77 bytes; in their encoding its slices take 15 \+ 30 \+ 15",
        ),
        (CODED + "subtract: 1 " * 5, 3, "there are 5 numbers `subtract`, and 4 channels"),
        (CODED + 'mean_file: "MEAN"', 3, r"mean_file has the shape \(1, 2\)"),
        (CODED + 'preselection_file: "LABELS"', 3, "say preselection_label"),
        (
            CODED + 'preselection_file: "LABELS" preselection_label: 1',
            3,
            "has 3 labels, the LMDB .* 6 records",
        ),
        (
            CODED + 'preselection_file: "SIX" preselection_label: 4',
            3,
            "gives no record the preselection_label 4",
        ),
        (CODED + 'preselection_file: "WORDS" preselection_label: 4', 3, "has 'b'; expected whole numbers"),
        (CODED + "range_start: 4 range_end: 2", 3, "range_end is 2, before range_start, 4"),
        (CODED + "rand_skip: 2", 3, "rand_skip has no effect here; its Caffe stops there, too"),
    ],
)
def test_what_does_not_fit(folder, params, tops, message):
    (folder / "mean").write_bytes(BlobProto(shape=BlobShape(dim=(1, 2)), data=(1, 2)).SerializeToString())
    (folder / "labels").write_text("1 2 1")
    (folder / "six").write_text("1 2 1 1 1 1")
    (folder / "words").write_text("1 2 b 1 1 1")
    for name in ("mean", "labels", "six", "words"):
        params = params.replace(name.upper(), f"{folder}/{name}")
    with pytest.raises(LayerError, match=message):
        runner(folder, params, tops).forward()


@pytest.mark.parametrize(
    "records, message",
    [
        ([record(0), Datum(channels=4, height=5, width=3)], r"shape \(4, 5, 3\), the first one \(4, 3, 5\)"),
        (
            [record(0), Datum(channels=4, height=3, width=5, float_data=[1])],
            "float_data, which has no encoding",
        ),
        ([Datum(channels=4, height=0, width=5)], r"the Datum has the shape \(4, 0, 5\)"),
    ],
)
def test_datums_that_do_not_fit(tmp_path, records, message):
    write(tmp_path / "db", records)
    with pytest.raises(LayerError, match=message):
        runner(tmp_path).forward()


def test_numbers_that_are_missing(tmp_path):
    write(tmp_path / "db", [Datum(channels=1, height=3, width=5, float_data=[1])])
    with pytest.raises(LayerError, match=r"1 numbers for the shape \(1, 3, 5\)"):
        runner(tmp_path, "", 1).forward()


@pytest.mark.parametrize(
    "params, message",
    [
        ("", "backend is LEVELDB"),
        ("backend: LMDB batch_size: 0", "batch_size is 0"),
        ('backend: LMDB source: "nowhere"', "cannot open the LMDB 'nowhere'"),
    ],
)
def test_a_database_that_is_not_there(params, message):
    with pytest.raises(LayerError, match=message):
        Runner(f'type: "CustomData" data_param {{ {params} }}', [])
