"""EvalData on files written here."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner
from layers.mscnn.object_files import OBJECTS, PIXELS, eval_data, write


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return tmp_path


def test_one_after_the_other(folder):
    """Shorter sides of 60, longer ones of 80 at most, each side by itself; then multiples of 32."""
    case = eval_data(folder, "batch_size: 1 short_size: 60 long_size: 80", "scale: 0.5 mean_value: 7")
    data = Runner(case.layer, [], 3)
    assert [top.shape for top in data.top] == [(1, 3, 80, 60), (1, 8, 1, 1), (1, 2, 1, 1)]
    # 60 x 96, 80 x 60, 84 x 60, 60 x 150 before they are cut to 80
    for index, (height, width) in [*enumerate([(64, 96), (96, 64), (96, 64), (64, 96)]), (0, (64, 96))]:
        images, objects, size = data.forward()
        want = cv2.resize(PIXELS[index], (width, height), interpolation=cv2.INTER_LINEAR).transpose(2, 0, 1)
        np.testing.assert_array_equal(images[0], (want.astype(np.float32) - 7) / 2)
        assert size.ravel().tolist() == [height, width]
        scale = np.array([width, height] * 2) / np.array(PIXELS[index].shape[1::-1] * 2)
        rows = [[0, *(scale * row[3:]), *row[:3]] for row in OBJECTS[index]] or [[-1] * 8]
        np.testing.assert_allclose(objects[..., 0, 0], rows, rtol=1e-6)
    other = Runner(case.layer, [], 3)
    other.layer.set_state(data.layer.get_state())
    np.testing.assert_array_equal(other.forward()[0], data.forward()[0])


def test_several_of_one_size(folder):
    case = eval_data(folder, "batch_size: 3 resize_width: 70 resize_height: 30", tops=2)
    images, objects = Runner(case.layer, [], 2).forward()
    assert images.shape == (3, 3, 32, 64)
    assert objects[:, 0].ravel().tolist() == [0, 0, 0, 1]


def test_without_a_size_images_are_as_they_are(folder):
    data = Runner(eval_data(folder, "batch_size: 1").layer, [], 3)
    assert data.top[0].shape == (1, 3, 32, 80) and data.forward()[0].shape == (1, 3, 32, 64)  # 40 x 64


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("batch_size: 0", "batch_size is 0"),
        ("batch_size: 2", "images may differ in size unless resize_width and resize_height"),
        ("batch_size: 1 resize_width: 70 resize_height: 15", r"would have 64 x 0 pixels, multiples of 32"),
    ],
)
def test_wrong_params(folder, params, message):
    with pytest.raises(LayerError, match=message):
        Runner(eval_data(folder, params).layer, [], 3).forward()


def test_a_list_that_is_not_there(folder):
    (folder / "list8").unlink()
    with pytest.warns(UserWarning, match="the list '.*' is not there"):
        data = Runner(eval_data(folder, "batch_size: 1 short_size: 60 long_size: 80").layer, [], 3)
    with pytest.raises(LayerError, match="cannot read the list"):
        data.forward()
