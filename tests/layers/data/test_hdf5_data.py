"""HDF5Data on files written here: rows over several files, shuffle, state, and wrong files."""

import sys

import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import Rng, set_random_seed
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner

h5py = pytest.importorskip("h5py")
ROWS = [3, 2, 4]
X = np.random.RandomState(1).standard_normal((9, 2, 5))
Y = np.arange(9)


def write(path, **arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def write_list(folder, files):
    (folder / "list.txt").write_text("".join(f"{folder}/{i}.h5\n" for i in range(files)))


@pytest.fixture
def folder(tmp_path):
    """Three files of 3, 2 and 4 rows, doubles and integers, and their list."""
    for i, end in enumerate(np.cumsum(ROWS)):
        write(tmp_path / f"{i}.h5", x=X[end - ROWS[i] : end], y=Y[end - ROWS[i] : end], other=[1])
    write_list(tmp_path, 3)
    return tmp_path


def data(folder, params: str = "batch_size: 4", more: str = "") -> Runner:
    text = f'source: "{folder}/list.txt" {params}'
    return Runner(f'type: "HDF5Data" top: "x" top: "y" hdf5_data_param {{ {text} }} {more}', [], tops=2)


def test_rows_go_on_from_file_to_file(folder):
    runner = data(folder)
    assert [top.shape for top in runner.top] == [(4, 2, 5), (4,)]
    for start in range(0, 40, 4):
        want = np.arange(start, start + 4) % 9
        x, y = runner.forward()
        np.testing.assert_array_equal(x, X[want].astype(np.float32))
        assert y.tolist() == want.tolist()


def test_one_file_in_a_circle(folder):
    write_list(folder, 1)
    runner = data(folder)
    assert [runner.forward()[1].tolist() for _ in range(2)] == [[0, 1, 2, 0], [1, 2, 0, 1]]


def naive_shuffle(items: list, rng: Rng) -> None:
    for i in range(len(items) - 1, 0, -1):
        j = rng.draw() // (2**32 // (i + 1))
        items[i], items[j] = items[j], items[i]


def test_shuffled_files_and_rows(folder):
    set_random_seed(4)
    rng = Rng(Rng(4).draw())
    runner = data(folder, "batch_size: 9 shuffle: true")
    files, firsts = [0, 1, 2], [0, 3, 5]
    for _ in range(4):
        naive_shuffle(files, rng)
        want = []
        for i in files:
            rows = list(range(ROWS[i]))
            naive_shuffle(rows, rng)
            want += [firsts[i] + row for row in rows]
        assert list(runner.forward()[1]) == want


def test_one_shuffled_file_comes_in_a_new_order(folder):
    write_list(folder, 1)
    runner = data(folder, "batch_size: 3 shuffle: true")
    rounds = [tuple(runner.forward()[1]) for _ in range(8)]
    assert {tuple(sorted(order)) for order in rounds} == {(0, 1, 2)}
    assert len(set(rounds)) > 1


@pytest.mark.parametrize("params", ["batch_size: 4", "batch_size: 2 shuffle: true"])
@pytest.mark.parametrize("files", [1, 3])
def test_the_state_goes_on_exactly(folder, params, files):
    write_list(folder, files)
    a, b = data(folder, params), data(folder, params)
    for _ in range(5):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(9):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_state_of_other_files(folder):
    state = data(folder).layer.get_state()
    write(folder / "0.h5", x=X[:7], y=Y[:7])
    with pytest.raises(LayerError, match=r"list.txt:1: '.*0.h5' has other rows than when the state was kept"):
        data(folder).layer.set_state(state)
    write_list(folder, 2)
    with pytest.raises(LayerError, match=r"list.txt' is not the list that the state was kept with"):
        data(folder).layer.set_state(state)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X}, r"list.txt:1: '.*0.h5' lacks the datasets \['y'\]; it has \['x'\]"),
        ({"x": X, "y": Y[:4]}, r"of the shapes \[\(9, 2, 5\), \(4,\)\]; expected as many rows in each"),
        ({"x": X[:0], "y": Y[:0]}, "expected as many rows in each"),
        ({"x": 3, "y": 4}, "expected as many rows in each"),
        ({"x": X, "y": ["a"] * 9}, r"list.txt:1: '.*0.h5': the dataset 'y' holds object; expected numbers"),
    ],
)
def test_wrong_files(folder, arrays, message):
    write(folder / "0.h5", **arrays)
    with pytest.raises(LayerError, match=message):
        data(folder)


def test_a_later_file_with_other_shapes(folder):
    write(folder / "1.h5", x=X[:, :1], y=Y)
    with pytest.raises(LayerError, match=r"list.txt:2: '.*1.h5' has rows of other shapes"):
        data(folder).forward()


def test_files_that_cannot_be_read(folder):
    (folder / "0.h5").write_text("text")
    with pytest.raises(LayerError, match=r"list.txt:1: '.*0.h5' cannot be read"):
        data(folder)
    (folder / "0.h5").unlink()
    (folder / "list.txt").write_text(f"\ufeff{folder}/0.h5\n", encoding="utf-8")
    with pytest.raises(
        LayerError, match=rf"list.txt:1: '{folder}/0.h5' cannot be read: No such file or directory$"
    ):
        data(folder)
    (folder / "list.txt").write_bytes(b"\x89HDF\0\0\0")
    with pytest.raises(
        LayerError, match=r"list.txt' is no list of HDF5 files, which is text, but a binary file"
    ):
        data(folder)
    (folder / "list.txt").write_text("\n")
    with pytest.raises(LayerError, match=r"list.txt' is empty"):
        data(folder)
    (folder / "list.txt").unlink()
    with pytest.raises(LayerError, match="cannot read the list of HDF5 files"):
        data(folder)


def test_wrong_params(folder):
    with pytest.raises(LayerError, match="batch_size is 0"):
        data(folder, "")
    with pytest.raises(LayerError, match="HDF5 data is not transformed"):
        data(folder, more="transform_param { scale: 2 }")


def test_without_the_package(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(LayerError, match=r"needs h5py: pip install 'caffe-compat\[h5\]'"):
        data(folder)


@pytest.mark.parametrize("params", ["batch_size: 2", "batch_size: 2 shuffle: true"])
def test_shared_out_each_worker_serves_its_own_rows(folder, params):
    def make():
        set_random_seed(5)
        return data(folder, params)

    shares_what_one_serves(make)


def test_a_file_of_which_others_serve_all_rows_is_not_read(folder, monkeypatch):
    runner, read = data(folder, "batch_size: 3"), []
    runner.layer.share_out(2, 3)  # rows 6, 7, 8 of the nine
    monkeypatch.setattr(
        h5py.Dataset, "__array__", lambda self, *args, **more: (read.append(len(self)), self[()])[1]
    )
    assert runner.forward()[1].tolist() == [6, 7, 8]
    assert read == [4, 4]  # x and y of the last file
