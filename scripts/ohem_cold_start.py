"""Why hard example mining may sit at chance when it begins with random weights, and what gets it going: measured.

Trains the zoo's small OHEM net on data of one's own, or on hard drawn shapes, each time with one thing changed: weights
of plain Fast R-CNN to begin with, a lower or higher learning rate, more RoIs, more images a step, no background that
nearly is an object, no NMS among the mined; and plain Fast R-CNN beside it. Along the way it looks, with the weights
of then, at 20 training images:

  mined cost    mean log loss of the class of the mined RoIs; beside it, `constant`: what the best constant answer costs
                there, the entropy of their labels. A net that has learnt nothing costs as much.
  all cost      the same of all RoIs, and what the best constant answer costs there
  information   nats that the net's answer says of a RoI: the entropy of its mean probabilities less the mean entropy of
                its probabilities, over all RoIs; 0 where it answers every RoI alike
  foreground, near, far   shares of the mined RoIs: objects, background that overlaps one by 0.3 and more, and by less
                than 0.1
  dead          share of conv1's filters that are 0 behind their ReLU wherever in these images: no gradient reaches them
  agreement     mean cosine of the gradients of two images: of the mined RoIs, and of sampled ones at the same weights

A run that is done is not run again. Writes OUT/cold_start.json and OUT/cold_start.png (with matplotlib).

  python scripts/ohem_cold_start.py cold --devkit screws --classes bolt,gear --iterations 1500
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from measuring import table
from ohem_runs import (
    LEARNS,
    Method,
    Phase,
    add_data,
    check_settings,
    net_text,
    read_json,
    run,
    scores,
    write_json,
)

import caffe_compat as caffe
from caffe_compat.cli import console
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.classes import read_classes
from caffe_compat.fast_rcnn.config import in_order
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.shapes import make_shapes
from caffe_compat.fast_rcnn.source import SequentialSource
from caffe_compat.fast_rcnn.voc import Devkit

OHEM, PLAIN = Method(mines=True), Method(mines=False)
VARIANTS = {
    "OHEM": OHEM,
    "plain": PLAIN,
    "OHEM after plain": OHEM,
    "OHEM, lr x 0.1": replace(OHEM, lr_factor=0.1),
    "OHEM, lr x 3": replace(OHEM, lr_factor=3),
    "OHEM, 512 RoIs": replace(OHEM, rois=512),
    "OHEM, 8 images": replace(OHEM, images=8, rois=512),
    "OHEM, background below 0.3": replace(OHEM, bg_hi=0.3),
    "OHEM, no NMS": replace(OHEM, use_nms=False),
}
LOOKED_AT = 20  # training images
POINTS = 6
SETTINGS = ("iterations", "seed", "photos", "devkit", "classes")  # runs that are compared have the same
BASE_LR = 0.001  # of the zoo's solvers
COLUMNS = {
    "mined": ".2f",
    "mined constant": ".2f",
    "all": ".2f",
    "all constant": ".2f",
    "information": ".3f",
    "foreground": ".2f",
    "near": ".2f",
    "far": ".2f",
    "dead": ".2f",
    "agreement, mined": ".2f",
    "agreement, sampled": ".2f",
}


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    result.add_argument("out", type=Path, metavar="OUT", help="a folder for the runs and the results")
    result.add_argument(
        "--iterations", type=int, default=1500, metavar="N", help="of each run; default: 1500"
    )
    result.add_argument("--seed", type=int, default=0)
    result.add_argument(
        "--photos", type=int, metavar="N", help="only the first N to train on, N/4 to test on"
    )
    result.add_argument("--only", metavar="TEXT", help="only these variants, NAME;NAME")
    add_data(result)
    return result


def main() -> None:
    args = parser().parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    file = args.out / "cold_start.json"
    if not args.report:
        experiment = Experiment(args)
        wanted = args.only.split(";") if args.only else list(VARIANTS)
        for name, method in VARIANTS.items():
            if name in wanted and name not in (read_json(file) or {}):
                result = experiment(name, method)
                write_json(file, (read_json(file) or {}) | {name: result})
    results = read_json(file) or {}
    report(results)
    plot(results, args.out / "cold_start.png")


class Experiment:
    def __init__(self, args: argparse.Namespace):
        self.args = args
        check_settings(args.out, {name: str(getattr(args, name)) for name in SETTINGS})
        root = args.devkit or args.out / "set"
        if not root.exists():
            make_shapes(root, 500, hard=True)
        classes = read_classes(args.classes) if args.classes else None
        self.seen, self.unseen = (
            Devkit(root, image_set=name, classes=classes) for name in ("trainval", "test")
        )
        if args.photos:
            self.seen.image_ids = self.seen.image_ids[: args.photos]
            self.unseen.image_ids = self.unseen.image_ids[: args.photos // 4]
        self.probe = Probe(args.out, self.seen)

    def __call__(self, name: str, method: Method) -> dict[str, Any]:
        total = self.args.iterations
        phases = [Phase(method, total)]
        if name.endswith("after plain"):
            phases.insert(0, Phase(PLAIN, total // 4))
        folder = self.args.out / name.replace(" ", "_").replace(",", "")
        looks: list[dict[str, float]] = []
        done_before = 0
        with console.progress(total, quiet=False) as bar:

            def follow(solver: caffe.SGDSolver) -> None:
                first = done_before
                steps = max(1, total // POINTS)

                def look(done: caffe.Iteration) -> None:
                    nonlocal done_before
                    done_before = first + done.iter + 1
                    bar(f"{name}: loss {done.smoothed_loss:.3f}")
                    if done_before % steps == 0:
                        looks.append({"iteration": done_before, **self.probe(solver.net)})

                if not looks:
                    looks.append({"iteration": 0, **self.probe(solver.net)})
                solver.on_iteration(look)

            weights, seconds = run(folder, self.seen, phases, BASE_LR, self.args.seed, on_solver=follow)
        return {"looks": looks, "seconds": seconds, **scores(folder, weights, self.unseen)}


class Probe:
    """What a net mines and learns from, with its weights as they stand: see the top of this file."""

    def __init__(self, folder: Path, dataset: Dataset):
        step = max(1, len(dataset.image_ids) // LOOKED_AT)
        image_ids = dataset.image_ids[::step][:LOOKED_AT]
        self.nets = {}
        for name, method in (
            ("shapes_ohem_train", OHEM),
            ("shapes_train", replace(PLAIN, images=1, rois=64)),
        ):
            cfg = in_order(method.config())
            text = folder / f"probe_{name}.prototxt"
            text.write_text(net_text(name, len(dataset.classes)))
            net = caffe.Net(text, caffe.TRAIN, layer_settings=cfg.layer_settings())
            roidb = dataset_roidb(dataset, cfg, image_ids=image_ids)
            self.nets[method.mines] = net, roidb

    def __call__(self, trained: caffe.Net) -> dict[str, float]:
        for net, roidb in self.nets.values():
            for name in LEARNS:
                for mine, theirs in zip(net.params[name], trained.params[name], strict=True):
                    mine.data[...] = theirs.data
            net.layer_dict["data"].set_blobs(SequentialSource(roidb, len(roidb.classes)))
        drawn = np.random.get_state()
        np.random.seed(0)
        result = self._mined()
        for mines, name in ((True, "agreement, mined"), (False, "agreement, sampled")):
            result[name] = self._agreement(*self.nets[mines])
        np.random.set_state(drawn)
        return result

    def _mined(self) -> dict[str, float]:
        net, roidb = self.nets[True]
        chances, labels, kept, overlaps = [], [], [], []
        alive = np.zeros(net.blobs["conv1"].channels, bool)
        for entry in roidb:
            net.forward(end="hard_roi_mining")
            alive |= net.blobs["conv1"].data.max(axis=(0, 2, 3)) > 0  # behind its ReLU
            label = net.blobs["labels"].data.ravel().astype(int)
            chances.append(net.blobs["cls_prob_readonly"].data.reshape(len(label), -1).astype(np.float64))
            labels.append(label)
            rows = np.zeros(len(label), bool)
            rows[net.layer_dict["hard_roi_mining"].selected] = True
            kept.append(rows)
            foreground = entry.max_overlaps >= 0.5  # a minibatch has these first
            overlaps.append(np.concatenate((entry.max_overlaps[foreground], entry.max_overlaps[~foreground])))
        chance, label, mined, overlap = (np.concatenate(parts) for parts in (chances, labels, kept, overlaps))
        cost = -np.log(np.maximum(chance[np.arange(len(label)), label], 1e-30))
        background = mined & (label == 0)
        return {
            "mined": cost[mined].mean(),
            "mined constant": _entropy(np.bincount(label[mined]) / mined.sum()),
            "all": cost.mean(),
            "all constant": _entropy(np.bincount(label) / len(label)),
            "information": _entropy(chance.mean(axis=0)) - np.mean([_entropy(row) for row in chance]),
            "foreground": float((label[mined] > 0).mean()),
            "near": float((overlap[background] >= 0.3).sum() / mined.sum()),
            "far": float((overlap[background] < 0.1).sum() / mined.sum()),
            "dead": float(1 - alive.mean()),
        }

    def _agreement(self, net: caffe.Net, roidb: Any) -> float:
        """Of fc6 and what lies below, by which RoIs are told apart."""
        gradients = []
        for _ in roidb:
            net.clear_param_diffs()
            net.forward()
            net.backward()
            gradient = np.concatenate([net.params[name][0].diff.ravel() for name in LEARNS[:5]])
            gradients.append(gradient / max(1e-30, float(np.linalg.norm(gradient))))
        cosines = np.array(gradients) @ np.array(gradients).T
        return float(cosines[np.triu_indices(len(gradients), 1)].mean())


def _entropy(shares: np.ndarray) -> float:
    shares = shares[shares > 0]
    return float(-(shares * np.log(shares)).sum())


def report(results: dict[str, Any]) -> None:
    rows = []
    for name in [name for name in VARIANTS if name in results]:
        for look in results[name]["looks"]:
            last = look is results[name]["looks"][-1]
            cells = [f"{look[column]:{form}}" for column, form in COLUMNS.items()]
            rows.append((name, str(look["iteration"]), *cells, f"{results[name]['mAP']:.3f}" if last else ""))
    table("with the weights of then, on training images", ("", "iteration", *COLUMNS, "mAP"), rows)


def plot(results: dict[str, Any], path: Path) -> None:
    """What the net's answers say of a RoI, along the way; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no picture: pip install 'caffe-compat[plot]'")
        return
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot()
    for name in [name for name in VARIANTS if name in results]:
        looks = results[name]["looks"]
        axes.plot([look["iteration"] for look in looks], [look["information"] for look in looks], label=name)
    axes.set_xlabel("iteration")
    axes.set_ylabel("nats that the answer says of a RoI")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=120)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
