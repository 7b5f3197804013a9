"""AnnotatedData on LMDBs written here, against plain numbers: each step, its random numbers, rows, state, errors."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST
from caffe_compat.prototxt.caffe_pb2 import AnnotatedDatum, Datum
from caffe_compat.rng import Rng, set_random_seed
from layers.data.plain_annotated import plain_image
from layers.harness import Runner, parse

lmdb = pytest.importorskip("lmdb")
SIZES = [(30, 44), (41, 26), (24, 37)]


def image(i: int) -> np.ndarray:
    """Smooth enough that JPEG leaves most of it."""
    small = np.random.RandomState(i).randint(0, 256, (4, 5, 3)).astype(np.uint8)
    return cv2.resize(small, SIZES[i][::-1])


def record(i: int) -> AnnotatedDatum:
    result = AnnotatedDatum(type=AnnotatedDatum.BBOX)
    result.datum.CopyFrom(Datum(encoded=True, data=cv2.imencode(".png", image(i))[1].tobytes(), label=7 - i))
    rng = np.random.RandomState(20 + i)
    for label in (4, 2):
        group = result.annotation_group.add(group_label=label)
        for instance in range(2):
            box = group.annotation.add(instance_id=instance).bbox
            box.xmin, box.ymin = rng.uniform(0, 0.5, 2)
            box.xmax, box.ymax = box.xmin + rng.uniform(0.1, 0.5), box.ymin + rng.uniform(0.1, 0.5)
            box.difficult = instance == 1
    return result


RECORDS = [record(i) for i in range(3)]


def write(path, records) -> None:
    with lmdb.open(str(path), map_size=2**20) as environment, environment.begin(write=True) as transaction:
        for i, value in enumerate(records):
            transaction.put(
                f"{i:08d}".encode(), value if isinstance(value, bytes) else value.SerializeToString()
            )


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "db", RECORDS)
    return tmp_path


def layer(folder, params: str = "", transform: str = "", batch: int = 2) -> str:
    return (
        f'type: "AnnotatedData" data_param {{ source: "{folder}/db" backend: LMDB batch_size: {batch} }} '
        f"transform_param {{ {transform} }} annotated_data_param {{ {params} }}"
    )


SAMPLERS = """
    batch_sampler { max_sample: 1 max_trials: 1 }
    batch_sampler { sampler { min_scale: 0.4 min_aspect_ratio: 0.5 max_aspect_ratio: 2 } max_sample: 1 max_trials: 30
                    sample_constraint { min_jaccard_overlap: 0.3 max_sample_coverage: 0.4 } }
    batch_sampler { sampler { min_scale: 0.5 max_scale: 0.9 } max_trials: 3
                    sample_constraint { max_object_coverage: 0.8 } }
    batch_sampler { sampler { min_scale: 0.3 } max_sample: 2 max_trials: 9
                    sample_constraint { min_sample_coverage: 0.2 } }
