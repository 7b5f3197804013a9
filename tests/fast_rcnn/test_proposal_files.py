import sys
from pathlib import Path

import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.proposal_files import read_proposals
from caffe_compat.fast_rcnn.proposals import proposals_from
from fast_rcnn.golden import PIPELINE, recorded

PHOTO = np.zeros((80, 90, 3), np.uint8)
BOXES = np.array([[1, 11, 41, 61], [20, 5, 80, 90]], np.uint16)  # y1 x1 y2 x2, from 1
READ = [[10, 0, 60, 40], [4, 19, 89, 79]]  # x1 y1 x2 y2, from 0


def cells(items: list) -> np.ndarray:
    result = np.empty((1, len(items)), object)
    result[0, :] = items
    return result


def write_mat(path: Path, **variables: np.ndarray) -> Path:
    pytest.importorskip("scipy.io").savemat(path, variables)
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "p.mat"


def refused(path: Path, image_id: str = "a", ids: tuple[str, ...] = ("a", "b"), **how: bool) -> str:
    with pytest.raises(DataError) as error:
        proposals_from(path, ids, **how)(image_id, PHOTO)
    assert error.value.file == str(path)
    return error.value.message


@pytest.mark.parametrize("name", ["proposals.npz", "voc_2007_trainval.mat"])
def test_recorded_files_give_the_usable_boxes(name):
    if name.endswith(".mat"):
        pytest.importorskip("scipy")
    roidb = recorded("roidb")
    find = proposals_from(PIPELINE / name, [str(one) for one in roidb["image_id"][:5]])
    for i in range(5):
        got = find(str(roidb["image_id"][i]), np.zeros((375, 500, 3), np.uint8))
        np.testing.assert_array_equal(got, roidb[f"e{i}/boxes"][roidb[f"e{i}/gt_classes"] == 0])


@pytest.mark.parametrize("variable", ["boxes", "all_boxes"])
@pytest.mark.parametrize("names", [["b", "a"], ["b.jpg", "JPEGImages/a.png"], None])
@pytest.mark.parametrize("dtype", [np.uint16, np.float64, np.int32])
def test_a_mat_counts_from_one_and_has_y_first(file, variable, names, dtype):
    images = {} if names is None else {"images": cells(names)}
    write_mat(file, **{variable: cells([BOXES.astype(dtype), np.ones((2, 4), dtype)])}, **images)
    find = proposals_from(file, ["b", "a"])
    got = find("b", PHOTO)
    assert got.tolist() == READ and got.dtype == np.float32
    assert find("a", PHOTO).shape == (0, 4)  # a point is too small


def test_names_may_be_a_matrix_of_characters(file):
    write_mat(file, boxes=cells([BOXES, BOXES[:1]]), images=np.array(["long", "a"]))
    assert proposals_from(file, ["a"])("a", PHOTO).tolist() == READ[:1]


def test_matlabs_empty_array_has_no_proposals(file):
    write_mat(file, boxes=cells([np.zeros((0, 0)), np.zeros((0, 4))]))
    find = proposals_from(file, ["a", "b"])
    assert find("a", PHOTO).shape == find("b", PHOTO).shape == (0, 4)


def test_a_plain_array_is_of_one_photo_as_in_the_references_demo(file):
    write_mat(file, boxes=np.array(READ, np.float64))
    assert proposals_from(file, ["dog"])("dog", PHOTO).tolist() == READ
    assert refused(file) == (
        "'boxes' is an array (2, 4), the boxes of one image, and there are 2 images; expected a cell array with a P x "
        "4 for each"
    )


