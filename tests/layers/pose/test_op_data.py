"""OPData on databases written here: people, how they are drawn, what counts, their maps, and what is wrong."""

import cv2
import numpy as np
import pytest

from caffe_compat.errors import LayerError
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.data.c_rand import CRand
from caffe_compat.layers.pose.crowd import Crowd
from caffe_compat.layers.pose.part_labels import write_labels
from caffe_compat.layers.pose.part_models import MODELS
from caffe_compat.layers.pose.scenes import recentred
from layers.data.sharing import shares_what_one_serves
from layers.harness import Runner
from layers.pose.crowd_files import put, write_backgrounds, write_crowd
from layers.pose.naive_crowd import NETS, half_up, labels, of_net

lmdb = pytest.importorskip("lmdb")
F = np.float32


def data(text, phase=TRAIN, batch=2, source=""):
    given = {"crop_size_x": 64, "crop_size_y": 56, "stride": 8, "target_dist": 0.6}
    params = " ".join(f"{name}: {value}" for name, value in given.items() if f" {name}:" not in f" {text}")
    param = f'data_param {{ source: "{source}" backend: LMDB batch_size: {batch} }}'
    return Runner(f'type: "OPData" {param} op_transform_param {{ {params} {text} }}', [], 2, phase)


def compare(label, want, limbs, rounding=2e-3):
    """Masks, and maps, of the limbs and of the joints; rounding: of masks."""
    for found, (kind, wanted) in zip(
        np.split(label, 2), zip(("masks", "maps"), want, strict=True), strict=True
    ):
        atol = rounding if kind == "masks" else 2e-3
        np.testing.assert_allclose(
            found[: 2 * limbs], wanted[: 2 * limbs], atol=atol, err_msg=f"{kind} of limbs"
        )
        np.testing.assert_allclose(
            found[2 * limbs :], wanted[2 * limbs :], atol=atol, err_msg=f"{kind} of joints"
        )


NARROW = ("COCO_19", "COCO_25_17", "COCO_25B_17", "MPII_25B_16")  # a model of each kind of masks


@pytest.mark.parametrize(
    "model, spread",
    [(model, (1, 1)) for model in NETS]
    + [(model, spread) for model in NARROW for spread in ((0.3, 0.3), (0.03, 0.3), (0.3, 0.03))],
)
def test_labels(tmp_path, model, spread):
    """In TEST images stay as they are, so that labels are of people as they are."""
    size = (160, 224)
    records = write_crowd(tmp_path / "base", NETS[model][2], [size] * 3, spread=spread)
    text = f'sources: "{tmp_path}/base" models: "{model}" sigmas: "9" normalization: 2'
    limbs = len(NETS[model][1].split())
    runner = data(text, TEST)
    for batch in ((0, 1), (2, 0)):
        images, maps = runner.forward()
        assert images.shape == (2, 3, *size) and maps.shape[2:] == (20, 28)
        for image, label, which in zip(images, maps, batch, strict=True):
            pixels, (_, _, people) = records[which]
            means = np.array([103.94, 116.78, 123.68])[:, None, None]
            np.testing.assert_allclose(image, (pixels[:3] - means) * 0.017, rtol=1e-5, atol=1e-6)
            weights = pixels[4].reshape(20, 8, 28, 8).mean(axis=(1, 3)) / 255
            weights = np.rint(weights * 255) / 255
            everybody = [of_net(model, *person, size) for person in people]
            want = labels(model, everybody, weights, 8, 9.0)
            assert len(want[0]) == len(label) // 2
            assert (want[0] == 0).any() and (want[0] == 1).any() and (np.abs(want[1]) > 0.5).any()
            compare(label, want, limbs)


@pytest.mark.parametrize("model", NETS)
def test_a_mirror_exchanges_right_and_left(model):
    """By the joints' names: REye and LEye, FRTop and FLTop."""
    names, other = NETS[model][0].split(), {"R": "L", "L": "R"}
    joints = np.arange(2 * len(names), dtype=F).reshape(1, -1, 2)
    states = np.arange(len(names))[None]
    MODELS[model].mirror(joints, states)
    for name, k in zip(names, states[0], strict=True):
        partners = {f"{name[:i]}{other.get(name[i], '-')}{name[i + 1 :]}" for i in (0, 1)} & set(names)
        assert {names[k]} == (partners or {name})
    np.testing.assert_array_equal(joints[0, :, 1], 2 * states[0] + 1)


