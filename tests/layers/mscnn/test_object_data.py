"""DetectionData and ImageGtData on files written here: what they draw and in which order, where images lie, which
places are whose, rounds, state, and wrong files and params."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.rng import Rng, set_random_seed
from layers.harness import Runner
from layers.mscnn.object_files import (
    OBJECTS,
    PIXELS,
    REGIONS,
    detection_data,
    image_gt_data,
    write,
)


@pytest.fixture
def folder(tmp_path):
    write(tmp_path)
    return tmp_path


def runner(case, seed=5) -> Runner:
    set_random_seed(seed)
    return Runner(case.layer, [], case.tops)


def rounded(value) -> int:
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def fitted(size, room, middle, noise):
    if size < room:
        return min(max(rounded((room - size) / 2) + noise, 0), room - size), 0, size
    if size > room:
        return 0, min(max(rounded(middle) + noise - rounded(room / 2), 0), size - room), room
    return 0, 0, room


def measured(a, b, pixel, of_first=False) -> float:
    w, h = (min(a[i + 2], b[i + 2]) - max(a[i], b[i]) for i in (0, 1))
    if w < 0 or h <= 0:
        return 0
    both = (w + pixel) * (h + pixel)
    areas = [(c[2] - c[0] + pixel) * (c[3] - c[1] + pixel) for c in (a, b)]
    return both / (areas[0] if of_first else sum(areas) - both)


def naive(pixel, stream, index, room, mirrors, mean, fields, thresholds):
    """Image, maps and rows of one item that is neither resized nor zoomed."""
    image, rows = PIXELS[index].astype(float), [list(map(float, row[-4:])) for row in OBJECTS[index]]
    regions = [list(map(float, row)) for row in REGIONS[index]]
    height, width = image.shape[:2]
    if mirrors and stream.draw() % 2:
        image = image[:, ::-1]
        for row in rows + regions:
            row[0], row[2] = width - row[2], width - row[0]
    if rows:
        chosen = rows[stream.draw() % len(rows)]
        centre = (chosen[0] + chosen[2]) / 2, (chosen[1] + chosen[3]) / 2
    else:
        centre = [
            side / 2 if space > side else stream.draw() % (side - space + 1) + space / 2
            for side, space in zip((width, height), room, strict=True)
        ]
    noise = [stream.draw() % 20 - 10 for _ in range(2)]
    (x, left, w), (y, upper, h) = (fitted(*v) for v in zip((width, height), room, centre, noise, strict=True))
    out = np.zeros((3, room[1], room[0]))
    out[:, y : y + h, x : x + w] = image[upper : upper + h, left : left + w].transpose(2, 0, 1) - mean
    for row in rows + regions:
        row[:] = row[0] + x - left, row[1] + y - upper, row[2] + x - left, row[3] + y - upper
    ignored = [
        bool(o[1]) or not (0 <= (r[0] + r[2]) / 2 < room[0] and 0 <= (r[1] + r[3]) / 2 < room[1])
        for o, r in zip(OBJECTS[index], rows, strict=True)
    ]
    maps, best = [], [(0, None)] * len(rows)
    found, (foreground, unknown, least) = set(), thresholds
    for k, (fw, fh, stride) in enumerate(fields):
        maps.append(np.zeros((6, rounded(room[1] / stride), rounded(room[0] / stride))))
        for i, j in np.ndindex(*maps[k].shape[1:]):
            inside = rounded(x / stride) <= j < rounded(x / stride) + rounded(w / stride)
            inside &= rounded(y / stride) <= i < rounded(y / stride) + rounded(h / stride)
            at = (j + 0.5) * stride, (i + 0.5) * stride
            box = [at[0] - fw / 2, at[1] - fh / 2, at[0] + fw / 2, at[1] + fh / 2]
            of_regions = sum(measured(box, region, pixel, True) for region in regions)
            if not inside or (not pixel and of_regions >= unknown):
                maps[k][5, i, j] = 1
                continue
            overlaps = [measured(row, box, pixel) for row in rows]
            for g, overlap in enumerate(overlaps):
                best[g] = (overlap, k) if overlap > best[g][0] else best[g]
            most = max(overlaps, default=0)
            maps[k][5, i, j] = most
            if most > foreground:
                g = overlaps.index(most)
                found.add(g)
                maps[k][:5, i, j] = describe(0 if ignored[g] else OBJECTS[index][g][0], rows[g], pixel)
            elif pixel and of_regions >= unknown:
                maps[k][5, i, j] = 1
    for g, row in enumerate(rows):
        if g not in found and not ignored[g] and best[g][0] >= least:
            k = best[g][1]
            j, i = (math.floor((row[a] + row[a + 2]) / 2 / fields[k][2]) for a in (0, 1))
            i, j = min(max(i, 0), maps[k].shape[1] - 1), min(max(j, 0), maps[k].shape[2] - 1)
            if maps[k][0, i, j] == 0:
                maps[k][:5, i, j] = describe(OBJECTS[index][g][0], row, pixel)
                maps[k][5, i, j] = best[g][0] if pixel else maps[k][5, i, j]
    return out, maps, [[*row, o[0], i, o[2]] for row, o, i in zip(rows, OBJECTS[index], ignored, strict=True)]


def describe(label, row, pixel):
    x1, y1, x2, y2 = row
    return label, (x1 + x2) / 2, (y1 + y2) / 2, x2 - x1 + pixel, y2 - y1 + pixel


FIELDS = [(16, 20, 8), (30, 24, 16)]


@pytest.mark.parametrize("make, pixel", [(detection_data, 1), (image_gt_data, 0)])
@pytest.mark.parametrize("room", [(64, 48), (40, 88)])
@pytest.mark.parametrize("mirrors", [False, True])
def test_without_zoom(folder, make, pixel, room, mirrors):
    more = "multiscale_prob: 0" if pixel else ""
    shuffle = 'shuffle: "random"' if pixel else "shuffle: true"
    params = f"crop_width: {room[0]} crop_height: {room[1]} fg_threshold: 0.6 {shuffle} {more}"
    transform = f"mirror: {str(mirrors).lower()} mean_value: 9 mean_value: 99 mean_value: 30"
    data = runner(make(folder, params, transform))
    seeds = Rng(5)
    if mirrors:
        seeds.draw()
    stream, order, at = Rng(seeds.draw()), np.arange(4), 0
    stream.shuffle(order)
    mean = np.array([9, 99, 30]).reshape(3, 1, 1)
    for _ in range(4):
        images, *maps, objects = data.forward()
        rows = []
        for item in range(2):
            thresholds = 0.6, 0.4, 0.2
            args = (pixel, stream, order[at], room, mirrors, mean, FIELDS, thresholds)
            image, wanted, boxes = naive(*args)
            np.testing.assert_array_equal(images[item], image)
            for got, want in zip(maps, wanted, strict=True):
                np.testing.assert_allclose(got[item], want, rtol=1e-5, atol=1e-6)
            rows += [[item, *row] for row in boxes]
            at = (at + 1) % 4
            if at == 0:
                stream.shuffle(order)
        columns = 8 if pixel else 7
        np.testing.assert_allclose(objects[..., 0, 0], np.array(rows)[:, :columns])


def test_every_kind_of_box_is_about(folder):
    """The maps above have classes, ignored objects, regions, and an object that is picked up."""
    data = runner(
        detection_data(folder, "crop_width: 64 crop_height: 48 fg_threshold: 0.75 multiscale_prob: 0")
    )
    maps = [data.forward()[1] for _ in range(2)]
    assert {0, 2} <= set(np.unique([m[:, 0] for m in maps]))
    sure = np.concatenate([m[:, 5].ravel() for m in maps])
    assert (sure == 1).any() and (
        (sure > 0.75) & (np.concatenate([m[:, 0].ravel() for m in maps]) == 0)
    ).any()


def test_sizes_after_the_shorter_side(folder):
    """608 and 992 are the multiples of 32; here 64 and 96. The batch is as tall as its first image."""
    data = runner(detection_data(folder, "short_size: 60 long_size: 90 multiscale_prob: 0"))
    assert data.top[0].shape == (2, 3, 90, 60)
    images, first, second, _ = data.forward()
    assert images.shape == (2, 3, 64, 96) and first.shape == (2, 6, 8, 12) and second.shape == (2, 6, 4, 6)
    resized = cv2.resize(PIXELS[0], (102, 64), interpolation=cv2.INTER_LINEAR)  # 64 / 40 times as large
    cut = [(images[0] == resized[:, k : k + 96].transpose(2, 0, 1)).all() for k in range(7)]
    assert sum(cut) == 1
    assert data.forward()[0].shape == (2, 3, 96, 64)  # the third image is tall


@pytest.mark.parametrize("prob", [1, 0])
def test_zoom_of_detection_data(folder, prob):
    """By a factor from 0.5 to 2 of the object's scale; a box keeps its ratio."""
    params = (
        f"crop_width: 200 crop_height: 200 low_scale_ratio: 0.5 high_scale_ratio: 2 multiscale_prob: {prob}"
    )
    data, thread = runner(detection_data(folder, params)), Rng(5)
    thread.draw()
    thread = Rng(thread.draw())
    for k in range(2):
        rows, factors = data.forward()[3][..., 0, 0], []
        for _ in range(2):
            happens = np.zeros(1, bool)
            thread.bernoulli(np.float32(prob), happens)
            factors.append(2 ** float(thread.number(-1, 1)) if happens[0] else 1)
        for row in rows:
            index = 2 * k + int(row[0])
            sizes = [np.array([o[5] - o[3], o[6] - o[4]]) for o in OBJECTS[index]]
            got = row[3:5] - row[1:3]
            near = min(sizes, key=lambda size: np.abs(size * factors[int(row[0])] - got).sum())
            np.testing.assert_allclose(got, near * factors[int(row[0])], rtol=0.05)
    assert prob or factors == [1, 1]


