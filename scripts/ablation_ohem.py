"""The ablations of the paper of OHEM, on a hard set of drawn shapes or on data of one's own, with small nets.

Trains the zoo's small net by each method, seed by seed: OHEM; plain Fast R-CNN with background RoIs of an overlap of at
least 0.1, as it came, and of any; plain with all RoIs and a higher learning rate; each with two images a step and with
one. All take as many iterations, and 128 RoIs a step; the best of the plain ones is also trained as many seconds as
OHEM takes. All go on from the weights of the same first iterations of plain Fast R-CNN, a quarter of all, which count;
with --warm-up 0 they begin with random weights, and OHEM may not start (docs/ohem.md).

Of each run: the loss over all RoIs of 40 training images along the way, foreground and background apart, without
sampling and mining; average precision (VOC07) on the images of the test set, by class and by size of the objects.
Seconds are those of the processor. A run that is done is not run again: the same command goes on where it ended.
Writes OUT/ablation.json and OUT/ablation.png (with matplotlib), and prints the table beside the paper's figures.

  python scripts/ablation_ohem.py hard                           # draws a hard set first: 600 + 150 images
  python scripts/ablation_ohem.py out --devkit screws --classes bolt,gear --iterations 3000 --warm-up 600
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
from measuring import table
from ohem_runs import (
    SIZES,
    Judge,
    Method,
    Phase,
    add_data,
    check_settings,
    read_json,
    run,
    scores,
    write_json,
)

import caffe_compat as caffe
from caffe_compat.cli import console
from caffe_compat.fast_rcnn.classes import read_classes
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.voc import Devkit

METHODS = {
    "OHEM, N = 2": Method(mines=True),
    "plain, bg_lo 0, N = 2": Method(mines=False),
    "plain, bg_lo 0.1, N = 2": Method(mines=False, bg_lo=0.1),
    "plain, all RoIs, N = 2": Method(mines=False, rois=-1, lr_factor=2),
    "OHEM, N = 1": Method(mines=True, images=1),
    "plain, bg_lo 0, N = 1": Method(mines=False, images=1),
    "plain, bg_lo 0.1, N = 1": Method(mines=False, images=1, bg_lo=0.1),
    "plain, all RoIs, N = 1": Method(mines=False, images=1, rois=-1, lr_factor=2),
}
AS_LONG = "plain's best, as many seconds as OHEM"
# VOC07 test, trained on VOC07 trainval, VGG_CNN_M_1024; Girshick 2015 and Shrivastava et al. 2016
PAPER = {"OHEM, N = 2": 62.0, "plain, bg_lo 0.1, N = 2": 59.2}
CHECKED = 40  # training images whose RoIs all are scored
POINTS = 8  # of a curve
SETTINGS = (
    "iterations",
    "warm_up",
    "lr",
    "images",
    "devkit",
    "classes",
)  # runs that are compared have the same


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("out", type=Path, metavar="OUT", help="a folder for the runs and the results")
    result.add_argument(
        "--iterations", type=int, default=3000, metavar="N", help="of each run; default: 3000"
    )
    result.add_argument(
        "--warm-up", type=int, metavar="N", help="of these, the same for all; default: a quarter"
    )
    result.add_argument(
        "--lr", type=float, default=0.001, help="base_lr, twice that with all RoIs; default: 0.001"
    )
    result.add_argument("--seeds", type=int, default=3)
    result.add_argument("--images", type=int, default=750, help="of the drawn set; default: 750")
    result.add_argument("--only", metavar="TEXT", help="only methods whose names begin with one of TEXT;TEXT")
    add_data(result)
    return result


def main() -> None:
    args = parser().parse_args()
    if args.warm_up is None:
        args.warm_up = args.iterations // 4
    args.out.mkdir(parents=True, exist_ok=True)
    if not args.report:
        Ablation(args).all(tuple(args.only.split(";")) if args.only else ("",))
    results = read_json(args.out / "ablation.json") or {}
    report(results)
    plot(results, args.out / "ablation.png")


class Ablation:
    """Runs what is not in OUT/ablation.json yet."""

    def __init__(self, args: argparse.Namespace):
        self.args, self.file = args, args.out / "ablation.json"
        check_settings(args.out, {name: str(getattr(args, name)) for name in SETTINGS})
        root = args.devkit or args.out / "set"
        if not root.exists():
            make_shapes(root, args.images, hard=True)
        classes = read_classes(args.classes) if args.classes else None
        self.seen, self.unseen = (
            Devkit(root, image_set=name, classes=classes) for name in ("trainval", "test")
        )
        self.judge = Judge(args.out, self.seen, CHECKED)
        self.results: dict[str, Any] = read_json(self.file) or {}

    def all(self, prefixes: tuple[str, ...]) -> None:
        """Those whose names begin with one of these."""
        args = self.args
        for seed in range(args.seeds):
            for name, method in METHODS.items():
                if name.startswith(prefixes):
                    self.one(name, method, seed, args.iterations)
        if AS_LONG.startswith(prefixes):
            self._as_long()

    def _as_long(self) -> None:
        args = self.args
        best, ohem = best_plain(self.results), self.results.get("OHEM, N = 2")
        if best is None or ohem is None:
            return
        ratio = _mean(ohem, "seconds") / _mean(self.results[best], "seconds")
        after = (args.iterations - args.warm_up) * ratio
        rounded = args.warm_up + round(after / 100) * 100  # the same for all seeds
        for seed in range(args.seeds):
            self.one(AS_LONG, METHODS[best], seed, rounded)

    def one(self, name: str, method: Method, seed: int, iterations: int) -> None:
        if str(seed) in self.results.get(name, {}):
            return
        args = self.args
        folder = args.out / f"{name}, seed {seed}".replace(" ", "_").replace(",", "").replace("'", "")
        curve: list[dict[str, float]] = []
        warm_up, start = args.warm_up, None
        if warm_up:
            start = self._warm_weights(seed, warm_up)
        began = time.perf_counter()
        with console.progress(iterations - warm_up, quiet=False) as bar:

            def follow(solver: caffe.SGDSolver) -> None:
                step = max(1, (iterations - warm_up) // POINTS)

                def look(done: caffe.Iteration) -> None:
                    bar(f"{name}, seed {seed}: loss {done.smoothed_loss:.3f}")
                    if (done.iter + 1) % step == 0:
                        curve.append({"iteration": warm_up + done.iter + 1, **self.judge(solver.net)})

                curve.append({"iteration": warm_up, **self.judge(solver.net)})
                solver.on_iteration(look)

            weights, seconds = run(
                folder, self.seen, [Phase(method, iterations)], args.lr, seed, start, warm_up, follow
            )
        result = {
            "iterations": iterations,
            "seconds": seconds,
            "minutes by the clock": (time.perf_counter() - began) / 60,
            "curve": curve,
            **scores(folder, weights, self.unseen),
        }
        self.results = read_json(self.file) or {}  # another process may have added to it
        self.results.setdefault(name, {})[str(seed)] = result
        write_json(self.file, self.results)

    def _warm_weights(self, seed: int, iterations: int) -> Path:
        """Those of the first iterations of plain Fast R-CNN, the same for all methods."""
        folder = self.args.out / f"warm_up_seed_{seed}"
        weights = folder / "weights.npz"
        if not weights.exists():
            with console.progress(iterations, quiet=False) as bar:
                run(
                    folder,
                    self.seen,
                    [Phase(Method(mines=False), iterations)],
                    self.args.lr,
                    seed,
                    on_solver=lambda solver: solver.on_iteration(
                        lambda done: bar(f"warm-up, seed {seed}: loss {done.smoothed_loss:.3f}")
                    ),
                )
        return weights


def best_plain(results: dict[str, Any]) -> str | None:
    """The plain method of the highest mAP, over the seeds."""
    plain = [name for name in results if name.startswith("plain, ")]
    return max(plain, key=lambda name: _mean(results[name], "mAP"), default=None)


def _mean(runs: dict[str, Any], key: str) -> float:
    return float(np.mean([one[key] for one in runs.values()]))


def report(results: dict[str, Any]) -> None:
    rows = []
    for name in [name for name in (*METHODS, AS_LONG) if name in results]:
        runs = list(results[name].values())
        precision = [one["mAP"] for one in runs]
        losses = [[one["curve"][-1][part] for one in runs] for part in ("all", "foreground", "background")]
        sizes = [np.mean([one["sizes"][size] for one in runs]) for size in SIZES]
        rows.append(
            (
                name,
                str(len(runs)),
                f"{np.mean([one['iterations'] for one in runs]):.0f}",
                f"{np.mean([one['seconds'] for one in runs]):.0f}",
                f"{np.mean(precision):.3f}",
                f"{min(precision):.3f}-{max(precision):.3f}",
                *(f"{size:.3f}" for size in sizes),
                *(f"{np.mean(loss):.3f}" for loss in losses),
                f"{PAPER[name]:.1f}" if name in PAPER else "",
            )
        )
    head = ("", "seeds", "iterations", "seconds", "mAP", "least-most", *SIZES, "loss, all RoIs")
    table(
        "mean over the seeds; mAP (VOC07) on unseen images, also by size; loss at the end",
        (*head, "foreground", "background", "paper, VOC07"),
        rows,
    )
    _report_classes(results)


def _report_classes(results: dict[str, Any]) -> None:
    best = best_plain(results)
    pair = [name for name in ("OHEM, N = 2", best) if name in results]
    if len(pair) < 2:
        return
    classes = list(next(iter(results[pair[0]].values()))["AP"])
    values = [
        [np.mean([one["AP"][label] for one in results[name].values()]) for name in pair] for label in classes
    ]
    table(
        "average precision by class, mean over the seeds",
        ("", *pair),
        [(label, *(f"{value:.3f}" for value in row)) for label, row in zip(classes, values, strict=True)],
    )


def plot(results: dict[str, Any], path: Path) -> None:
    """The loss over all RoIs along the way, and the mAP at the end, a dot a seed; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no picture: pip install 'caffe-compat[plot]'")
        return
    names = [name for name in (*METHODS, AS_LONG) if name in results]
    figure = Figure(figsize=(10, 4.5), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    for row, name in enumerate(names):
        runs, colour = list(results[name].values()), f"C{row}"
        steps = [point["iteration"] for point in runs[0]["curve"]]
        means = [np.mean([one["curve"][i]["all"] for one in runs]) for i in range(len(steps))]
        left.plot(steps, means, color=colour, linewidth=2.5 if name.startswith("OHEM") else 1.2)
        precision = [one["mAP"] for one in runs]
        right.barh(row, np.mean(precision), color=colour, alpha=0.5)
        right.plot(precision, [row] * len(runs), "o", color=colour, markersize=4)
    left.set_yscale("log")
    left.yaxis.set_major_formatter("{x:.2f}")
    left.yaxis.set_minor_formatter("{x:.2f}")
    left.set_xlabel("iteration")
    left.set_ylabel("mean loss over all RoIs")
    right.set_yticks(range(len(names)), names)
    right.invert_yaxis()
    right.set_xlabel("mAP on unseen images, a dot a seed")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
