"""Databases of people as OpenPose's training has them, and cases of OPData on one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import Datum
from layers.harness import Case

F = np.float32
FEET = "LBigToe LSmallToe LHeel RBigToe RSmallToe RHeel"
COCO = "Nose LEye REye LEar REar LShoulder RShoulder LElbow RElbow LWrist RWrist LHip RHip LKnee RKnee LAnkle RAnkle"
MPII = "RAnkle RKnee RHip LHip LKnee LAnkle Pelvis Thorax UpperNeck HeadTop RWrist RElbow RShoulder LShoulder LElbow"
MPII += " LWrist"
PT = "RAnkle RKnee RHip LHip LKnee LAnkle RWrist RElbow RShoulder LShoulder LElbow LWrist UpperNeck Nose HeadTop"
CAR = "FLWheel BLWheel FRWheel BRWheel FRFogLight FLFogLight FRLight FLLight Grilles FBumper LMirror RMirror"
CAR += " FRTop FLTop BLTop BRTop BLLight BRLight Trunk BBumper BLCorner BRCorner"
KNOWN = {
    "COCO": COCO.split(),
    "FEET": f"{COCO} {FEET}".split(),
    "MPII": MPII.split(),
    "PT": PT.split(),
    "CAR": CAR.split(),
}
SIZES = ((80, 112), (88, 120), (96, 104))


def person(rng, size, count, spread):
    """Places from 1, spread over a part of the image, and states; some lie outside."""
    middle = np.array(size[::-1]) / 2
    places = (middle + rng.uniform(-1, 1, (count, 2)) * spread * (middle - 12)).astype(F)
    places[3] = size[1] + 20, 9
    states = rng.randint(0, 2, count).astype(F)
    states[6] = rng.choice([1, 2])  # of a pair of shoulders
    states[9] = rng.choice([1, 4])  # not known here
    return places, states


def crowd_datum(rng, size, count, others, spread=(1.0, 1.0)):
    """A Datum's bytes, and what it is of: (middle, scale, people as (places, states))."""
    pixels = rng.randint(0, 90, (5, *size)).astype(np.uint8)
    pixels[4] = np.where(np.arange(size[1]) < 0.7 * size[1], 255, 0)
    people = [person(rng, size, count, spread) for _ in range(1 + others)]
    middle, scale = np.array([size[1] / 2 + 3, size[0] / 2 - 2], F), F(0.5)
    rows = [b"COCO\0", struct.pack("<ff", *size), bytes([others, 0]) + struct.pack("<fff", 1, 2, 3)]
    rows += [struct.pack("<ff", *middle), struct.pack("<f", scale)]
    rows += [part.astype("<f4").tobytes() for part in (*people[0][0].T, people[0][1])]
    rows += [struct.pack("<ff", 9, 9)] * others + [struct.pack(f"<{others}f", *[1] * others)]
    rows += [part.astype("<f4").tobytes() for places, states in people[1:] for part in (*places.T, states)]
    for i, row in enumerate(rows):
        pixels[3, i, : len(row)] = np.frombuffer(row, np.uint8)
    return pixels, (middle, scale, people)


def put(path, images):
    import lmdb

    with lmdb.open(str(path), map_size=2**24) as base, base.begin(write=True) as records:
        for i, pixels in enumerate(images):
            channels, height, width = pixels.shape
            record = Datum(channels=channels, height=height, width=width, data=pixels.tobytes())
            records.put(f"{i:07}".encode(), record.SerializeToString())


def write_crowd(path, known, sizes=SIZES, others=(1, 0, 2), spread=(1.0, 1.0)):
    """A database of images; returns what they are of."""
    rng = np.random.RandomState(7)
    found = [
        crowd_datum(rng, size, len(KNOWN[known]), n, spread) for size, n in zip(sizes, others, strict=False)
    ]
    put(path, [pixels for pixels, _ in found])
    return found


def write_backgrounds(path, sizes):
    rng = np.random.RandomState(3)
    images = [rng.randint(0, 200, (3, *size)).astype(np.uint8) for size in sizes]
    put(path, images)
    return images


def crowd_cases(folder: Path) -> list[Case]:
    try:
        for known in KNOWN:
            write_crowd(folder / known, known, others=(0, 0, 1))
        write_backgrounds(folder / "behind", [(90, 150), (40, 50)])
    except ImportError:
        return []
    given = (
        f'sources: "{folder}/COCO" crop_size_x: 64 crop_size_y: 56 stride: 8 target_dist: 0.6 scale_prob: 1'
    )
    behind = f'source_background: "{folder}/behind"'
    params = (
        "", "flip_prob: 1", 'max_degree_rotations: "90"', "scale_prob: 0", 'scale_mins: "0.5"', 'scale_maxs: "2"',
        'sigmas: "20"', "target_dist: 0.3", "center_perterb_max: 30", "normalization: 1", "stride: 4",
        "crop_size_x: 40", "crop_size_y: 48", f'{behind} number_max_occlusions: "9"', behind,
        f'{behind} prob_only_background: 0.9 probabilities: "0.1"', 'scale_maxs: "3" scale_mins: "2"',
        'scale_maxs: "3" scale_mins: "2" center_swap_prob: 1', "max_rotate_degree: 90", "scale_min: 0.5",
        "scale_max: 2",
    )  # fmt: skip
    cases = [f'{_less(given, text)} models: "COCO_25_17" {text}' for text in params]
    old = _less(given, "sources:") + f' model: "COCO_25_17" source_secondary: "{folder}/FEET"'
    cases += [f'{given} models: "COCO_19"', f'{_less(given, "sources:")} model: "COCO_18"']
    cases += [f'{old} model_secondary: "COCO_25" prob_secondary: {share}' for share in (1, 0)]
    two = _less(given, "sources:") + f' sources: "{folder}/COCO;{folder}/FEET"'
    cases += [f'{two} models: "COCO_25B_17;COCO_25B_23" probabilities: "{share}"' for share in ("1;0", "0;1")]
    return [_case(folder, text) for text in cases]


def _case(folder: Path, text: str) -> Case:
    data = f'data_param {{ source: "{folder}/COCO" backend: LMDB batch_size: 2 }}'
    return Case(f'type: "OPData" {data} op_transform_param {{ {text} }}', [], tops=2)


def _less(given: str, text: str) -> str:
    """The params of `given` that `text` does not have."""
    words = given.split()
    return " ".join(
        f"{name} {value}"
        for name, value in zip(words[::2], words[1::2], strict=True)
        if name not in text.split()
    )
