"""HDF5Output: what stands in the file, and when it cannot be written."""

import numpy as np
import pytest

from caffe_compat.errors import CaffeCompatError, LayerError
from layers.harness import Runner

h5py = pytest.importorskip("h5py")
DATA = np.random.RandomState(1).standard_normal((3, 2, 5)).astype(np.float32)
LABELS = np.array([4, 0, 7], np.float32)


def output(path, data=DATA, labels=LABELS) -> Runner:
    layer = f'type: "HDF5Output" hdf5_output_param {{ file_name: "{path}" }}'
    return Runner(layer, [data, labels], tops=0)


def test_the_file_holds_both_blobs(tmp_path):
    path = tmp_path / "out.h5"
    path.write_text("old")
    runner = output(path)
    assert path.read_text() == "old"
    runner.forward()
    with h5py.File(path) as file:
        assert sorted(file) == ["data", "label"]
        assert file["data"].dtype == file["label"].dtype == np.float32
        np.testing.assert_array_equal(file["data"], DATA[:, :, :, None])
        np.testing.assert_array_equal(file["label"], LABELS.reshape(3, 1, 1, 1))
    with pytest.raises(LayerError, match="takes no second"):
        runner.forward()


def test_what_is_wrong(tmp_path):
    with pytest.raises(LayerError, match="names no file"):
        output("")
    with pytest.raises(CaffeCompatError, match=r"there is no folder '.*none'; make it first"):
        output(tmp_path / "none" / "out.h5")
    with pytest.raises(LayerError, match="3 and 2 rows"):
        output(tmp_path / "out.h5", labels=LABELS[:2])
    with pytest.raises(LayerError, match="more than 4 axes"):
        output(tmp_path / "out.h5", data=DATA.reshape(3, 1, 1, 5, 2))
