"""Trains the small net on drawn shapes with and without hard example mining, and compares loss and average precision.

    .venv/bin/python scripts/compare_ohem.py OUT [--iterations 4000] [--seeds 3] [--images 1000]

Both nets are the same but for the read-only branch, start from the same seeds, see the same images and take as many
RoIs a step: 2 images with 64 RoIs each. Every tenth of the way, the mean loss over all RoIs of 40 training images is
taken with the weights of then (no sampling, no mining), as in the figure of Shrivastava, Gupta and Girshick (2016).
At the end, the net detects in the test images, a fifth of all, from selective search's boxes. The learning rate falls
to a tenth after three quarters of the iterations. Writes OUT/loss.csv, OUT/map.csv and OUT/loss.png (with matplotlib),
and prints two tables.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from pathlib import Path

import numpy as np
from measuring import table

import caffe_compat as caffe
from caffe_compat.cli import console
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.config import Config, cfg_from_file, in_order
from caffe_compat.fast_rcnn.detect import Detector
from caffe_compat.fast_rcnn.evaluate import evaluate
from caffe_compat.fast_rcnn.feed import mines
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.proposals import propose
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.source import SequentialSource
from caffe_compat.fast_rcnn.train import train_on_dataset
from caffe_compat.fast_rcnn.voc import Devkit
from caffe_compat.prototxt import zoo

METHODS = {"OHEM": "shapes_ohem", "Fast R-CNN": "shapes"}
CHECKED = 40  # training images whose RoIs all are scored
POINTS = 10


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("out", type=Path, metavar="OUT", help="a folder for the images and the results")
    result.add_argument("--iterations", type=int, default=4000)
    result.add_argument("--seeds", type=int, default=3)
    result.add_argument("--images", type=int, default=1000)
    return result


def main() -> None:
    args = parser().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if not (args.out / "VOC2007").exists():
        make_shapes(args.out, images=args.images)
    kit, unseen = (Devkit(args.out, "2007", image_set) for image_set in ("trainval", "test"))
    judge = Judge(kit)
    rows: list[tuple[str, int, int, float, float]] = []
    precisions: list[tuple[str, int, float]] = []
    total = len(METHODS) * args.seeds * args.iterations
    with console.progress(total, quiet=False) as bar:
        for seed in range(args.seeds):
            for method, name in METHODS.items():
                solver = make_solver(kit, name, seed, args)
                solver.on_iteration(
                    lambda done, run=f"{name} seed {seed}": bar(f"{run} loss {done.smoothed_loss:.3f}")
                )
                for iteration, loss, seconds in train(solver, args.iterations, judge):
                    rows.append((method, seed, iteration, loss, seconds))
                precisions.append((method, seed, mean_ap(solver, unseen, config(name))))
                write(args.out / "loss.csv", ("method", "seed", "iteration", "loss", "seconds"), rows)
                write(args.out / "map.csv", ("method", "seed", "mAP"), precisions)
    report(rows, args.seeds)
    report_precision(precisions, len(unseen.image_ids), args.iterations)
    plot(rows, args.out / "loss.png")


class Judge:
    """Mean loss over all RoIs of some training images, by the read-only branch, for any weights."""

    def __init__(self, kit: Devkit):
        self.cfg = in_order(config("shapes_ohem"))
        self.roidb = dataset_roidb(kit, self.cfg, image_ids=kit.image_ids[:CHECKED])
        self.net = caffe.Net(zoo.path("shapes_ohem_train"), caffe.TEST)

    def __call__(self, net: caffe.Net) -> float:
        for name in ("conv1", "conv2", "conv3", "conv4", "fc6", "fc7", "cls_score", "bbox_pred"):
            for mine, theirs in zip(self.net.params[name], net.params[name], strict=True):
                mine.data[...] = theirs.data
        self.net.layer_dict["data"].set_blobs(SequentialSource(self.roidb, len(self.roidb.classes)))
        losses = []
        for _ in range(len(self.roidb)):
            self.net.forward(end="hard_roi_mining")
            losses.append(self.net.layer_dict["hard_roi_mining"].losses)
        return float(np.concatenate(losses).mean())


def config(name: str) -> Config:
    return cfg_from_file(zoo.path("shapes_train").with_name(f"{name}.yml"))


def make_solver(kit: Devkit, name: str, seed: int, args: argparse.Namespace) -> caffe.SGDSolver:
    cfg = config(name)
    caffe.set_random_seed(seed)
    np.random.seed(seed)
    solver = caffe.get_solver(zoo.path(f"{name}_solver"), layer_settings=cfg.layer_settings())
    solver.param.snapshot = 0
    solver.param.snapshot_prefix = str(args.out / f"{name}_{seed}")
    solver.param.stepsize = args.iterations * 3 // 4
    train_on_dataset(solver, kit, cfg)
    assert mines(solver.net) == (name == "shapes_ohem")
    return solver


def train(solver: caffe.SGDSolver, iterations: int, judge: Judge):
    """Yields (iteration, mean loss over all RoIs, seconds of training up to there)."""
    yield 0, judge(solver.net), 0.0
    seconds = 0.0
    for _ in range(POINTS):
        start = time.perf_counter()
        solver.step(iterations // POINTS)
        seconds += time.perf_counter() - start
        yield solver.iter, judge(solver.net), seconds


def mean_ap(solver: caffe.SGDSolver, unseen: Devkit, cfg: Config) -> float:
    """VOC07's mean average precision of the net as it stands, on images that it has not learnt from."""
    weights = solver.snapshot().replace(".solverstate", ".caffemodel")
    detector = Detector(caffe.Net(zoo.path("shapes_test"), caffe.TEST, weights=weights), cfg)
    found = {}
    for image_id in unseen.image_ids:
        image = read_photo(str(unseen.photo(image_id)))
        found[image_id] = detector(image, propose(image))
    return evaluate(found, unseen).mean_ap_07


