"""CPMData on databases written here: people, how they are drawn, their maps, and what is wrong."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.prototxt.caffe_pb2 import Datum
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner
from layers.pose.people_files import COCO, KINDS, SIZES, write

lmdb = pytest.importorskip("lmdb")
F = np.float32


@pytest.fixture(params=[56, 43])
def base(request, tmp_path):
    """A database of three images; returns num_parts and what they are of."""
    return request.param, write(tmp_path, request.param)


def data(folder, parts, params="", phase=TRAIN, batch=2) -> Runner:
    given = {"num_parts": parts, "np_in_lmdb": KINDS[parts][0], "crop_size_x": 64, "crop_size_y": 56, "stride": 8,
             "max_rotate_degree": 40, "scale_prob": 0.7, "center_perterb_max": 9, "target_dist": 0.6}  # fmt: skip
    text = " ".join(f"{name}: {value}" for name, value in given.items() if f" {name}:" not in f" {params}")
    source = f'data_param {{ source: "{folder}/base" backend: LMDB batch_size: {batch} }}'
    return Runner(f'type: "CPMData" {source} cpm_transform_param {{ {text} {params} }}', [], 2, phase)


def of_net(places, states, size, kind, is_first):
    """Joints of the net as (x, y, state), where what lies outside the image has the state 2."""
    joints = []
    for name in kind[1]:
        pair = [int(number) - 1 for number in name.split("+")]
        pair = pair * 2 if len(pair) == 1 else pair
        own = []
        for k in pair:
            x, y = places[k] - F(1)
            inside = 0 <= x < size[1] and 0 <= y < size[0]
            state = 3 if is_first and states[k] == 3 else int(states[k] != 0) if inside else 2
            own.append((x, y, state))
        found = [state for *_, state in own]
        if 2 in found:
            state = 2
        elif 3 in found and kind[1] is COCO:
            state = 3
        else:
            state = int(all(found))
        joints.append([(own[0][0] + own[1][0]) / 2, (own[0][1] + own[1][1]) / 2, state])
    return joints


def naive_maps(everybody, kind, shape, stride, sigma):
    """Fields, bells and the background, one cell after the other."""
    limbs, count = kind[2], len(kind[1])
    maps = np.zeros((2 * len(limbs) + count + 1, *shape))
    for k, limb in enumerate(limbs):
        a, b = (int(joint) - 1 for joint in limb.split("-"))
        for joints in everybody:
            if joints[a][2] > 1 or joints[b][2] > 1:
                continue
            begin, end = np.array(joints[a][:2]) / 8, np.array(joints[b][:2]) / 8
            way = (end - begin) / np.linalg.norm(end - begin)
            low = [max(int(np.floor(v + 0.5)), 0) for v in np.minimum(begin, end) - 1]
            high = [
                min(int(np.floor(v + 0.5)), side)
                for v, side in zip(np.maximum(begin, end) + 1, shape[::-1], strict=True)
            ]
            for y in range(low[1], high[1]):
                for x in range(low[0], high[0]):
                    if abs((x - begin[0]) * way[1] - (y - begin[1]) * way[0]) <= 1:
                        maps[2 * k : 2 * k + 2, y, x] = way
    for k in range(count):
        for x, y, state in (joints[k] for joints in everybody):
            for cell in np.ndindex(*shape):
                far = (cell[1] * stride + stride / 2 - 0.5 - x) ** 2 + (
                    cell[0] * stride + stride / 2 - 0.5 - y
                ) ** 2
                if state <= 1 and far / 2 / sigma**2 <= 4.6052:
                    heat = maps[2 * len(limbs) + k]
                    heat[cell] = min(1, heat[cell] + np.exp(-far / 2 / sigma**2))
    maps[-1] = 1 - maps[2 * len(limbs) : -1].max(axis=0)
    return maps


def drawn(rand, pixels, middle, scale, everybody, kind):
    """Image, mask and joints as the draws make them."""

    def dice():
        return rand.draw() / (2**31 - 1)

    image, mask = pixels[:3].transpose(1, 2, 0).copy(), pixels[4]
    factor = float(F(0.6) / scale) * (1 if dice() > 0.7 else 0.9 + 0.2 * dice())
    size = tuple(round(side * float(F(factor))) for side in mask.shape[::-1])
    image, mask = (cv2.resize(one, None, fx=float(F(factor)), fy=float(F(factor)), interpolation=cv2.INTER_CUBIC)
                   for one in (image, mask))  # fmt: skip
    assert mask.shape == size[::-1]
    degree = (dice() - 0.5) * 80
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), float(F(degree)), 1.0)
    corners = np.array([[x, y] for x in (0, size[0]) for y in (0, size[1])]) - np.array(size) / 2
    turn = np.deg2rad(degree)
    turned = np.abs(corners @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    low, high = np.array(size) / 2 - turned.max(axis=0), np.array(size) / 2 + turned.max(axis=0)
    room = np.ceil(high - 1e-4) - np.floor(low + 1e-4) + 1
    matrix[:, 2] += room / 2 - np.array(size) / 2
    image = cv2.warpAffine(
        image, matrix, tuple(map(int, room)), flags=cv2.INTER_CUBIC, borderValue=(128,) * 3
    )
    mask = cv2.warpAffine(mask, matrix, tuple(map(int, room)), flags=cv2.INTER_CUBIC, borderValue=(255,))

    def moved(x, y):
        return matrix @ [x * factor, y * factor, 1]

    center = moved(*(middle - 1))
    center += [int((dice() - 0.5) * 18) for _ in range(2)]
    left, top = round(center[0]) - 32, round(center[1]) - 28
    cut, counts = np.full((56, 64, 3), 128, np.uint8), np.full((56, 64), 255, np.uint8)
    for i, j in np.ndindex(56, 64):
        if 0 <= i + top < mask.shape[0] and 0 <= j + left < mask.shape[1]:
            cut[i, j], counts[i, j] = image[i + top, j + left], mask[i + top, j + left]
    moved_all = [[[*(moved(x, y) - [left, top]), state] for x, y, state in joints] for joints in everybody]
    if dice() <= 0.5:
        cut, counts = cut[:, ::-1], counts[:, ::-1]
        partner = (
            {k: k for k in range(1, 1 + len(moved_all[0]))} | kind[3] | {b: a for a, b in kind[3].items()}
        )
        moved_all = [[joints[other - 1] for other in partner.values()] for joints in moved_all]
        moved_all = [[(63 - x, y, state) for x, y, state in joints] for joints in moved_all]
        return cut, counts, moved_all, True
    return cut, counts, moved_all, False


def test_training(tmp_path, base):
    parts, records = base
    kind, runner, rand = KINDS[parts], data(tmp_path, parts), CRand(1)
    mirrored = set()
    for batch in ((0, 1), (2, 0), (1, 2)):
        tops = runner.forward()
        assert tops[0].shape == (2, 6, 56, 64) and tops[1].shape == (2, 2 * parts + 2, 7, 8)
        for images, maps, which in zip(*tops, batch, strict=True):
            pixels, (middle, scale, people) = records[which]
            everybody = [of_net(*one, SIZES[which], kind, i == 0) for i, one in enumerate(people)]
            cut, counts, joints, is_mirrored = drawn(rand, pixels, middle, scale, everybody, kind)
            mirrored.add(is_mirrored)
            np.testing.assert_allclose(
                images[:3], (cut.transpose(2, 0, 1).astype(float) - 128) / 256, atol=0.02
            )
            assert not images[3:].any()
            weights = cv2.resize(
                np.ascontiguousarray(counts), None, fx=1 / 8, fy=1 / 8, interpolation=cv2.INTER_CUBIC
            )
            unlabeled = [k for k, joint in enumerate(joints[0]) if joint[2] == 3]
            assert (len(unlabeled) > 0) == (parts == 56)
            for k in range(parts + 1):
                want = 0 * weights if k in unlabeled else weights / 255
                np.testing.assert_allclose(maps[k], want, atol=0.02)
            want = naive_maps(joints, kind, (7, 8), 8, 7.0)
            assert (want[:-1] != 0).any(axis=(1, 2)).sum() > 10
            np.testing.assert_allclose(maps[parts + 1 :], want, rtol=2e-3, atol=2e-4)
    assert mirrored == {True, False}


def test_testing_takes_images_as_they_are(tmp_path):
    (pixels, (*_, people)), *_ = write(tmp_path, 56, sizes=[(64, 80)] * 2)
    images, maps = data(tmp_path, 56, "stride: 16 sigma: 9 gray: 1", TEST).forward()
    grey = cv2.cvtColor(pixels[:3].transpose(1, 2, 0).copy(), cv2.COLOR_BGR2GRAY)
    np.testing.assert_allclose(images[0, 1], (grey - 128.0) / 256, rtol=1e-6)
    everybody = [of_net(*one, (64, 80), KINDS[56], i == 0) for i, one in enumerate(people)]
    np.testing.assert_allclose(
        maps[0, 57:], naive_maps(everybody, KINDS[56], (4, 5), 16, 9.0), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_it_goes_on_where_it_stood(tmp_path, phase):
    write(tmp_path, 43, sizes=[(66, 80)] * 3)
    runner = data(tmp_path, 43, phase=phase)
    runner.forward()
    state = runner.layer.get_state()
    then = [top.copy() for top in runner.forward()]
    other = data(tmp_path, 43, phase=phase)
    other.layer.set_state(state)
    for a, b in zip(other.forward(), then, strict=True):
        np.testing.assert_array_equal(a, b)
    shares_what_one_serves(lambda: data(tmp_path, 43, phase=phase))


@pytest.mark.parametrize(
    "params, message",
    [
        ("num_parts: 14", "56 .COCO's people. and 43 .MPI's. are built"),
        ("stride: 0", "stride is 0"),
        ("stride: 57", "stride is 57; the image has 56 x 64 pixels"),
        ("max_rotate_degree: nan", "max_rotate_degree is nan; expected less than 16384"),
        ("center_perterb_max: inf", "center_perterb_max is inf"),
        ("clahe_tile_size: 0", "clahe_tile_size is 0"),
        ("clahe_tile_size: 1e30", "clahe_tile_size is 1e.30; it may be 256 at most"),
        ("target_dist: nan", "target_dist is nan"),
        ("np_in_lmdb: 15", "num_parts 43 needs 16 joints"),
        ("np_in_lmdb: 30", "9 rows of 30 joints do not fit"),
        ("transform_body_joint: false", "as for hands"),
        ("aug_way: 'table'", "files of angles are not read"),
        ("crop_size: 7", "write crop_size_x and crop_size_y"),
        ("target_dist: 400", "'.*base', key '0000000': the image of 66 x 80 pixels would be resized by"),
    ],
)
def test_wrong_params(tmp_path, params, message):
    write(tmp_path, 43)
    with pytest.raises(LayerError, match=message):
        data(tmp_path, 43, params).forward()


def test_an_image_that_is_smaller_than_the_stride(tmp_path):
    write(tmp_path, 43)
    with pytest.raises(LayerError, match="stride is 67; the image has 66 x 80 pixels"):
        data(tmp_path, 43, "stride: 67 crop_size_x: 99 crop_size_y: 99", TEST)


@pytest.mark.parametrize(
    "place, value, message",
    [
        ((2, 1), 200, "-56 other people do not fit into 66 rows"),
        ((2, 1), 20, "20 other people do not fit into 66 rows"),
        ((4, slice(0, 4)), 0, "that no image has, or no size"),
        ((5, slice(0, 4)), 255, "that no image has, or no size"),
    ],
)
def test_wrong_people(tmp_path, place, value, message):
    (pixels, _), *_ = write(tmp_path, 43)
    pixels[3][place] = value
    put_first(tmp_path, pixels)
    with pytest.raises(LayerError, match=message):
        data(tmp_path, 43).forward()


def put_first(folder, pixels):
    channels, height, width = pixels.shape
    with lmdb.open(str(folder / "base"), map_size=2**24) as base, base.begin(write=True) as records:
        record = Datum(channels=channels, height=height, width=width, data=pixels.tobytes())
        records.put(b"0000000", record.SerializeToString())


def test_a_joint_of_mpi_that_was_not_looked_for(tmp_path):
    """It is not one of the net's, and the map of its number is a limb's, whose mask stays."""
    (pixels, _), *_ = write(tmp_path, 43)
    pixels[3, 7, 60:64] = np.frombuffer(F(3).tobytes(), np.uint8)
    put_first(tmp_path, pixels)
    _, maps = data(tmp_path, 43, phase=TEST, batch=1).forward()
    assert maps[0, 15].max() == 1
    np.testing.assert_array_equal(maps[0, :44], np.repeat(maps[:1, 43], 44, axis=0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width, scale", [(4000, 0.07), (80, 1e-40), (80, 1e3)])
def test_sizes_beyond_measure(tmp_path, width, scale):
    """A long image has few pixels, and as many as the square of its length when it is turned."""
    (pixels, _), *_ = write(tmp_path, 43)
    image = np.zeros((6, 66, width), np.uint8)
    image[:, :, :80] = pixels
    image[3, 4, :4] = np.frombuffer(F(scale).tobytes(), np.uint8)
    put_first(tmp_path, image)
    with pytest.raises(LayerError, match=f"key '0000000': the image of 66 x {width} pixels would be resized"):
        data(tmp_path, 43, "scale_prob: 0").forward()


def test_a_datum_without_people(tmp_path):
    write(tmp_path, 43)
    put_first(tmp_path, np.zeros((3, 2, 1), np.uint8))
    with pytest.raises(LayerError, match="the Datum is 3 x 2 x 1 with 6 bytes; expected 6 channels"):
        data(tmp_path, 43)