"""
PADDED = "resize_mode: FIT_LARGE_SIZE_AND_PAD height: 16 width: 20 pad_value: 3 pad_value: 5 pad_value: 7"
WARP = "resize_param { height: 17 width: 19 interp_mode: LINEAR interp_mode: AREA interp_mode: NEAREST }"
MEANS = "mean_value: 104.4 mean_value: 117 mean_value: 122.6"


@pytest.mark.parametrize(
    "params, transform, batch",
    [
        ("", WARP, 2),
        (
            "",
            f"{WARP} mirror: true scale: 0.5 {MEANS} crop_size: 11 emit_constraint {{ emit_type: CENTER }}",
            3,
        ),
        (
            "",
            f"resize_param {{ {PADDED} }}",
            3,
        ),
        ("", "resize_param { resize_mode: FIT_SMALL_SIZE height: 16 width: 20 }", 1),
        (
            "",
            f"{WARP} {MEANS} expand_param {{ prob: 0.6 max_expand_ratio: 3 }} "
            "emit_constraint { emit_type: MIN_OVERLAP emit_overlap: 0.4 }",
            2,
        ),
        (SAMPLERS, f"{WARP} mirror: true emit_constraint {{ emit_type: CENTER }}", 2),
        (
            "",
            f"{WARP} distort_param {{ brightness_prob: 0.5 brightness_delta: 32 contrast_prob: 0.5 contrast_lower: 0.5 "
            "contrast_upper: 1.5 hue_prob: 0.5 hue_delta: 18 saturation_prob: 0.5 saturation_lower: 0.5 "
            "saturation_upper: 1.5 random_order_prob: 0.3 }",
            3,
        ),
        (
            "",
            f"{WARP} distort_param {{ brightness_prob: 0.5 brightness_delta: 32 gaussian_prob: 0.6 "
            "gaussian_size_min: 2 gaussian_size_max: 6 gaussian_sigma: 2 salt_prob: 0.5 salt_num: 90 }",
            2,
        ),
        (
            SAMPLERS,
            f"{WARP} {MEANS} mirror: true distort_param {{ brightness_prob: 0.5 brightness_delta: 32 }} "
            "expand_param { prob: 0.5 max_expand_ratio: 4 } emit_constraint { emit_type: CENTER }",
            3,
        ),
    ],
)
def test_as_in_plain_numbers(folder, params, transform, batch):
    text = layer(folder, params, transform, batch)
    message = parse(text)
    set_random_seed(5)
    runner = Runner(text, [], tops=2)
    stream = Rng(5)
    stream.draw()  # the reader's thread
    draws = "mirror" in transform or "crop_size" in transform
    for _ in range(2 * draws):
        own = stream.draw()  # the transformer's stream, started twice
    mirror, thread = Rng(own) if draws else None, Rng(stream.draw())
    empty = 0
    for start in range(0, 8 * batch, batch):
        images, rows = runner.forward()
        want_rows = []
        for n in range(batch):
            want, objects = plain_image(
                RECORDS[(start + n) % 3],
                message.annotated_data_param,
                message.transform_param,
                thread,
                mirror,
            )
            np.testing.assert_allclose(images[n], want, rtol=0, atol=1e-3)
            want_rows += [(n, *row) for row in objects]
        empty += not want_rows
        np.testing.assert_allclose(
            rows, np.reshape(want_rows or [[-1] * 8], (1, 1, -1, 8)), rtol=0, atol=2e-6
        )
    assert empty < 4


def test_shapes_before_the_first_forward(folder):
    runner = Runner(layer(folder, transform=WARP), [], tops=2)
    assert [top.shape for top in runner.top] == [(2, 3, 17, 19), (1, 1, 4, 8)]
    assert [top.shape for top in Runner(layer(folder, transform=WARP), [], tops=1).top] == [(2, 3, 17, 19)]


def test_images_without_objects_have_no_row_and_a_batch_without_has_one_of_minus_1(tmp_path):
    bare = AnnotatedDatum(datum=RECORDS[0].datum, type=AnnotatedDatum.BBOX)
    write(tmp_path / "db", [bare, RECORDS[1], bare, bare])
    runner = Runner(layer(tmp_path, transform=WARP), [], tops=2)
    assert runner.top[1].shape == (1, 1, 1, 8)
    assert set(runner.forward()[1][0, 0, :, 0]) == {1}
    assert (runner.forward()[1] == -1).all() and runner.top[1].shape == (1, 1, 1, 8)


def test_records_without_a_type_give_their_labels(tmp_path):
    write(tmp_path / "db", [AnnotatedDatum(datum=one.datum) for one in RECORDS])
    runner = Runner(layer(tmp_path, transform=WARP), [], tops=2)
    assert runner.top[1].shape == (2,)
    assert [runner.forward()[1].tolist() for _ in range(2)] == [[7, 6], [5, 7]]


def test_raw_records_are_expanded_but_not_stored_as_jpeg(tmp_path):
    pixels = image(0)
    raw = AnnotatedDatum(type=AnnotatedDatum.BBOX)
    raw.datum.CopyFrom(Datum(channels=3, height=30, width=44, data=pixels.transpose(2, 0, 1).tobytes()))
    write(tmp_path / "db", [raw])
    set_random_seed(2)
    transform = "distort_param { brightness_prob: 1 } expand_param { max_expand_ratio: 3 }"
    images, _ = Runner(layer(tmp_path, transform=transform, batch=1), [], tops=2).forward()
    assert images.shape[2] > 30
    outside = images == ord(" ")
    assert 0 < outside.mean() < 1
    y, x = np.argwhere(~outside[0, 0])[0]
    np.testing.assert_array_equal(images[0, :, y : y + 30, x : x + 44], pixels.transpose(2, 0, 1))


def test_several_resize_params_take_turns_of_ten_batches(folder):
    transform = "resize_param { prob: 0.5 height: 8 width: 9 } resize_param { prob: 0.5 height: 6 width: 5 }"
    set_random_seed(1)
    runner = Runner(layer(folder, transform=transform), [], tops=2)
    shapes = [runner.forward()[0].shape[2:] for _ in range(60)]
    assert all(len(set(shapes[i : i + 10])) == 1 for i in range(0, 60, 10)) and set(shapes) == {
        (8, 9),
        (6, 5),
    }


def test_yolo_rows(folder):
    text = layer(folder, "yolo_data_type: 1 train_diffcult: false", WARP)
    runner = Runner(text, [], tops=2)
    assert runner.top[1].shape == (2, 1, 300, 5)
    rows = runner.forward()[1]
    for n in range(2):
        want = [
            (
                g.group_label - 1,
                (b.xmin + b.xmax) / 2,
                (b.ymin + b.ymax) / 2,
                b.xmax - b.xmin,
                b.ymax - b.ymin,
            )
            for g in RECORDS[n].annotation_group
            for b in (g.annotation[0].bbox,)
        ]
        np.testing.assert_allclose(rows[n, 0, :2], want, atol=1e-6)
    assert not rows[:, :, 2:].any()


def test_jitter_crops_up_to_its_share(folder):
    set_random_seed(4)
    runner = Runner(layer(folder, "yolo_data_jitter: 0.4", WARP), [], tops=2)
    whole = Runner(layer(folder, "", WARP), [], tops=2)
    changed = 0
    for _ in range(9):
        (images, _), (want, _) = runner.forward(), whole.forward()
        changed += sum(np.abs(a - b).mean() > 3 for a, b in zip(images, want, strict=True))
    assert 9 <= changed < 18


def test_the_state_goes_on_exactly(folder):
    text = layer(folder, SAMPLERS, f"{WARP} mirror: true expand_param {{ max_expand_ratio: 2 }}")
    a, b = (Runner(text, [], tops=2) for _ in range(2))
    for _ in range(3):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(4):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_crop_lies_in_the_centre_in_phase_test(folder):
    runner = Runner(layer(folder, transform="crop_h: 10 crop_w: 12", batch=1), [], tops=2, phase=TEST)
    np.testing.assert_array_equal(runner.forward()[0][0], image(0)[10:20, 16:28].transpose(2, 0, 1))


@pytest.mark.parametrize(
    "records, params, transform, batch, message",
    [
        ([], "", "", 1, "is empty"),
        ([b"\xff\xff"], "", "", 1, "key '00000000': this is no AnnotatedDatum"),
        (
            [RECORDS[0].datum],
            "",
            "",
            1,
            "this is no AnnotatedDatum; make the database by caffe-compat convert-annoset, or take a Data",
        ),
        (
            [AnnotatedDatum(datum=Datum(encoded=True, data=b"x"))],
            "",
            "",
            1,
            "is no image that OpenCV can decode",
        ),
        (RECORDS, "", "", 2, r"gives \(3, 41, 26\) where the batch has \(3, 30, 44\)"),
        (RECORDS, "", "resize_param { height: 5 }", 1, "resize_param needs a height and a width"),
        (
            RECORDS,
            "",
            "resize_param { resize_mode: FIT_SMALL_SIZE height: 9 width: 9 }",
            2,
            "set batch_size: 1",
        ),
        (RECORDS, "", "expand_param { max_expand_ratio: 1 }", 1, "max_expand_ratio is 1; it must be above 1"),
        (
            RECORDS,
            "",
            "resize_param { height: 90000 width: 90000 } crop_size: 3",
            1,
            "makes an image of 30 x 44 one of",
        ),
        (RECORDS, "batch_sampler { sampler { min_scale: 0 } }", "", 1, "a sampler has scales from 0 to 1"),
        (
            RECORDS,
            "batch_sampler { sampler { max_aspect_ratio: 0.5 } }",
            "",
            1,
            "aspect ratios from 1 to 0.5",
        ),
        (RECORDS, "", "distort_param { contrast_prob: 1 contrast_lower: 2 }", 1, "contrast goes from 2 to 0"),
        (
            RECORDS,
            "",
            "distort_param { hue_prob: 1 hue_delta: -2 }",
            1,
            "hue_delta is -2; expected at least 0",
        ),
        (RECORDS, "", "force_gray: true distort_param { }", 1, "has 1 channels; distort_param wants 3"),
        (RECORDS, "yolo_data_jitter: 1", "", 1, "yolo_data_jitter is 1; expected at least 0, below 1"),
        ([RECORDS[0], AnnotatedDatum(datum=RECORDS[0].datum)], "", "", 2, "has no annotation type"),
    ],
)
def test_what_does_not_fit(tmp_path, records, params, transform, batch, message):
    write(tmp_path / "db", records)
    with pytest.raises(LayerError, match=message):
        Runner(layer(tmp_path, params, transform, batch), [], tops=2).forward()


def test_leveldb_says_the_way_out(folder):
    with pytest.raises(LayerError, match="is an LMDB, but backend is LEVELDB"):
        Runner(layer(folder).replace("backend: LMDB", ""), [], tops=2)
