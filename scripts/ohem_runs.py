"""What the scripts that train with and without hard example mining share: methods, runs of them, and their scores.

The nets are the zoo's small ones, for any number of classes. Of a run, all is written into a folder of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import caffe_compat as caffe
from caffe_compat.fast_rcnn.build import dataset_roidb
from caffe_compat.fast_rcnn.config import Config, cfg_from_file, in_order
from caffe_compat.fast_rcnn.dataset import Dataset, Objects
from caffe_compat.fast_rcnn.detect import Detector
from caffe_compat.fast_rcnn.evaluate import evaluate
from caffe_compat.fast_rcnn.images import read_photo
from caffe_compat.fast_rcnn.nms import BOX
from caffe_compat.fast_rcnn.proposals import propose
from caffe_compat.fast_rcnn.source import SequentialSource
from caffe_compat.fast_rcnn.train import train_on_dataset
from caffe_compat.prototxt import zoo

LEARNS = ("conv1", "conv2", "conv3", "conv4", "fc6", "fc7", "cls_score", "bbox_pred")
SIZES = {
    "small": (0, 32),
    "medium": (32, 64),
    "large": (64, 10_000),
}  # pixels of the side of a square of that area


def add_data(result: argparse.ArgumentParser) -> None:
    """Add --devkit, --classes and --report."""
    result.add_argument("--devkit", type=Path, help="data of one's own, in VOC's form; default: a drawn set")
    result.add_argument("--classes", help="its classes, as of run-prototxt; default: VOC's")
    result.add_argument("--report", action="store_true", help="no runs; table and picture of those done")


@dataclass(frozen=True)
class Method:
    """How RoIs are chosen. images: of a step (the papers' N). rois: of a step, over its images (B); -1: all."""

    mines: bool
    images: int = 2
    rois: int = 128
    bg_lo: float = 0.0
    bg_hi: float = 0.5
    lr_factor: float = 1.0
    use_nms: bool = True

    def config(self) -> Config:
        """OHEM runs an image at a time, and the gradients of `images` make a step."""
        cfg = _zoo_config(self.mines)
        images = 1 if self.mines else self.images
        rois = self.rois // self.images if self.mines else self.rois
        train = replace(
            cfg.TRAIN,
            IMS_PER_BATCH=images,
            BATCH_SIZE=rois,
            BG_THRESH_LO=self.bg_lo,
            BG_THRESH_HI=self.bg_hi,
            OHEM_USE_NMS=self.use_nms,
            ASPECT_GROUPING=images == 2,
        )
        return replace(cfg, TRAIN=train)

    @property
    def iter_size(self) -> int:
        return self.images if self.mines else 1


@dataclass(frozen=True)
class Phase:
    """A part of a training: a method, and up to which iteration."""

    method: Method
    until: int


def _zoo_config(mines: bool) -> Config:
    name = "shapes_ohem.yml" if mines else "shapes.yml"
    return cfg_from_file(zoo.path("shapes_train").with_name(name))


def net_text(name: str, classes: int) -> str:
    """The text of a net of the zoo, for that many classes, the background's among them."""
    text = zoo.path(name).read_text()
    text = text.replace("'num_classes': 21", f"'num_classes': {classes}")
    text = re.sub(r"num_output: 21\b", f"num_output: {classes}", text)
    return re.sub(r"num_output: 84\b", f"num_output: {4 * classes}", text)


def make_solver(
    folder: Path, dataset: Dataset, method: Method, base_lr: float, iterations: int, lr_falls_at: int
) -> caffe.SGDSolver:
    """A solver whose net learns from the data set by a method, as in the zoo's solvers."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "shapes_ohem_train" if method.mines else "shapes_train"
    (folder / "train.prototxt").write_text(net_text(name, len(dataset.classes)))
    (folder / "solver.prototxt").write_text(
        f'train_net: "{folder / "train.prototxt"}"\nbase_lr: {base_lr * method.lr_factor}\nlr_policy: "multistep"\n'
        f"gamma: 0.1\nstepvalue: {lr_falls_at}\nmax_iter: {iterations}\nmomentum: 0.9\nweight_decay: 0.0005\n"
        f'iter_size: {method.iter_size}\naverage_loss: 100\nsnapshot: 1000000\nsnapshot_prefix: "{folder / "net"}"\n'
    )
    cfg = method.config()
    solver = caffe.get_solver(folder / "solver.prototxt", layer_settings=cfg.layer_settings())
    train_on_dataset(solver, dataset, cfg)
    return solver


def run(
    folder: Path,
    dataset: Dataset,
    phases: Sequence[Phase],
    base_lr: float,
    seed: int,
    start: Path | None = None,
    first: int = 0,
    on_solver: Callable[[caffe.SGDSolver], None] = lambda solver: None,
) -> tuple[str, float]:
    """Train by each phase in turn, each from the weights of the one before, the first from `start`, or from random
    ones; the learning rate falls to a tenth after three quarters. Returns the weights, and the seconds of the
    processor that the steps took.

    first: the iteration to begin with, where earlier ones made `start`.
    """
    total, seconds, weights = phases[-1].until, 0.0, start
    for phase in phases:
        caffe.set_random_seed(seed)
        np.random.seed(seed + first)
        falls = max(0, total * 3 // 4 - first)
        solver = make_solver(folder, dataset, phase.method, base_lr, phase.until - first, falls)
        if weights is not None:
            copy(weights, solver.net)
        clock = Clock(solver)
        on_solver(solver)
        solver.step(phase.until - first)
        seconds += clock.seconds
        weights = save(solver.net, folder / "weights.npz")
        first = phase.until
    path = solver.snapshot().replace(".solverstate", ".caffemodel")
    return path, seconds


class Clock:
    """The seconds of the processor that a solver's iterations take, without what is called after them."""

    def __init__(self, solver: caffe.SGDSolver):
        self.seconds, self._began = 0.0, 0.0
        solver.add_callback(self._begin, lambda: None)
        solver.on_iteration(self._end)

    def _begin(self) -> None:
        self._began = time.process_time()

    def _end(self, done: caffe.Iteration) -> None:
        self.seconds += time.process_time() - self._began


def save(net: caffe.Net, path: Path) -> Path:
    """The weights as they learn: box outputs for normalised targets, unlike those of a snapshot."""
    np.savez(path, **{f"{name}_{i}": blob.data for name in LEARNS for i, blob in enumerate(net.params[name])})
    return path


def copy(weights: Path, net: caffe.Net) -> None:
    with np.load(weights) as arrays:
        for name in LEARNS:
            for i, blob in enumerate(net.params[name]):
                blob.data[...] = arrays[f"{name}_{i}"]


class Judge:
    """Mean losses over all RoIs of some training images, without sampling and mining, for any weights."""

    def __init__(self, folder: Path, dataset: Dataset, images: int):
        cfg = Method(mines=True).config()
        step = max(1, len(dataset.image_ids) // images)
        self.roidb = dataset_roidb(dataset, in_order(cfg), image_ids=dataset.image_ids[::step][:images])
        folder.mkdir(parents=True, exist_ok=True)
        text = folder / "judge.prototxt"
        text.write_text(net_text("shapes_ohem_train", len(dataset.classes)))
        self.net = caffe.Net(text, caffe.TEST, layer_settings=cfg.layer_settings())

    def __call__(self, net: caffe.Net) -> dict[str, float]:
        """`all`, `foreground` and `background`: the mean loss of these RoIs."""
        for name in LEARNS:
            for mine, theirs in zip(self.net.params[name], net.params[name], strict=True):
                mine.data[...] = theirs.data
        self.net.layer_dict["data"].set_blobs(SequentialSource(self.roidb, len(self.roidb.classes)))
        losses, labels = [], []
        drawn = np.random.get_state()  # a minibatch draws its scale
        for _ in range(len(self.roidb)):
            self.net.forward(end="hard_roi_mining")
            losses.append(self.net.layer_dict["hard_roi_mining"].losses)
            labels.append(self.net.blobs["labels"].data.ravel().copy())
        np.random.set_state(drawn)
        loss, label = np.concatenate(losses), np.concatenate(labels)
        parts = {"all": loss >= 0, "foreground": label > 0, "background": label == 0}
        return {name: float(loss[rows].mean()) for name, rows in parts.items()}


def scores(folder: Path, weights: str, unseen: Dataset) -> dict[str, Any]:
    """The average precisions (VOC07, overlap 0.5) of weights on images that they were not learnt from: `mAP`, `AP` by
    class, and `sizes`, the mAP over objects of a size.

    For a size, objects of others count neither way, and detections of others not at all.
    """
    text = folder / "test.prototxt"
    text.write_text(net_text("shapes_test", len(unseen.classes)))
    detector = Detector(caffe.Net(text, caffe.TEST, weights=weights), _zoo_config(False))
    found = {}
    for image_id in unseen.image_ids:
        image = read_photo(str(unseen.photo(image_id)))
        found[image_id] = detector(image, propose(image))
    result = evaluate(found, unseen).with_objects
    return {
        "mAP": result.mean_ap_07,
        "AP": {one.name: one.ap_07 for one in result.classes},
        "sizes": {
            name: evaluate(
                {image_id: rows[_of_size(rows[:, BOX], size)] for image_id, rows in found.items()},
                OfSize(unseen, size),
            ).with_objects.mean_ap_07
            for name, size in SIZES.items()
        },
    }


class OfSize:
    """A data set in which only objects of a size are to be found; the others are difficult."""

    def __init__(self, dataset: Dataset, size: tuple[int, int]):
        self.name, self.classes, self.image_ids = dataset.name, dataset.classes, dataset.image_ids
        self.photo, self._objects, self._size = dataset.photo, dataset.objects, size

    def objects(self, image_id: str) -> Objects:
        objects = self._objects(image_id)
        return replace(objects, difficult=objects.difficult | ~_of_size(objects.boxes, self._size))


def _of_size(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    side = np.sqrt((boxes[:, 2:4] - boxes[:, :2] + 1).prod(axis=1))
    return (side >= size[0]) & (side < size[1])


def read_json(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.exists() else None


def write_json(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)


def check_settings(folder: Path, settings: dict[str, str]) -> None:
    """End where the runs in a folder have other settings, which are kept in its settings.json."""
    file = folder / "settings.json"
    before = read_json(file)
    if before not in (None, settings):
        other = [
            f"{name} {value} (now {settings[name]})"
            for name, value in before.items()
            if settings[name] != value
        ]
        sys.exit(f"{folder} has runs of {', '.join(other)}; give another folder, or the same settings")
    write_json(file, settings)
