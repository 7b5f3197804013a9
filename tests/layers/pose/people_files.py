"""Databases of people as pose machines have them, and cases of CPMData on one."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import Datum
from layers.harness import Case

F = np.float32
# of the net, from 1, in those of the database; where two stand, in their middle
COCO = ["1", "6+7", "7", "9", "11", "6", "8", "10", "13", "15", "17", "12", "14", "16", "3", "2", "5", "4"]
COCO_LIMBS = [
    "2-9",
    "9-10",
    "10-11",
    "2-12",
    "12-13",
    "13-14",
    "2-3",
    "3-4",
    "4-5",
    "3-17",
    "2-6",
    "6-7",
    "7-8",
    "6-18",
    "2-1",
    "1-15",
    "1-16",
    "15-17",
    "16-18",
]
COCO_RIGHT_LEFT = {3: 6, 4: 7, 5: 8, 9: 12, 10: 13, 11: 14, 15: 16, 17: 18}
MPI = ["10", "9", "13", "12", "11", "14", "15", "16", "3", "2", "1", "4", "5", "6", "8+7"]
MPI_LIMBS = [
    "1-2",
    "2-3",
    "3-4",
    "4-5",
    "2-6",
    "6-7",
    "7-8",
    "2-15",
    "15-9",
    "9-10",
    "10-11",
    "15-12",
    "12-13",
    "13-14",
]
MPI_RIGHT_LEFT = {3: 6, 4: 7, 5: 8, 9: 12, 10: 13, 11: 14}
KINDS = {56: (17, COCO, COCO_LIMBS, COCO_RIGHT_LEFT), 43: (16, MPI, MPI_LIMBS, MPI_RIGHT_LEFT)}
SIZES = ((66, 80), (66, 96), (72, 88))


def person(rng, size, count):
    """Places from 1, and states, of which some lie outside."""
    places = np.column_stack([rng.uniform(8, size[1] - 8, count), rng.uniform(8, size[0] - 8, count)]).astype(
        F
    )
    places[3] = size[1] + 20, 9
    states = rng.randint(0, 2, count).astype(F)
    states[[0, 5]] = 1
    return places, states


def datum(rng, size, count, others):
    """A Datum, and what it is of: people as (middle, scale, places, states)."""
    pixels = rng.randint(0, 90, (6, *size)).astype(np.uint8)
    pixels[4] = np.where(np.arange(size[1]) < 60, 255, 0)
    people = [person(rng, size, count) for _ in range(1 + others)]
    people[0][1][7] = 3  # not looked for
    middle, scale = np.array([size[1] / 2 + 3, size[0] / 2 - 2], F), F(0.5)
    rows = [b"COCO\0", struct.pack("<ff", *size), bytes([0, others, 0]) + struct.pack("<fff", 1, 2, 3)]
    rows += [struct.pack("<ff", *middle), struct.pack("<f", scale)]
    rows += [part.astype("<f4").tobytes() for part in (*people[0][0].T, people[0][1])]
    rows += [struct.pack("<ff", 9, 9)] * others + [struct.pack(f"<{others}f", *[1] * others)]
    rows += [part.astype("<f4").tobytes() for places, states in people[1:] for part in (*places.T, states)]
    for i, row in enumerate(rows):
        pixels[3, i, : len(row)] = np.frombuffer(row, np.uint8)
    return pixels, (middle, scale, people)


def write(folder, parts, sizes=SIZES):
    import lmdb

    rng, found = np.random.RandomState(parts), []
    with lmdb.open(str(folder / "base"), map_size=2**24) as base, base.begin(write=True) as records:
        for i, size in enumerate(sizes):
            pixels, people = datum(rng, size, KINDS[parts][0], others=(1, 0, 2)[i])
            channels, height, width = pixels.shape
            record = Datum(channels=channels, height=height, width=width, data=pixels.tobytes())
            records.put(f"{i:07}".encode(), record.SerializeToString())
            found.append((pixels, people))
    return found


def people_cases(folder: Path) -> list[Case]:
    try:
        write(folder, 56)
    except ImportError:
        return []
    source = f'data_param {{ source: "{folder}/base" backend: LMDB batch_size: 2 }}'
    given = "np_in_lmdb: 17 num_parts: 56 stride: 8 crop_size_x: 40 crop_size_y: 48"
    params = (
        "", "flip_prob: 1", "max_rotate_degree: 60", "scale_prob: 1", "scale_min: 0.5", "scale_max: 2", "sigma: 20",
        "target_dist: 0.6", "center_perterb_max: 30", "do_clahe: true", "do_clahe: true clahe_tile_size: 3",
        "do_clahe: true clahe_clip_limit: 9", "gray: 1",
    )  # fmt: skip
    cases = [f"{given} {text}" for text in params] + ["np_in_lmdb: 16 num_parts: 43"]
    return [Case(f'type: "CPMData" {source} cpm_transform_param {{ {text} }}', [], tops=2) for text in cases]
