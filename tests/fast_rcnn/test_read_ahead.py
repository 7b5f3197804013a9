import cv2
import numpy as np
import pytest

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.images import photo_paths
from caffe_compat.fast_rcnn.read_ahead import read_ahead
from fast_rcnn.drawn import picture


def test_photos_come_in_order_with_their_proposals_and_errors_in_their_place(tmp_path):
    for i, size in enumerate([(40, 50), (30, 20), (25, 60)]):
        cv2.imwrite(str(tmp_path / f"{i}.png"), picture(i, *size))
    (tmp_path / "1.png").write_bytes(b"")
    boxes = np.array([[0, 0, 9, 9], [3, 4, 9, 12]], np.float64)
    np.savez(tmp_path / "p.npz", **{"0": boxes, "1": boxes, "2": boxes[:1]})
    paths = photo_paths([str(tmp_path)])
    first, bad, last = read_ahead(paths, tmp_path / "p.npz")
    assert first.image.shape == (40, 50, 3) and last.image.shape == (25, 60, 3)
    assert first.proposals.dtype == np.float32 and first.proposals.tolist() == boxes.tolist()
    assert len(last.proposals) == 1 and last.seconds >= 0
    assert isinstance(bad, DataError) and bad.file == paths[1]
    assert list(read_ahead([])) == []


def test_photo_paths(tmp_path):
    for name in ("b.JPG", "a.png", "c.txt", "[x].jpg"):
        (tmp_path / name).write_text("")
    names = [
        path.removeprefix(f"{tmp_path}/") for path in photo_paths([str(tmp_path), str(tmp_path / "?.*")])
    ]
    assert names == ["[x].jpg", "a.png", "b.JPG", "a.png", "b.JPG", "c.txt"]
    assert photo_paths([f"{tmp_path}/[x].jpg", "gone.jpg"]) == [f"{tmp_path}/[x].jpg", "gone.jpg"]
    (tmp_path / "empty").mkdir()
    for nothing in ("empty", "q*.jpg"):
        with pytest.raises(DataError, match="no photos there"):
            photo_paths([str(tmp_path / nothing)])