def test_zoom_of_image_gt_data(folder):
    """The chosen object's scale becomes one of 10, 14, 20, 28, 40, as near as its own is to one of them."""
    params = "crop_width: 300 crop_height: 300 do_multiple_scale: true min_scale: 10 max_scale: 40"
    data, seeds = runner(image_gt_data(folder, params), 8), Rng(8)
    stream, seen = Rng(seeds.draw()), set()
    for k in range(8):
        rows = data.forward()[3][..., 0, 0]
        for item in range(2):
            index, factor = (2 * k + item) % 4, 1
            if OBJECTS[index]:
                chosen = OBJECTS[index][stream.draw() % len(OBJECTS[index])]
                if stream.draw() % 2:
                    area = (chosen[5] - chosen[3]) * (chosen[6] - chosen[4])
                    nearest = min(range(5), key=lambda s, area=area: abs(math.log2(area / 100) - s))
                    factor = 2 ** ((stream.draw() % 5 - nearest) / 2)
            seen.add(factor)
            stream.draw(), stream.draw()  # the noise
            for row, one in zip(rows[rows[:, 0] == item], OBJECTS[index], strict=True):
                want = np.array([one[5] - one[3], one[6] - one[4]]) * factor
                np.testing.assert_allclose(row[3:5] - row[1:3], want, rtol=1e-5)
    assert len(seen) > 3