def write(path: Path, columns: tuple[str, ...], rows: list) -> None:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])


def report(rows: list[tuple[str, int, int, float, float]], seeds: int) -> None:
    """Print the mean over the seeds (and their range) for each point."""
    print(f"mean loss over all RoIs of {CHECKED} training images, {seeds} seed(s): mean (least to most)")
    print(f"{'iteration':>9}" + "".join(f"{method:>28}" for method in METHODS))
    for iteration in sorted({row[2] for row in rows}):
        line = f"{iteration:9d}"
        for method in METHODS:
            found = [row[3] for row in rows if row[0] == method and row[2] == iteration]
            line += f"{np.mean(found):14.4f} ({min(found):.4f}-{max(found):.4f})".rjust(28)
        print(line)
    for method in METHODS:
        last = [row[4] for row in rows if row[0] == method and row[2] == max(row[2] for row in rows)]
        print(f"{method}: {np.mean(last):.0f} s of training on {os.cpu_count()} cores")


def report_precision(precisions: list[tuple[str, int, float]], images: int, iterations: int) -> None:
    table(
        f"mean average precision (VOC07) on {images} unseen images after {iterations} iterations, by seed",
        ("", *(str(seed) for seed in sorted({seed for _, seed, _ in precisions})), "mean"),
        [
            (method, *(f"{value:.3f}" for value in values), f"{np.mean(values):.3f}")
            for method in METHODS
            for values in [[value for name, _, value in precisions if name == method]]
        ],
    )


def plot(rows: list[tuple[str, int, int, float, float]], path: Path) -> None:
    """Draw each seed thin and the mean thick; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no picture: pip install 'caffe-compat[plot]'")
        return
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for colour, method in zip(("C3", "C0"), METHODS, strict=True):
        points: dict[int, list[float]] = {}
        for _, _, iteration, loss, _ in (row for row in rows if row[0] == method):
            points.setdefault(iteration, []).append(loss)
        steps = sorted(points)
        for seed in range(len(points[steps[0]])):
            axes.plot(steps, [points[step][seed] for step in steps], color=colour, alpha=0.3, linewidth=0.8)
        axes.plot(steps, [np.mean(points[step]) for step in steps], color=colour, linewidth=2, label=method)
    axes.set_xlabel("iteration")
    axes.set_ylabel("mean loss over all RoIs")
    axes.set_yscale("log")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
