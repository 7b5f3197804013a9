import numpy as np
import pytest

from caffe_compat.fast_rcnn.boxes import bbox_overlaps, bbox_transform, bbox_transform_inv, clip_boxes
from fast_rcnn.golden import recorded


def pixels(box) -> set[tuple[int, int]]:
    x1, y1, x2, y2 = (int(v) for v in box)
    return {(x, y) for x in range(x1, x2 + 1) for y in range(y1, y2 + 1)}


def test_overlaps_count_the_pixels_of_both_corners():
    rng = np.random.RandomState(5)
    boxes = np.sort(rng.randint(0, 12, (17, 2, 2)), axis=1).reshape(-1, 4)
    query = np.sort(rng.randint(0, 12, (6, 2, 2)), axis=1).reshape(-1, 4)
    want = [[len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b)) for b in query] for a in boxes]
    np.testing.assert_array_equal(bbox_overlaps(boxes, query), want)


@pytest.mark.parametrize("case", ["overlaps_a", "overlaps_b"])
def test_overlaps_are_the_recorded_ones(case):
    nms = recorded("nms")
    got = bbox_overlaps(nms[f"{case}/boxes"], nms[f"{case}/query"])
    assert got.dtype == np.float64
    np.testing.assert_array_equal(got, nms[f"{case}/overlaps"])


def test_overlaps_of_no_boxes_have_a_shape():
    assert bbox_overlaps(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
    assert bbox_overlaps(np.zeros((3, 4)), np.zeros((0, 4))).shape == (3, 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 2e-6), ("float64", 1e-14)])
def test_transform_is_the_recorded_one(dtype, tolerance):
    nms = recorded("nms")
    got = bbox_transform(nms["transform/ex"].astype(dtype), nms["transform/gt"].astype(dtype))
    assert got.dtype == dtype
    np.testing.assert_allclose(got, nms[f"transform/{dtype}"], rtol=tolerance, atol=tolerance)


def test_transform_of_whole_numbers_is_computed_in_float64():
    nms = recorded("nms")
    got = bbox_transform(nms["transform/ex"].astype(np.uint16), nms["transform/gt"].astype(np.uint16))
    np.testing.assert_allclose(got, nms["transform/float64"], rtol=1e-14, atol=1e-14)


def test_transform_inv_is_the_recorded_one():
    nms = recorded("nms")
    boxes, deltas = nms["transform_inv/boxes"], nms["transform_inv/deltas"]
    got = bbox_transform_inv(boxes, deltas)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, nms["transform_inv/float32"], rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(
        clip_boxes(got, 375, 500), nms["transform_inv/float32_clipped_375x500"], rtol=1e-6, atol=1e-4
    )
    exact = bbox_transform_inv(boxes, deltas.astype(np.float64))
    np.testing.assert_allclose(exact, nms["transform_inv/float64"], rtol=1e-13)
    assert bbox_transform_inv(boxes[:0], deltas[:0]).shape == nms["transform_inv/empty"].shape


def test_transform_inv_undoes_transform():
    nms = recorded("nms")
    ex, gt = nms["transform/ex"], nms["transform/gt"]
    # the reference takes the far corner for centre + half, one pixel more than the width says
    np.testing.assert_allclose(
        bbox_transform_inv(ex, bbox_transform(ex, gt)), gt + np.array([0, 0, 1, 1]), atol=1e-3
    )
