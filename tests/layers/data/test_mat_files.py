"""MatWrite and MatRead: what stands in the files, which files they are, and what is wrong."""

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from layers.harness import Runner

io = pytest.importorskip("scipy.io")
BLOBS = [
    np.random.RandomState(1).standard_normal(shape).astype(np.float32) for shape in ((1, 2, 3, 4), (1, 5))
]


def write(folder, params="", blobs=BLOBS) -> Runner:
    return Runner(f'type: "MatWrite" mat_write_param {{ prefix: "{folder}/x_" {params} }}', blobs, tops=0)


def read(folder, params="", tops=2) -> Runner:
    return Runner(f'type: "MatRead" mat_read_param {{ prefix: "{folder}/x_" {params} }}', [], tops=tops)


def test_a_file_has_the_axes_the_other_way_round(tmp_path):
    write(tmp_path).forward()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x_iter_0_blob_0.mat", "x_iter_0_blob_1.mat"]
    data = io.loadmat(tmp_path / "x_iter_0_blob_0.mat")["data"]
    assert data.dtype == np.float32
    np.testing.assert_array_equal(data.reshape(4, 3, 2), BLOBS[0][0].T)


def test_what_was_written_is_read(tmp_path):
    write(tmp_path).forward()
    tops = read(tmp_path).forward()
    np.testing.assert_array_equal(tops[0], BLOBS[0])
    np.testing.assert_array_equal(tops[1], BLOBS[1].reshape(1, 5, 1, 1))


def test_every_second_forward_by_names_of_a_list(tmp_path):
    (tmp_path / "list").write_text("one.jpg 3\ntwo.jpg 1\nthree.jpg 5\n")
    names = f'source: "{tmp_path}/list" strip: 4'
    runner = write(tmp_path, f"{names} period: 2")
    for i in range(3):
        runner.bottom[0].data[...] = i
        runner.forward()
    written = sorted(path.name for path in tmp_path.glob("*_0.mat"))
    assert written == ["x_one_blob_0.mat", "x_three_blob_0.mat"]
    runner.forward()
    with pytest.raises(LayerError, match="has 3 names, this is forward 5"):
        runner.forward()
    (tmp_path / "list").write_text("one.jpg\nthree.jpg\n")
    served = read(tmp_path, f"{names} batch_size: 3", tops=1).forward()[0]
    assert served[:, 0, 0, 0].tolist() == [0, 2, 0]


def test_the_state_goes_on(tmp_path):
    first = write(tmp_path)
    first.forward()
    second = write(tmp_path)
    second.layer.set_state(first.layer.get_state())
    second.forward()
    assert (tmp_path / "x_iter_1_blob_0.mat").exists()
    reader = read(tmp_path)
    reader.forward()
    assert reader.layer.get_state() == {"iteration": 1}


def test_what_is_wrong(tmp_path):
    for layer, params in ((write, "period: 0"), (read, "batch_size: 0"), (write, "strip: -1 source: 'x'")):
        with pytest.raises(LayerError, match="must be at least"):
            layer(tmp_path, params)
    with pytest.raises(LayerError, match="more than 4 axes"):
        write(tmp_path, blobs=[np.ones((1, 1, 1, 1, 2))])
    with pytest.raises(LayerError, match=r"x_iter_0_blob_0.mat' cannot be read as .mat"):
        read(tmp_path)
    (tmp_path / "list").write_text("a.png\n")
    with pytest.raises(LayerError, match=r"list:1: strip 5 leaves nothing of 'a.png'"):
        read(tmp_path, f'source: "{tmp_path}/list" strip: 5')
    path = tmp_path / "x_iter_0_blob_0.mat"
    for wrong in ({"other": np.ones(3)}, {"data": np.array(["a"])}, {"data": np.ones((1, 1, 1, 1, 2))}):
        io.savemat(path, wrong)
        with pytest.raises(LayerError, match="has no array of numbers 'data'"):
            read(tmp_path)
    io.savemat(path, {"data": np.ones((4, 3, 2, 2))})
    with pytest.raises(LayerError, match="holds 2 images"):
        read(tmp_path)
    path.write_bytes(b"x" * 300)
    with pytest.raises(LayerError, match=r"cannot be read as .mat"):
        read(tmp_path)


def test_an_image_of_another_shape(tmp_path):
    for i, side in enumerate((3, 4)):
        io.savemat(tmp_path / f"x_iter_{i}_blob_0.mat", {"data": np.ones((4, side, 2))})
    runner = read(tmp_path, tops=1)
    runner.forward()
    with pytest.raises(
        LayerError, match=r"iter_1_blob_0.mat' holds the shape \(2, 4, 4\), the first one \(2, 3, 4\)"
    ):
        runner.forward()
