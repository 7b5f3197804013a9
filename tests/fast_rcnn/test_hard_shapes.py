"""The hard drawn set: small, crowded, rare objects among look-alikes, and the same for the same seed."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from caffe_compat.fast_rcnn.boxes import bbox_overlaps
from caffe_compat.fast_rcnn.hard_scene import BETWEEN, HardScene
from caffe_compat.fast_rcnn.scene import COLOURS, Scene
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.voc import CLASSES

IMAGES = 120


@pytest.fixture(scope="module")
def scenes() -> list[HardScene]:
    return [HardScene(np.random.RandomState([7, i])) for i in range(IMAGES)]


def boxes(scene: Scene) -> np.ndarray:
    covered = [[np.flatnonzero(one.mask.any(axis)) for axis in (0, 1)] for one in scene.objects]
    return np.array([[x[0], y[0], x[-1], y[-1]] for x, y in covered], np.float32)


def vivid(scene: Scene) -> np.ndarray:
    return np.ptp(scene.image.astype(int), axis=2) > 90


def test_the_same_seed_draws_the_same_set(tmp_path):
    sums = []
    for name, images, seed in (("one", 7, 5), ("again", 5, 5), ("other", 5, 6)):
        root = make_shapes(tmp_path / name, images, seed, hard=True)
        files = sorted(path for path in root.rglob("00000[1-5].*"))
        assert len(files) == 10
        sums.append([hashlib.sha256(path.read_bytes()).hexdigest() for path in files])
    assert sums[0] == sums[1] and not set(sums[0]) & set(sums[2])


def test_objects_are_small_and_of_a_long_tail(scenes):
    sides = np.concatenate([(boxes(one)[:, 2:] - boxes(one)[:, :2] + 1).max(axis=1) for one in scenes])
    assert {len(one.objects) for one in scenes} == {1, 2, 3, 4, 5, 6}
    assert 12 < sides.min() < 20 and 85 < sides.max() < 110
    assert 30 < np.median(sides) < 45  # the plain set: 75
    counts = Counter(found.name for one in scenes for found in one.objects)
    assert counts.most_common(1)[0][0] == "aeroplane" and set(counts) <= set(CLASSES[1:])
    common = sum(count for _, count in counts.most_common(4)) / sum(counts.values())
    assert 0.5 < common < 0.68  # of Zipf's 20 classes: 0.58


def test_objects_stand_beside_each_other(scenes):
    """Grown by a third, most touch another one of their image; of the next image's objects, few would be touched."""

    def touching(others: list[HardScene], own: bool) -> float:
        touched = []
        for scene, other in zip(scenes, others, strict=True):
            grown = []
            for found in (boxes(scene), boxes(other)):
                margin = (found[:, 2:] - found[:, :2]) / 6
                grown.append(np.hstack((found[:, :2] - margin, found[:, 2:] + margin)))
            overlaps = bbox_overlaps(*grown)
            if own:
                np.fill_diagonal(overlaps, 0)
            touched += (overlaps.max(axis=1) > 0).tolist()
        return float(np.mean(touched))

    assert touching(scenes, own=True) > 0.65 > 0.5 > touching(scenes[1:] + scenes[:1], own=False)


def test_half_of_what_is_vivid_is_no_object(scenes):
    """Look-alikes cover about as much of the images as objects do, and many have a class's own."""
    palette = np.array([*COLOURS.values(), *BETWEEN.values()], float)
    pixels = np.concatenate([one.image[vivid(one) & (one.owner == 0)] for one in scenes[:40]]).astype(float)
    of_objects = sum(int((vivid(one) & (one.owner > 0)).sum()) for one in scenes[:40])
    assert len(pixels) > 0.8 * of_objects
    nearest = np.linalg.norm(pixels[:, None] - palette, axis=2).argmin(axis=1)
    assert 0.3 < (nearest < len(COLOURS)).mean() < 0.8


def test_no_colour_between_is_near_a_class():
    for colour in BETWEEN.values():
        away = [np.linalg.norm(np.subtract(colour, other)) for other in COLOURS.values()]
        assert 60 < min(away) < 110
