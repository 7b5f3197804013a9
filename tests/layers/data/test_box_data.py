"""BoxData on LMDBs written here: cells, parts of images in its order of random numbers, state, errors."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.prototxt.caffe_pb2 import Datum
from caffe_compat.rng import Rng, set_random_seed
from layers.data.test_annotated_data import image, write
from layers.harness import Runner

pytest.importorskip("lmdb")
OBJECTS = [  # class, difficult, x, y, width, height
    [[2, 0, 0.1, 0.8, 0.25, 0.5], [0, 1, 0.55, 0.4, 0.5, 0.125], [1, 0, 0.6, 0.45, 0.1, 0.2]],
    [[1, 0, 1.0, 0.5, 0.2, 0.4], [0, 0, 0.3, 0.7, 0.6, 0.2]],
]


def record(i: int, numbers: list[float]) -> bytes:
    return Datum(
        encoded=True, data=cv2.imencode(".png", image(i))[1].tobytes(), float_data=numbers
    ).SerializeToString()


RAW = Datum(channels=1, height=8, width=9, data=bytes(72), float_data=[0] * 6).SerializeToString()


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "db", [record(i, np.ravel(OBJECTS[i]).tolist()) for i in range(2)])
    return tmp_path


def layer(folder, params: str = "", transform: str = "", batch: int = 1) -> str:
    source = f'source: "{folder}/db" backend: LMDB batch_size: {batch} {params}'
    return f'type: "BoxData" data_param {{ {source} }} transform_param {{ {transform} }}'


def cells(objects, side: int) -> np.ndarray:
    n, out = side * side, np.zeros(7 * side * side)
    out[2 * n : 3 * n] = -1
    for label, difficult, *box in objects:
        i = min(int(box[1] * side), side - 1) * side + min(int(box[0] * side), side - 1)
        out[i], out[n + i], out[2 * n + i] = difficult, 1, label
        out[3 * n + 4 * i : 3 * n + 4 * i + 4] = box
    return out


def test_cells_of_several_sides(folder):
    runner = Runner(layer(folder, "side: 3 side: 2"), [], tops=3, phase=TEST)
    for i in (0, 1, 0):
        pixels, *labels = runner.forward()
        np.testing.assert_array_equal(pixels[0], image(i).transpose(2, 0, 1))
        for top, side in zip(labels, (3, 2), strict=True):
            assert top.shape == (1, 7 * side * side)
            np.testing.assert_allclose(top[0], cells(OBJECTS[i], side), rtol=1e-6)
    assert runner.forward()[2][0, 4:8].sum() == 2  # the first image has two objects in one cell


def test_seven_cells_a_side_where_none_is_said(folder):
    runner = Runner(layer(folder), [], tops=2, phase=TEST)
    np.testing.assert_allclose(runner.forward()[1][0], cells(OBJECTS[0], 7), rtol=1e-6)


def plain_part(pixels: np.ndarray, objects, rng: Rng):
    """Draw until an object lies in the part: a scale, then its place."""
    height, width = pixels.shape[:2]
    while True:
        scale = np.float32(1 - rng.draw() % 30 / 100)
        w, h = int(np.float32(width) * scale) - 1, int(np.float32(height) * scale) - 1
        x, y = rng.draw() % (width - w), rng.draw() % (height - h)
        found = []
        for label, difficult, *box in objects:
            cx, cy, bw, bh = (
                int(np.float32(v) * np.float32(n)) for v, n in zip(box, (width, height) * 2, strict=True)
            )
            if x <= cx < x + w and y <= cy < y + h:
                found.append([label, difficult, (cx - x) / w, (cy - y) / h, bw / w, bh / h])
        if found:
            return cv2.resize(pixels[y : y + h, x : x + w], (width, height)), found


def test_parts_of_images_in_training(folder):
    set_random_seed(5)
    stream = Rng(5)
    runner = Runner(layer(folder, "side: 3", "mean_value: 10 scale: 0.5"), [], tops=2, phase=TRAIN)
    stream.draw()  # the transformer's first stream is started anew
    rng, counts = Rng(stream.draw()), set()
    for i in (0, 1, 0, 1):
        pixels, labels = runner.forward()
        want, objects = plain_part(image(i), OBJECTS[i], rng)
        counts.add((i, len(objects)))
        np.testing.assert_allclose(pixels[0], (want.transpose(2, 0, 1).astype(float) - 10) / 2)
        np.testing.assert_allclose(labels[0], cells(objects, 3), rtol=1e-6)
    assert len(counts) > 1


def test_the_state_goes_on_exactly(folder):
    runner = Runner(layer(folder, "side: 3"), [], tops=2)
    runner.forward()
    state, want = runner.layer.get_state(), [top.copy() for top in runner.forward()]
    other = Runner(layer(folder, "side: 3"), [], tops=2)
    other.layer.set_state(state)
    for got, top in zip(other.forward(), want, strict=True):
        np.testing.assert_array_equal(got, top)


def test_images_without_labels_are_whole(folder):
    (pixels,) = Runner(layer(folder), [], tops=1).forward()
    np.testing.assert_array_equal(pixels[0], image(0).transpose(2, 0, 1))


@pytest.mark.parametrize(
    "value, params, message",
    [
        (record(0, [1, 0, 0.5, 0.5, 0.1]), "", "six numbers an object .* found 5 numbers"),
        (record(0, []), "", "found 0 numbers"),
        (RAW, "", "expected an image file"),
        (record(0, [-1, 0, 0.5, 0.5, 0.1, 0.1]), "", "class, x and y have to be at least 0"),
        (record(0, [1, 0, np.nan, 0.5, 0.1, 0.1]), "", "all its numbers finite"),
        (record(0, [1, 0, 1.5, 0.5, 0.1, 0.1]), "", "no object whose middle lies in a part of it"),
        (record(0, [1, 0, 0.5, 0.5, 0.1, 0.1]), "side: 3 side: 4", "there are 2 side for 1 tops of labels"),
        (record(0, [1, 0, 0.5, 0.5, 0.1, 0.1]), "side: 0", "a side is 0"),
    ],
)
def test_what_does_not_fit(tmp_path, value, params, message):
    write(tmp_path / "db", [value])
    with pytest.raises(LayerError, match=message):
        Runner(layer(tmp_path, params), [], tops=2).forward()


def test_an_image_too_small_for_parts(tmp_path):
    png = cv2.imencode(".png", np.zeros((2, 9, 3), np.uint8))[1].tobytes()
    numbers = [1, 0, 0.5, 0.5, 0.1, 0.1]
    write(tmp_path / "db", [Datum(encoded=True, data=png, float_data=numbers).SerializeToString()])
    with pytest.raises(LayerError, match=r"is 2 x 9 \(height, width\), too small to take a part of"):
        runner = Runner(layer(tmp_path), [], tops=2)
        for _ in range(9):
            runner.forward()
