"""Train the small OHEM net in one process, in a loop of snapshots and resumes, and see that nothing grows or drifts.

    python scripts/soak.py --minutes 60 --json soak.json

First trains STEPS iterations without a break. Then each round trains as many by new solvers, each of which resumes from
the last one's snapshot. After each round the weights have to be those of the first training, byte for byte; the
process's memory, open files and threads are noted. Exits with 1 where weights differ, files or threads are left open,
or memory has grown by more than 5 % since a tenth of the time had passed.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import caffe_compat as caffe
from caffe_compat.cli import console
from caffe_compat.fast_rcnn.config import cfg_from_file, cfg_from_list
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.train import train_on_dataset
from caffe_compat.fast_rcnn.voc import Devkit
from caffe_compat.prototxt import zoo

STEPS, PART = 24, 6  # iterations of a round, and until the next snapshot


def solver(kit: Devkit, prefix: Path) -> caffe.SGDSolver:
    """A new one, with data of its own, read ahead by a thread; seeded."""
    cfg = cfg_from_file(zoo.path("shapes_train").with_name("shapes_ohem.yml"))
    cfg = cfg_from_list(["TRAIN.USE_PREFETCH", "True"], cfg)
    caffe.set_random_seed(3)
    np.random.seed(3)
    made = caffe.get_solver(zoo.path("shapes_ohem_solver"), layer_settings=cfg.layer_settings())
    made.param.snapshot = made.param.display = 0
    made.param.snapshot_prefix = str(prefix)
    train_on_dataset(made, kit, cfg)
    return made


def weights(state: str) -> bytes:
    return Path(state).with_suffix(".caffemodel").read_bytes()


def one_round(kit: Devkit, folder: Path) -> bytes:
    state = None
    for _ in range(STEPS // PART):
        part = solver(kit, folder / "part")
        if state is not None:
            part.restore(state)
        part.step(PART)
        state = part.snapshot()
    found = weights(state)
    for path in folder.glob("part*"):
        path.unlink()
    return found


def used() -> dict[str, int]:
    """Resident memory in MB, open files and threads of this process."""
    gc.collect()
    lines = Path("/proc/self/status").read_text().splitlines()
    status = dict(line.split(":", 1) for line in lines)
    return {
        "memory": int(status["VmRSS"].split()[0]) // 1024,
        "files": len(os.listdir("/proc/self/fd")),
        "threads": int(status["Threads"]),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=60, help="default: 60")
    parser.add_argument("--json", metavar="FILE", help="write what each round used there")
    args = parser.parse_args(argv)
    rounds: list[dict[str, int]] = []
    wrong = 0
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name, console.progress(int(args.minutes * 60), quiet=False) as bar:
        folder, passed = Path(name), 0
        make_shapes(folder, images=40)
        kit = Devkit(folder, "2007", image_set="trainval")
        straight = solver(kit, folder / "straight")
        straight.step(STEPS)
        want = weights(straight.snapshot())
        while (seconds := time.monotonic() - begin) < 60 * args.minutes or len(rounds) < 2:
            wrong += one_round(kit, folder) != want
            rounds.append({"seconds": round(seconds), **used()})
            for _ in range(int(seconds) - passed):
                bar(f"round {len(rounds)}, {rounds[-1]['memory']} MB")
            passed = int(seconds)
    if args.json:
        Path(args.json).write_text(json.dumps(rounds))
    early, last = rounds[len(rounds) // 10], rounds[-1]
    print(f"{len(rounds)} rounds of {STEPS} iterations, {STEPS // PART} solvers each, in {last['seconds']} s")
    for what in ("memory", "files", "threads"):
        print(f"{what:8} {early[what]:6} after a tenth of them, {last[what]:6} at the end")
    print(f"{wrong} rounds with other weights")
    grown = last["memory"] > 1.05 * early["memory"] or any(last[k] > early[k] for k in ("files", "threads"))
    return int(wrong > 0 or grown)


if __name__ == "__main__":
    sys.exit(main())