def test_a_box_outside_is_named_with_its_row_and_with_the_form_that_would_fit(file):
    """An unsigned 0 does not become 65535."""
    write_mat(file, boxes=cells([BOXES, BOXES - np.uint16(1)]))
    assert proposals_from(file, ["a", "b"])("a", PHOTO).tolist() == READ
    assert refused(file, "b") == (
        "image 'b', row 1: y1 x1 y2 x2 = 0 10 40 60 is not inside the photo of 90 x 80 pixels; such a file counts from "
        "1 and has y first, and all boxes of this image would fit in one that counts from 0 and has y first"
    )
    write_mat(file, boxes=cells([BOXES[:, [1, 0, 3, 2]], BOXES + np.uint16(30)]))
    assert refused(file).endswith("would fit in one that counts from 1 and has x first")
    assert refused(file).startswith("image 'a', row 2: y1 x1 y2 x2 = 5 20 90 80 is not inside")
    assert refused(file, "b").endswith("counts from 1 and has y first")
    npz = file.with_suffix(".npz")
    np.savez(npz, a=np.array([READ[1], [3.0, 7.5, 9.5, 80]]), b=np.array([[9, 9, 5, 5]]))
    assert refused(npz).startswith("image 'a', row 1: x1 y1 x2 y2 = 3 7.5 9.5 80 is not inside the photo")
    assert (
        "counts from 0 and has x first, and all boxes of this image would fit in one that counts from 1"
        in (refused(npz))
    )
    assert refused(npz, "b", may_stick_out=True).startswith("image 'b', row 0: x1 y1 x2 y2 = 9 9 5 5")


def test_a_box_may_stick_out_of_a_photo_that_is_only_looked_at(tmp_path):
    np.savez(
        tmp_path / "p.npz", a=np.array([[-3, 7, 30, 95], [70, 4, 95, 40]]), b=np.array([[90, 4, 95, 40]])
    )
    find = proposals_from(tmp_path / "p.npz", ["a"], may_stick_out=True)
    assert find("a", PHOTO).tolist() == [[-3, 7, 30, 95], [70, 4, 95, 40]]
    with pytest.raises(DataError, match="90 4 95 40 is not inside"):
        find("b", PHOTO)


def test_what_is_no_boxes_is_refused(tmp_path):
    npz = tmp_path / "p.npz"
    np.savez(npz, a=np.zeros((3, 5)), b=np.array(["x"]), **{"u/e.jpg": READ, "v/e.jpg": READ, "f.x": READ})
    assert refused(npz) == (
        "the proposals of 'a' are (3, 5) float64; expected P x 4 numbers, x1 y1 x2 y2, without scores"
    )
    assert "expected P x 4 numbers" in refused(npz, "b")
    assert refused(npz, "c") == (
        "no proposals for the image 'c' there; there are 'a', 'b', 'u/e.jpg', 'v/e.jpg' and 1 more"
    )
    assert refused(npz, "e") == "no proposals for the image 'e' there; 'u/e.jpg', 'v/e.jpg' may be it"


def test_a_mat_that_does_not_fit_says_what_is_in_it(file):
    write_mat(file, bbs=BOXES, n=3)
    assert refused(file) == "there is no variable 'boxes' or 'all_boxes' in it; its variables: 'bbs', 'n'"
    write_mat(file, boxes=cells([BOXES] * 3))
    assert refused(file).endswith("boxes of 3 images, and without 'images' in it they have to be of 2")
    write_mat(file, boxes=cells([BOXES] * 3), images=cells(["a", "b"]))
    assert refused(file).endswith("boxes of 3 images, its 'images' are 2")


def test_a_file_that_cannot_be_read_says_why(tmp_path):
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    contents = {"x.npz": b"no", "x.mat": b"no", "x.pkl": b"no", "v73.mat": header + bytes(600)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    for name, words in {
        "x.npz": "this is no .npz of proposals",
        "x.mat": "this is no .mat of proposals",
        "y.npz": "cannot be read: No such file",
        "y.mat": "cannot be read: No such file",
        "x.pkl": "a pickle can run any program, so none is read; write the boxes by numpy.savez",
        "v73.mat": "save('FILE.mat', ..., '-v7')",
    }.items():
        assert words in refused(tmp_path / name)


def test_a_mat_is_read_without_scipy(file, monkeypatch):
    write_mat(file, boxes=cells([BOXES] * 2))
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    assert len(read_proposals(file, ["a", "b"]).arrays) == 2
