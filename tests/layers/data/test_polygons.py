"""Polygons of TextBoxes++: how they move with their image, the rows of AnnotatedData, and what is refused."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.data import polygons
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, Datum
from layers.data.test_annotated_data import layer, write
from layers.harness import Runner

WHOLE = np.array([0, 0, 1, 1], np.float32)


def rectangle(x1, y1, x2, y2) -> list[float]:
    return [x1, y1, x2, y1, x2, y2, x1, y2]


def turned(x, y, width, height, angle) -> np.ndarray:
    """A rectangle about x, y."""
    corners = np.array([(-width, -height), (width, -height), (width, height), (-width, height)]) / 2
    c, s = np.cos(angle), np.sin(angle)
    return (corners @ [[c, s], [-s, c]] + (x, y)).ravel()


def projected(polygon, window=WHOLE) -> np.ndarray:
    return polygons.projected(np.array([polygon], np.float32), np.array(window, np.float32))[0]


@pytest.mark.parametrize(
    "polygon, window, want",
    [
        (rectangle(0.2, 0.3, 0.6, 0.5), (0.1, 0.1, 0.9, 0.6), rectangle(0.125, 0.4, 0.625, 0.8)),
        (rectangle(0.6, 0.3, 1.2, 0.5), WHOLE, rectangle(0.6, 0.3, 1, 0.5)),  # the end is cut off
        (rectangle(-0.3, 0.3, 0.5, 0.5), WHOLE, rectangle(0, 0.3, 0.5, 0.5)),
        (rectangle(0.8, 0.3, 1.4, 0.5), WHOLE, rectangle(0.8, 0.3, 1.4, 0.5)),  # its middle is outside
        (rectangle(0.2, -0.2, 0.6, 0.4), WHOLE, rectangle(0.2, -0.2, 0.6, 0.4)),  # no cut across
        (turned(0.5, 0.4, 0.5, 0.2, 0.6), WHOLE, turned(0.5, 0.4, 0.5, 0.2, 0.6)),
        (turned(0.5, 0.8, 0.6, 0.1, np.pi / 2), WHOLE, turned(0.5, 0.75, 0.5, 0.1, np.pi / 2)),
        (
            [0.2, 0.2, 0.6, 0.2, 0.5, 0.6, 0.3, 0.6],
            WHOLE,
            rectangle(0.25, 0.2, 0.55, 0.6),
        ),  # mean of two sides
    ],
)
def test_polygons_become_rectangles_in_a_window(polygon, window, want):
    np.testing.assert_allclose(projected(polygon, window), want, atol=2e-6)


def test_polygons_begin_top_left_in_pixels():
    upright = rectangle(0.1, 0.2, 0.5, 0.4)
    starts = [np.roll(upright, 2 * i) for i in range(4)]
    found = polygons.begun_top_left(np.array(starts, np.float32), 20, 30)
    np.testing.assert_allclose(found, [upright] * 4, atol=1e-6)
    steep = turned(0.5, 0.5, 0.6, 0.2, 0.8).astype(np.float32)[None]
    square, wide = (polygons.begun_top_left(steep, 40, width)[0] for width in (40, 400))
    np.testing.assert_array_equal(square, np.roll(steep[0], 2))
    np.testing.assert_array_equal(wide, steep[0])


def record(i: int, has_polygon: bool = True) -> AnnotatedDatum:
    image = cv2.imencode(".png", np.full((20 + i, 30, 3), 40 * i, np.uint8))[1].tobytes()
    result = AnnotatedDatum(type=AnnotatedDatum.BBOX, datum=Datum(encoded=True, data=image))
    one = result.annotation_group.add(group_label=1).annotation.add(instance_id=i)
    one.bbox.xmin, one.bbox.ymin, one.bbox.xmax, one.bbox.ymax = 0.1, 0.2, 0.6 + 0.1 * i, 0.5
    if has_polygon:
        corners = rectangle(0.1, 0.2, 0.6 + 0.1 * i, 0.5)
        for j, value in enumerate(np.roll(corners, 2 * i)):
            setattr(one.polygon, f"{'xy'[j % 2]}{j // 2 + 1}", value)
    return result


def test_rows_of_objects_have_their_polygons(tmp_path):
    write(tmp_path / "db", [record(i) for i in range(3)])
    warp = "resize_param { height: 16 width: 12 }"
    runner = Runner(layer(tmp_path, "polygons: true", warp, batch=3), [], tops=2)
    assert runner.top[1].shape == (1, 1, 1, 16)
    _, rows = runner.forward()
    want = [
        [i, 1, i, 0.1, 0.2, 0.6 + 0.1 * i, 0.5, 0, *rectangle(0.1, 0.2, 0.6 + 0.1 * i, 0.5)] for i in range(3)
    ]
    np.testing.assert_allclose(rows[0, 0], want, atol=1e-5)


def test_polygons_go_with_the_windows_of_samplers(tmp_path):
    write(tmp_path / "db", [record(0)])
    sampler = (
        "polygons: true batch_sampler { sampler { min_scale: 0.7 } max_sample: 1 sample_constraint { %s } }"
    )
    text = layer(
        tmp_path, sampler % "min_object_coverage: 1", "resize_param { height: 16 width: 12 }", batch=1
    )
    runner, widths = Runner(text, [], tops=2), set()
    for _ in range(6):
        (row,) = runner.forward()[1][0, 0]
        np.testing.assert_allclose(row[8:], rectangle(*row[3:7]), atol=1e-5)
        widths.add(round(float(row[5] - row[3]), 3))
    assert len(widths) > 1


@pytest.mark.parametrize(
    "params, transform, message",
    [
        ("", "mirror: true", "do not go with mirror"),
        (
            "",
            "resize_param { height: 16 width: 12 resize_mode: FIT_SMALL_SIZE }",
            "a resize_mode other than WARP",
        ),
        ("yolo_data_type: 1", "", "without yolo_data_type"),
        ("", "", "has an object without a polygon; make the LMDB"),
    ],
)
def test_what_does_not_go_with_polygons(tmp_path, params, transform, message):
    write(tmp_path / "db", [record(0, has_polygon=not message.startswith("has"))])
    with pytest.raises(LayerError, match=message):
        Runner(layer(tmp_path, f"polygons: true {params}", transform, batch=1), [], tops=2).forward()
