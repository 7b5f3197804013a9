"""What takes the place of Cython parts that nobody built, and of packages that are not installed."""

from __future__ import annotations

import importlib
import sysconfig

import numpy as np
import pytest

from caffe_compat.old_python import understood
from caffe_compat.stand_ins import EasyDict, bbox_overlaps, cpu_nms, gpu_nms, hint


def iou(a, b):
    """Of two boxes, in their dtype, with both corners inside."""
    width, height = (max(0, min(a[i + 2], b[i + 2]) - max(a[i], b[i]) + 1) for i in (0, 1))
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return width * height / (areas[0] + areas[1] - width * height)


def greedy(dets, goes):
    """The rows that stay, the best first; of equal scores the later row is the better one."""
    kept: list[int] = []
    for row in sorted(range(len(dets)), key=lambda row: (-dets[row, 4], -row)):
        if not any(goes(iou(dets[row], dets[better])) for better in kept):
            kept.append(row)
    return kept


def some_boxes(rng, count):
    corners = rng.randint(0, 40, (count, 2))
    return np.hstack((corners, corners + rng.randint(5, 40, (count, 2)))).astype(np.float32)


def test_nms_keeps_what_the_originals_keep():
    rng = np.random.RandomState(7)
    scores = rng.randint(0, 12, 47) / np.float32(12)  # with ties
    dets = np.column_stack((some_boxes(rng, 47), scores)).astype(np.float32)
    for thresh in (0.3, 0.5, 0.7):
        assert gpu_nms(dets, thresh, device_id=0) == greedy(dets, lambda it, t=thresh: it > np.float32(t))
        assert cpu_nms(dets, thresh) == greedy(dets, lambda it, t=thresh: it >= t)
    half = np.array([[0, 0, 9, 9, 0.9], [0, 0, 9, 4, 0.8]], np.float32)  # one is half of the other
    assert gpu_nms(half, 0.5) == [0, 1] and cpu_nms(half, 0.5) == [0]
    assert gpu_nms(half[:0], 0.5) == []


def test_overlaps():
    rng = np.random.RandomState(3)
    boxes, query = some_boxes(rng, 5).astype(np.float64), some_boxes(rng, 3).astype(np.float64)
    want = [[iou(a, b) for b in query] for a in boxes]
    np.testing.assert_allclose(bbox_overlaps(boxes, query), want, rtol=1e-15)
    assert bbox_overlaps(boxes, query[:0]).shape == (5, 0)


def test_easydict():
    cfg = EasyDict({"TRAIN": {"SCALES": (600,), "ONE": [{"a": 1}]}}, NAME="x")
    cfg.TEST = {"NMS": 0.3}
    cfg.update({"TEST": {"NMS": 0.5}})
    assert (cfg.TRAIN.SCALES, cfg.TRAIN.ONE[0].a, cfg.TEST.NMS, cfg.NAME) == ([600], 1, 0.5, "x")
    assert type(cfg["TEST"]) is EasyDict and not hasattr(cfg, "items_of_mine")
    cfg["TEST"]["NMS"] = 0.7
    assert cfg.TEST.NMS == 0.7
    del cfg.TEST
    assert list(cfg) == ["TRAIN", "NAME"]


def imported(name):
    with understood():
        return importlib.import_module(name)


def test_ones_own_and_the_compiled_come_first(write):
    write("one/__init__.py", "")
    write("one/gpu_nms.py", "def gpu_nms(dets, thresh, device_id=0): return 'own'")
    assert imported("one.gpu_nms").gpu_nms(0, 0) == "own"


def test_what_was_compiled_for_another_python(write):
    write("other/__init__.py", "")
    write(f"other/cython_bbox{sysconfig.get_config_var('EXT_SUFFIX')}", "of another machine")
    told = "other.cython_bbox is not built or not installed: caffe_compat's own bbox_overlaps takes its place"
    with pytest.warns(UserWarning, match=told):
        assert imported("other.cython_bbox").bbox_overlaps is bbox_overlaps
    with pytest.raises(ModuleNotFoundError):
        imported("other.cython_bboxes")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("other.gpu_nms")  # outside of users' modules nothing takes a place


def test_which_package_to_install():
    for name, package in (("PIL", "pillow"), ("skimage", "scikit-image"), ("scipy", "scipy")):
        assert hint(ModuleNotFoundError(name=name)) == f"; pip install {package}"
    assert (
        hint(ModuleNotFoundError(name="skimage.mine")) == hint(KeyError("PIL")) == ""
    )  # what is in it is another matter