class Drawn:
    """An image of people as the draws make it, step by step."""

    def __init__(self, rand, record, model, ranges, chance=0.0, covers=0, behind=None):
        self.rand, self.model, self.behind, self.is_recentred = rand, model, behind, False
        pixels, (middle, scale, people) = record
        image, mask = pixels[:3].transpose(1, 2, 0).copy(), pixels[4].copy()
        size = mask.shape
        self.everybody = [of_net(model, *person, size) for person in people]
        scale = scale * 368 / 56
        times = 1 if self.dice() > 0.8 else ranges[0] + (ranges[1] - ranges[0]) * self.dice()
        factor = 0.6 / scale * times
        middle = self.middle(middle - (0 if "MPII" in model else 1), times, chance) * factor
        self.size = scale * factor
        whole = [half_up(side * factor) for side in size]
        degree = (self.dice() - 0.5) * 2 * ranges[2]
        matrix = cv2.getRotationMatrix2D((whole[1] / 2, whole[0] / 2), float(F(degree)), 1.0)
        corners = np.array([[x, y] for x in (-0.5, 0.5) for y in (-0.5, 0.5)]) * whole[::-1]
        turn = np.deg2rad(degree)
        reach = np.abs(corners @ [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]).max(axis=0)
        half = np.array(whole[::-1]) / 2
        room = np.ceil(half + reach - 1e-4) - np.floor(half - reach + 1e-4) + 1
        matrix[:, 2] += room / 2 - half
        center = matrix @ [*middle, 1]
        corner = [
            int(at + int((self.dice() - 0.5) * 18)) - half for at, half in zip(center, (32, 28), strict=True)
        ]
        mirrored = self.dice() <= 0.5
        for person in self.everybody:
            for joint in person.values():
                joint[:2] = matrix @ [joint[0] * factor, joint[1] * factor, 1] - corner
                joint[0] = 63 - joint[0] if mirrored else joint[0]
        if mirrored:
            self.everybody = [
                {self.other_side(name): person[name] for name in person} for person in self.everybody
            ]
        step = np.array([[-1, 0, 63], [0, 1, 0], [0, 0, 1.0]]) if mirrored else np.eye(3)
        step = step @ [[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]] @ [*matrix, [0, 0, 1]]
        self.step = (step @ np.diag([factor, factor, 1]))[:2]
        self.image, mask = self.warped(image, 0), self.warped(mask, 0 if behind is None else 255)
        if len(people) == 1:
            self.cover(covers)
        if behind is not None:
            seen = self.warped(np.zeros(size, np.uint8), 255) > 0
            total = self.image.astype(int)
            total[seen] += behind[seen]
            self.image = total.clip(0, 255)
        self.weights = np.rint(mask.reshape(7, 8, 8, 8).mean(axis=(1, 3))) / 255

    def dice(self):
        return self.rand.draw() / (2**31 - 1)

    def warped(self, image, outside):
        return cv2.warpAffine(image, self.step, (64, 56), flags=cv2.INTER_CUBIC, borderValue=(outside, 0, 0))

    @staticmethod
    def other_side(name):
        for one, other in ("RL", "LR"):
            if name[0] == one and name[1].isupper():
                return other + name[1:]
        return name

    def middle(self, middle, times, chance):
        if not (self.dice() < chance and times > 1.3):
            return middle
        which = self.dice()
        names = list(self.everybody[0])
        chosen = [] if which <= 0.5 else [1] if which < 0.9 else [4, 7] if which < 0.95 else [10, 13]
        found = [self.everybody[0][names[k]] for k in chosen]
        found = [joint[:2] for joint in found if joint[2] <= 1]
        self.is_recentred = len(found) > 0
        return np.mean(found, axis=0) if found else middle

    def cover(self, covers):
        names = list(self.everybody[0])
        known = [joint[2] <= 1 for joint in self.everybody[0].values()]
        self.covered = half_up(covers * self.dice() * sum(known) / len(known))
        for _ in range(self.covered):
            k = self.rand.draw() % len(known)
            while not known[k]:
                k = self.rand.draw() % len(known)
            sides = [
                half_up(side * self.size / 2 * (1 + (self.rand.draw() % 1001 - 500) / 1000))
                for side in (64, 56)
            ]
            beside = 1 + (self.rand.draw() % 1001 - 500) / 500
            joint = self.everybody[0][names[k]]
            left, top = (half_up(at - side // 2 * beside) for at, side in zip(joint, sides, strict=False))
            for i in range(max(top, 0), min(top + sides[1], 56)):
                for j in range(max(left, 0), min(left + sides[0], 64)):
                    self.image[i, j] = self.behind[i, j]


def background(rand, pixels):
    """An image as large as a crop, and mirrored."""
    image = pixels.transpose(1, 2, 0).copy()
    height, width = image.shape[:2]
    if width <= 64 or height <= 56:
        return cv2.resize(image, (64, 56), interpolation=cv2.INTER_CUBIC)[:, ::-1]
    if 64 / width > 56 / height:
        image = cv2.resize(image, (64, half_up(64 / width * height)), interpolation=cv2.INTER_CUBIC)
        return image[:56, ::-1]
    image = cv2.resize(image, (half_up(56 / height * width), 56), interpolation=cv2.INTER_CUBIC)
    left = half_up((image.shape[1] - 64) * rand.draw() / (2**31 - 1))
    rand.draw()
    return image[:, left : left + 64][:, ::-1]


def check(image, label, drawn, model):
    np.testing.assert_allclose(image, (drawn.image.transpose(2, 0, 1) - 128.0) / 256, atol=0.03)
    want = labels(model, drawn.everybody, drawn.weights, 8, 7.0)
    assert (np.abs(want[1][:-1]) > 0.3).any(axis=(1, 2)).sum() > 3
    compare(label, want, len(NETS[model][1].split()), 0.02)


@pytest.mark.parametrize("model", ["COCO_25", "COCO_23"])
def test_training(tmp_path, model):
    records = write_crowd(tmp_path / "base", "FEET")
    text = (
        'scale_mins: "0.8" scale_maxs: "2.5" max_degree_rotations: "40" scale_prob: 0.8 center_perterb_max: 9'
    )
    runner = data(f'sources: "{tmp_path}/base" models: "{model}" center_swap_prob: 0.9 {text}')
    rand, recentred = CRand(1), 0
    for batch in ((0, 1), (2, 0), (1, 2), (0, 1)):
        rand.draw()  # which database
        for image, label, which in zip(*runner.forward(), batch, strict=True):
            drawn = Drawn(rand, records[which], model, (0.8, 2.5, 40), 0.9)
            recentred += drawn.is_recentred
            check(image, label, drawn, model)
    assert recentred > 1


@pytest.mark.parametrize(
    "dice, times, want",
    [
        ((0.89, 0.6), 1.4, (1, 11)),
        ((0.89, 0.9), 1.4, (1, 11)),
        ((0.89, 0.94), 1.4, (5.5, 15.5)),
        ((0.89, 0.95), 1.4, (5.5, 15.5)),
        ((0.89, 0.96), 1.4, (10, 20)),
        ((0.89, 0.5), 1.4, (50, 60)),
        ((0.9,), 1.4, (50, 60)),
        ((0.89,), 1.3, (50, 60)),
    ],
)
def test_crops_about_another_joint(dice, times, want):
    """A neck, the middle of both wrists, or the knee that is known; of each as many numbers are drawn as there."""
    joints = np.array([[[k, k + 10] for k in range(25)]], F)
    states = np.where(np.arange(25) == 13, 2, 1)[None]
    crowd = Crowd(np.array([50, 60], F), F(1), joints, states, "image")
    numbers = iter(dice)
    np.testing.assert_array_equal(recentred(crowd, F(times), 0.9, lambda: F(next(numbers))), want)
    assert not list(numbers)


def test_several_databases_before_backgrounds(tmp_path):
    bases = [("COCO_25B_17", "COCO", (1, 2, 40), 9), ("MPII_25B_16", "MPII", (1.2, 2.5, 20), 0)]
    records = [write_crowd(tmp_path / known, known, others=(0, 1, 0)) for _, known, *_ in bases]
    behind = write_backgrounds(tmp_path / "behind", [(60, 140), (150, 80), (40, 70)])
    runner = data(
        f'sources: "{tmp_path}/COCO;{tmp_path}/MPII" models: "COCO_25B_17;MPII_25B_16" probabilities: "0.4;0.3" '
        f'source_background: "{tmp_path}/behind" prob_only_background: 0.3 scale_mins: "1;1.2" scale_maxs: "2;2.5" '
        'max_degree_rotations: "40;20" number_max_occlusions: "9;0" scale_prob: 0.8 center_perterb_max: 9'
    )
    rand, at, chosen, covered, image_number = CRand(1), [0, 0], set(), 0, 0
    for _ in range(9):
        which = rand.draw() / (2**31 - 1)
        index = 0 if which < 0.4 else 1 if which < 0.7 else None
        chosen.add(index)
        for image, label in zip(*runner.forward(), strict=True):
            around = background(rand, behind[image_number % 3])
            image_number += 1
            if index is None:
                np.testing.assert_allclose(image, (around.transpose(2, 0, 1) - 128.0) / 256, atol=0.01)
                assert (label[:97] == 1).all() and not label[97:].any()
                continue
            model, _, ranges, covers = bases[index]
            drawn = Drawn(rand, records[index][at[index] % 3], model, ranges, 0.0, covers, around)
            covered += getattr(drawn, "covered", 0)
            at[index] += 1
            check(image, label, drawn, model)
    assert chosen == {0, 1, None} and covered > 3


def test_the_first_training_files(tmp_path):
    """Their params as those that came later have them."""
    write_crowd(tmp_path / "FEET", "FEET")
    write_crowd(tmp_path / "COCO", "COCO")
    write_backgrounds(tmp_path / "behind", [(90, 150)])
    both = f'source_background: "{tmp_path}/behind" crop_size_x: 72 center_perterb_max: 30'
    old = data(
        f'{both} model: "COCO_25" source_secondary: "{tmp_path}/COCO" model_secondary: "COCO_25_17" '
        "max_rotate_degree: 30 prob_secondary: 0.25 scale_min: 0.5 scale_max: 2 number_max_occlusions: '2'",
        source=f"{tmp_path}/FEET",
    )
    new = data(
        f'{both} models: "COCO_25;COCO_25_17" sources: "{tmp_path}/FEET;{tmp_path}/COCO" probabilities: "0.75;0.25" '
        'max_degree_rotations: "30" scale_mins: "0.5" scale_maxs: "2" number_max_occlusions: "2"'
    )
    for _ in range(4):
        for one, other in zip(old.forward(), new.forward(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("phase", [TRAIN, TEST])
def test_it_goes_on_where_it_stood(tmp_path, phase):
    write_crowd(tmp_path / "COCO", "COCO", [(80, 112)] * 3, others=(0, 1, 0))
    write_crowd(tmp_path / "MPII", "MPII", [(80, 112)] * 3)
    write_backgrounds(tmp_path / "behind", [(90, 150), (70, 99)])
    text = (
        f'sources: "{tmp_path}/COCO;{tmp_path}/MPII" models: "COCO_25B_17;MPII_25B_16" probabilities: "0.5;0.5" '
        f'source_background: "{tmp_path}/behind" number_max_occlusions: "3"'
    )
    runner = data(text, phase)
    runner.forward()
    state = runner.layer.get_state()
    then = [top.copy() for top in runner.forward()]
    other = data(text, phase)
    other.layer.set_state(state)
    for a, b in zip(other.forward(), then, strict=True):
        np.testing.assert_array_equal(a, b)
    shares_what_one_serves(lambda: data(text, phase))


@pytest.mark.parametrize("normalization, means", [(0, (128, 128, 128)), (1, (102.9801, 115.9465, 122.7717))])
def test_normalization(tmp_path, normalization, means):
    (pixels, _), *_ = write_crowd(tmp_path / "base", "COCO")
    images, _ = data(
        f'sources: "{tmp_path}/base" models: "COCO_19" normalization: {normalization}', TEST, 1
    ).forward()
    want = (pixels[:3] - np.array(means)[:, None, None]) / (1 if normalization else 256)
    np.testing.assert_allclose(images[0], want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "params, message",
    [
        ('models: "HAND_135_21"', "models has 'HAND_135_21'; COCO_18, .* are built"),
        ("", "models has 'COCO'"),
        ('models: "COCO_19" probabilities: "0.5;0.5"', "1 databases, models 1, and probabilities 2 numbers"),
        ('models: "COCO_19" probabilities: "0.5"', "sum up to 0.5"),
        ('models: "COCO_19" probabilities: "nan"', "probabilities is 'nan'; expected numbers from 0 to 1"),
        ('models: "COCO_19" sigmas: "7;x"', "sigmas is '7;x'; expected numbers with a ; between"),
        ('models: "COCO_19" sigmas: "0"', "sigmas is '0'; expected numbers from 1e-06"),
        ('models: "COCO_19" number_max_occlusions: "1"', "needs source_background"),
        ('models: "COCO_19" center_swap_prob: 0.1', "people of 23 or 25 joints"),
        ('models: "COCO_19" stride: 57', "stride is 57; the image has 56 x 64 pixels"),
        ('models: "COCO_19" target_dist: inf', "target_dist is inf"),
        (
            'models: "COCO_19" target_dist: 1e30',
            "'.*base', key '0000000': the image of 80 x 112 pixels would be",
        ),
        ('models: "COCO_19" center_perterb_max: nan', "center_perterb_max is nan"),
        ('models: "COCO_19" normalization: 3', "normalization is 3; expected 0, 1 or 2"),
        ('models: "COCO_19" add_distance: true', "maps of distances are not drawn"),
        ('models: "COCO_19" taf_topology: 1', "joints of frames before"),
    ],
)
def test_wrong_params(tmp_path, params, message):
    write_crowd(tmp_path / "base", "COCO")
    with pytest.raises(LayerError, match=message):
        data(f'sources: "{tmp_path}/base" {params}').forward()


def test_databases_of_other_nets(tmp_path):
    text = 'sources: "a;b" models: "COCO_19;COCO_18" probabilities: "0.5;0.5"'
    with pytest.raises(LayerError, match="models has COCO_19, COCO_18, which have other maps"):
        data(text)
    with pytest.raises(LayerError, match="there is no database; write the LMDBs' paths in sources"):
        data('models: "COCO_19"')


@pytest.mark.parametrize(
    "place, value, message",
    [
        ((2, 0), 200, "-56 other people do not fit into 80 rows"),
        ((2, 0), 20, "20 other people do not fit into 80 rows"),
        ((4, slice(0, 4)), 0, "that no image has, or no size"),
        ((5, slice(0, 4)), 255, "that no image has, or no size"),
        ((7, slice(0, 4)), 66, "a joint's state is not from 0 to 4; has it 17 joints"),
    ],
)
def test_wrong_people(tmp_path, place, value, message):
    (pixels, _), *_ = write_crowd(tmp_path / "base", "COCO")
    pixels[3][place] = value
    put(tmp_path / "base", [pixels])
    with pytest.raises(LayerError, match=f"key '0000000': .*{message}"):
        data(f'sources: "{tmp_path}/base" models: "COCO_25_17"').forward()


@pytest.mark.parametrize(
    "state, is_known", [(-0.5, True), (1.49, True), (1.5, False), (2.49, False), (2.5, True)]
)
def test_states_between(tmp_path, state, is_known):
    """They are rounded, halves away from 0; a state of 3, and less than 0, is that of a known joint."""
    (pixels, _), *_ = write_crowd(tmp_path / "base", "COCO", others=(0,))
    pixels[3][7, :4] = np.frombuffer(F(state).tobytes(), np.uint8)
    put(tmp_path / "base", [pixels])
    _, maps = data(f'sources: "{tmp_path}/base" models: "COCO_18"', TEST, 1).forward()
    assert (maps[0, 57 + 38].max() > 0.5) == is_known


def test_a_stride_whose_reciprocal_is_rounded():
    """Limbs lie at places times float32's 1 / 7: what is 21 pixels aside is a little more than 3 cells aside."""
    model = MODELS["COCO_18"]
    maps, joints = np.full((2 * model.channels, 9, 8), np.nan, F), np.zeros((1, 18, 2), F)
    states = np.full((1, 18), 2)
    joints[0, [9, 10]], states[0, [9, 10]] = [(21, 14), (21, 42)], 1
    write_labels(maps, np.ones((9, 8), F), joints, states, model, 7, 5.0)
    np.testing.assert_array_equal(np.flatnonzero(maps[model.channels + 5, 4]), [3])


def test_people_of_another_dataset(tmp_path):
    (pixels, _), (other, _) = write_crowd(tmp_path / "base", "COCO", others=(0, 0))
    other[3, 0, :5] = np.frombuffer(b"COCX\0", np.uint8)
    put(tmp_path / "base", [pixels, other])
    runner = data(f'sources: "{tmp_path}/base" models: "COCO_18"', batch=1)
    runner.forward()
    with pytest.raises(
        LayerError, match="key '0000001': its people are of 'COCX', those of the first record of 'COCO'"
    ):
        runner.forward()


def test_images_of_other_shapes(tmp_path):
    write_crowd(tmp_path / "base", "COCO")
    with pytest.raises(
        LayerError, match=r"key '0000001': the image has \(88, 120\) pixels, the first one \(80, 112\)"
    ):
        data(f'sources: "{tmp_path}/base" models: "COCO_18"', TEST).forward()
    put(tmp_path / "base", [np.zeros((3, 9, 99), np.uint8)])
    with pytest.raises(
        LayerError, match="the Datum is 3 x 9 x 99 with 2673 bytes; expected 5 or more channels"
    ):
        data(f'sources: "{tmp_path}/base" models: "COCO_18"')
    put(tmp_path / "base", [np.zeros((5, 9, 60), np.uint8)])
    with pytest.raises(LayerError, match="9 rows of 17 joints do not fit into a channel of 9 x 60 bytes"):
        data(f'sources: "{tmp_path}/base" models: "COCO_18"').forward()