@pytest.mark.parametrize("shuffle", ["random_aspect", "random_mix_aspect"])
def test_orders_by_shape(folder, shuffle):
    params = f'crop_width: 64 crop_height: 48 shuffle: "{shuffle}" mix_group_size: 1'
    data, stream = runner(detection_data(folder, params)), Rng(Rng(5).draw())
    tall, wide = np.array([1, 2]), np.array([0, 3])
    stream.shuffle(tall)
    stream.shuffle(wide)
    first, second = (tall, wide) if stream.draw() % 2 else (wide, tall)
    want = [*first, *second] if shuffle == "random_aspect" else [first[0], second[0], first[1], second[1]]
    assert data.layer.order.tolist() == want


@pytest.mark.parametrize("make", [detection_data, image_gt_data])
def test_the_state_goes_on_exactly(folder, make):
    params = "crop_width: 64 crop_height: 48 cache_images: true " + (
        'shuffle: "random_aspect" low_scale_ratio: 0.5 high_scale_ratio: 2'
        if make is detection_data
        else "shuffle: true"
    )
    a, b = (runner(make(folder, params, "mirror: true"), seed) for seed in (1, 2))
    for _ in range(3):
        a.forward()
    b.layer.set_state(a.layer.get_state())
    for _ in range(4):
        for x, y in zip(a.forward(), b.forward(), strict=True):
            np.testing.assert_array_equal(x, y)


def test_images_with_objects_stand_several_times(folder):
    data = runner(image_gt_data(folder, "crop_width: 64 crop_height: 48 fg_img_multiple: 3"))
    assert data.layer.order.tolist() == [0, 0, 0, 1, 1, 1, 2, 3, 3, 3]


