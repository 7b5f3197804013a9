"""Workers share the photos out: each is read by one of them, and all together make the steps of one worker."""

import re
from collections import Counter

import numpy as np
import pytest
from commands import run_prototxt
from own_data import write_all
from several import decoded, run_workers

pytest.importorskip("torch")

from caffe_compat.weights import read

SOLVER = """\
train_net: "train.prototxt" base_lr: 0.001 lr_policy: "fixed" momentum: 0.9 display: 0 snapshot_prefix: "own"
max_iter: {} iter_size: {}
"""
SMALL = {
    "TRAIN.SCALES": "(72,)", "TRAIN.PROPOSAL_METHOD": "gt", "TRAIN.BG_THRESH_LO": "0.0", "TRAIN.USE_FLIPPED": "False",
    "TRAIN.IMS_PER_BATCH": "1", "TRAIN.ASPECT_GROUPING": "False", "TRAIN.BATCH_SIZE": "4",
}  # fmt: skip
ARGS = ["solver.prototxt", "--devkit", "screws", "--classes", "bolt,gear", "--seed", "5", "--engine", "torch"]


def params(folder, iterations):
    found = read(str(folder / f"own_iter_{iterations}.caffemodel"))
    return {f"{each.name}:{j}": array for each in found for j, array in each.arrays.items()}


@pytest.mark.slow
@pytest.mark.parametrize("count, prefetch", [(2, "True"), (4, "False")])
def test_each_photo_is_read_by_one_worker_and_all_are_one_worker(tmp_path, count, prefetch):
    write_all(tmp_path, photos=9)  # of which an epoch serves eight, as in the reference
    settings = {**SMALL, "TRAIN.USE_PREFETCH": prefetch}
    args = [*ARGS, *(word for pair in settings.items() for word in ("--set", *pair))]
    solver, iterations = tmp_path / "solver.prototxt", 8 // count
    solver.write_text(SOLVER.format(iterations, 1))
    done = run_workers(count, "run", *args, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    got = params(tmp_path, iterations)

    read_by = decoded(tmp_path, count)
    times = Counter(photo for photos in read_by for photo in photos)
    if prefetch == "False":  # else photos are decoded by processes of their own
        assert sorted(times.values()) == [1, *[2] * 8]  # all for their sizes, and those of an epoch
        assert all(2 * iterations <= 2 * len(photos) <= 4 * iterations + 4 for photos in read_by)
    said = re.search(r"Images read: (.*)", done.stderr)
    assert said and said.group(1) == ", ".join(f"{iterations} by worker {rank}" for rank in range(count))

    solver.write_text(SOLVER.format(iterations, count))
    one = run_prototxt(*args, cwd=tmp_path)
    assert one.returncode == 0, one.stderr
    for key, want in params(tmp_path, iterations).items():
        np.testing.assert_allclose(got[key], want, rtol=0, atol=1e-5, err_msg=key)