@pytest.mark.parametrize("make, row", [(detection_data, [-1] * 8), (image_gt_data, [0, 1, 1, 2, 2, 1, 1])])
def test_a_batch_without_objects(folder, make, row):
    name = "list8" if make is detection_data else "list7"
    (folder / name).write_text("# 0\nobject2.png\n3\n56\n40\n0\n0\n")
    assert runner(make(folder, "crop_width: 64 crop_height: 48")).forward()[3].ravel().tolist() == row


@pytest.mark.parametrize("make", [detection_data, image_gt_data])
def test_a_list_that_is_not_there_is_an_error_when_it_is_needed(folder, make):
    for name in ("list7", "list8"):
        (folder / name).unlink()
    with pytest.warns(UserWarning, match="the list '.*' is not there; the net is built"):
        data = runner(make(folder, "crop_width: 64 crop_height: 48"))
    assert [top.shape for top in data.top[:3]] == [(2, 3, 48, 64), (2, 6, 6, 8), (2, 6, 3, 4)]
    for _ in range(2):
        with pytest.raises(LayerError, match="cannot read the list of images and objects"):
            data.forward()
    with pytest.raises(LayerError, match="cannot read the list"):
        runner(make(folder, ""))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# 1", "! 1", r"list8:17: expected '#', found '!'|list8:1\d: expected '#', found '!'"),
        ("# 1", "# 9", r"there is no image 9; there are 4"),
        ("2 0 0 10", "0 0 0 10", r"list8:2: an object of 'object0.png' has class 0; they begin at 1"),
        ("2 0 0 10 8", "2 0 0 ten 8", r"list8:7: expected x1 of the object, found 'ten'"),
        (
            "\n3\n40\n64\n3\n",
            "\n3\n40\n64\n999\n",
            r"list8:6: expected the number of objects, at most as many",
        ),
        ("\n3\n40\n64\n", "\n1\n40\n64\n", "'object0.png' has 1 channels; images are read in colour, 3"),
        ("object0.png", "none.png", r"list8:2: cannot read the image '.*none.png'"),
    ],
)
def test_wrong_lists(folder, old, new, message):
    path = folder / "list8"
    assert path.read_text().count(old) >= 1
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(LayerError, match=message):
        runner(detection_data(folder, "crop_width: 64 crop_height: 48")).forward()


@pytest.mark.parametrize(
    ("make", "params", "message"),
    [
        (detection_data, "coord_num: 5", "coord_num is 5; expected 4"),
        (image_gt_data, "coord_num: 5", "coord_num is 5; expected 4"),
        (detection_data, "field_w: 3", "give as many of each"),
        (detection_data, "stride: 0 field_w: 3 field_h: 3", "all above 0"),
        (
            detection_data,
            "stride: 3 field_w: 3 field_h: 3",
            "there are 4 tops; the images, 3 fields and the objects need 5",
        ),
        (detection_data, 'shuffle: "mixed"', "shuffle is 'mixed'; expected one of random, random_aspect"),
        (detection_data, "short_size: 60 long_size: 60", "the first must be below the second"),
        (detection_data, "short_size: 60 long_size: 90 resize_ratio: 2", "give one of resize_width"),
        (
            detection_data,
            "min_scale: 9 max_scale: 3",
            "min_scale is 9 and max_scale 3; expected 0 < min_scale",
        ),
        (
            detection_data,
            "min_scale: 3 max_scale: 9 low_scale_ratio: 1 high_scale_ratio: 2",
            "give either min_scale and max_scale, or low_scale_ratio",
        ),
        (detection_data, "fg_threshold: 0", "fg_threshold is 0 and mix_group_size 64; both must be above 0"),
        (detection_data, "short_size: 9 long_size: 90", "is less than half of 32 pixels"),
        (detection_data, "distort_param { contrast_prob: 1 contrast_lower: 2 }", "contrast goes from 2 to 0"),
        (
            image_gt_data,
            "do_multiple_scale: true min_scale: 9 max_scale: 3",
            "min_scale is 9 and max_scale 3",
        ),
        (
            image_gt_data,
            "do_multiple_scale: true min_scale: 3 max_scale: 9 min_whaspect: 1 max_whaspect: 1",
            "max_whaspect 1",
        ),
    ],
)
def test_wrong_params(folder, make, params, message):
    with pytest.raises(LayerError, match=message):
        runner(make(folder, params))


def test_too_many_means(folder):
    with pytest.raises(LayerError, match="there are 2 mean_values for 3 channels; give one, or 3"):
        runner(detection_data(folder, "", "mean_value: 1 mean_value: 2"))
