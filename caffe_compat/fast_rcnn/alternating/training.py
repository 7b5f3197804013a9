"""Alternating training of an RPN and a detector, in steps that each leave one file in the folder of the run.

    training = AlternatingTraining("models/pascal_voc/ZF/faster_rcnn_alt_opt", dataset, cfg, "run", "ZF.v2.caffemodel")
    for step in training.steps:
        if not training.is_done(step):
            training.do(step)

The net that all this is for is run/final.caffemodel: the weights of the last detector, and those that only the last RPN
has. Each stage begins with the seed, as the reference's do, each in a process of its own.

Source: see recipe.py.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.alternating.recipe import Recipe, Stage, read_recipe
from caffe_compat.fast_rcnn.alternating.run_folder import RunFolder
from caffe_compat.fast_rcnn.anchor_statistics import anchor_statistics
from caffe_compat.fast_rcnn.build import OnPhoto, dataset_roidb, silent
from caffe_compat.fast_rcnn.classes import SUFFIX
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.fast_rcnn.dataset import Dataset
from caffe_compat.fast_rcnn.detections import digest
from caffe_compat.fast_rcnn.rpn_proposals import Proposer, propose_all, write_proposals
from caffe_compat.fast_rcnn.train import train_on_dataset
from caffe_compat.files import replacing
from caffe_compat.layers.base import TEST
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.prototxt.reader import read_binary_net, read_solver
from caffe_compat.rng import set_random_seed
from caffe_compat.solvers import Solver, create_solver
from caffe_compat.weights import Report

FINAL = "final"
_STATISTICS = "anchor_statistics.json"

OnWeights = Callable[[Report], None]  # is told what became of a file of weights
# lets a solver solve, from a state if any; it may stop it before
Solve = Callable[[Solver, str | None], None]


@dataclass(frozen=True)
class Step:
    """A part of the work. kind: statistics, train, propose or join. stage: what is trained, or proposes.

    result: the file that it leaves: as long as there is none, it is not done.
    """

    kind: str
    title: str
    result: str
    stage: Stage | None = None


class AlternatingTraining:
    """The training that the solvers in `models` describe, on a data set.

    folder: for results and snapshots; what an earlier, interrupted run has left there is taken up. weights: those that
    the first stages begin from; without any, from their fillers. iterations: of each stage, or of all, in the place of
    the solvers' own. Attributes: recipe, and steps, in their order.

    Raises DataError where `read_recipe` and `RunFolder` do, where a number of iterations is missing, and for a data set
    without photos.
    """

    def __init__(
        self,
        models: str | os.PathLike[str],
        dataset: Dataset,
        cfg: Config,
        folder: str | os.PathLike[str],
        weights: str | os.PathLike[str] | None = None,
        iterations: Sequence[int] = (),
        seed: int | None = None,
        skip_bad_images: bool = False,
        propagate_down: str | None = None,
        dialect: str | None = None,
        python_layers: bool = True,
    ):
        self.recipe, self.dataset, self.cfg, self.weights = read_recipe(models), dataset, cfg, weights
        self.seed = cfg.RNG_SEED if seed is None else seed
        self.skip_bad_images, self._propagate_down = skip_bad_images, propagate_down
        self._dialect, self._python_layers = dialect, python_layers
        self.iterations = dict(zip(self.recipe.stages, _iterations(self.recipe, iterations), strict=True))
        self.steps = list(_steps(self.recipe, cfg))
        self.folder = RunFolder(folder, self._identity())

    def is_done(self, step: Step) -> bool:
        return (self.folder / step.result).is_file()

    def do(
        self,
        step: Step,
        on_photo: OnPhoto = silent,
        on_weights: OnWeights = lambda report: None,
        solve: Solve = lambda solver, state: solver.solve(state),
    ) -> None:
        """Do a step; those before it are done. A `solve` that stops early leaves it undone, with a snapshot to go on
        from.

        Raises what training, detection and the data raise.
        """
        set_random_seed(self.seed)
        np.random.seed(self.seed)
        if step.kind == "join":
            self._join()
        elif step.kind == "statistics":
            self._find_statistics(on_photo)
        elif step.stage is not None and step.kind == "propose":
            self._propose(step.stage, on_photo, on_weights)
        elif step.stage is not None:
            self._train(step.stage, on_photo, on_weights, solve)

    # ---- steps ------------------------------------------------------------------------------------------------

    def _find_statistics(self, on_photo: OnPhoto) -> None:
        cfg = self.recipe.for_stage(self.recipe.stages[0], self.cfg)
        roidb = dataset_roidb(self.dataset, cfg, None, on_photo, self.skip_bad_images)
        means, stds = anchor_statistics(self._rpn_test(), roidb, cfg)
        self.folder.write_json(_STATISTICS, {"means": means.tolist(), "stds": stds.tolist()})

    def _train(self, stage: Stage, on_photo: OnPhoto, on_weights: OnWeights, solve: Solve) -> None:
        cfg = self._with_statistics(self.recipe.for_stage(stage, self.cfg))
        param, source = read_solver(stage.solver)
        self._set_up(param, stage)
        settings = cfg.layer_settings()
        solver = create_solver(
            param,
            source,
            self._propagate_down,
            settings,
            dialect=self._dialect,
            python_layers=self._python_layers,
        )
        state = self.folder.newest_state(stage)
        loaded: list[Report] = []
        for path in () if state else self._beginning(stage):
            loaded.append(solver.net.copy_from(path).after(loaded))
            on_weights(loaded[-1])
        proposals = None if stage.is_rpn else self.folder / _proposals(self.recipe.rpn_for(stage))
        train_on_dataset(solver, self.dataset, cfg, proposals, on_photo, self.skip_bad_images)
        solver.on_iteration(lambda done: self.folder.keep_newest(stage))
        solve(solver, state)
        if solver.iter >= param.max_iter:
            self.folder.finish(stage)

    def _propose(self, stage: Stage, on_photo: OnPhoto, on_weights: OnWeights) -> None:
        net = self._rpn_test()
        on_weights(net.copy_from(self.folder / f"{stage.name}.caffemodel"))
        proposer = Proposer(net, self.recipe.for_proposals(self.cfg))
        found = propose_all(proposer, self.dataset, on_photo, self.skip_bad_images)
        write_proposals(self.folder / _proposals(stage), found)

    def _join(self) -> None:
        detector, rpn = (
            read_binary_net(self.folder / f"{stage.name}.caffemodel")
            for stage in (self.recipe.last_detector, self.recipe.last_rpn)
        )
        layers = {layer.name: layer for layer in detector.layer}
        used = self._rpn_test().params
        differ = [
            one.name for one in rpn.layer if one.name in used and layers.get(one.name, one).blobs != one.blobs
        ]
        if differ:
            warnings.warn(
                f"the last RPN and the last detector do not share {', '.join(differ)}, so that the final net is not "
                "what either has learned; give these layers lr_mult: 0 and decay_mult: 0 in the stages after the first",
                stacklevel=2,
            )
        detector.layer.extend(one for one in rpn.layer if one.name not in layers)
        for stage in self.recipe.stages:
            self.folder.clear(stage)
        shutil.copyfile(
            self.folder / f"{self.recipe.last_detector.name}.{SUFFIX}", self.folder / f"{FINAL}.{SUFFIX}"
        )
        with replacing(self.folder / f"{FINAL}.caffemodel") as temporary, open(temporary, "wb") as file:
            file.write(detector.SerializeToString())

    # ---- what they need ---------------------------------------------------------------------------------------

    def _rpn_test(self) -> Net:
        return Net(
            self.recipe.rpn_test,
            TEST,
            layer_settings=self.cfg.layer_settings(),
            dialect=self._dialect,
            python_layers=self._python_layers,
        )

    def _set_up(self, param: SolverParameter, stage: Stage) -> None:
        """Let a stage's solver end in time, and write its snapshots into the folder.

        Those of the reference take none by themselves; TRAIN.SNAPSHOT_ITERS says how often.
        """
        param.max_iter, param.snapshot_prefix = self.iterations[stage], self.folder.prefix(stage)
        param.snapshot = param.snapshot or self.cfg.TRAIN.SNAPSHOT_ITERS
        param.snapshot_after_train = True
        param.snapshot_format = SolverParameter.BINARYPROTO
        param.ClearField("weights")

    def _beginning(self, stage: Stage) -> list[str]:
        """The weights that a stage begins from."""
        given = [os.fspath(self.weights)] if self.weights else []
        return [str(self.folder / f"{name}.caffemodel") for name in stage.begins_from] or given

    def _with_statistics(self, cfg: Config) -> Config:
        """`cfg` with the means and stds of anchors, where there is such a step."""
        if not (cfg.TRAIN.RPN_NORMALIZE_TARGETS and self.recipe.own_statistics):
            return cfg
        found = self.folder.read_json(_STATISTICS)
        means, stds = tuple(found["means"]), tuple(found["stds"])
        train = replace(cfg.TRAIN, RPN_NORMALIZE_MEANS=means, RPN_NORMALIZE_STDS=stds)
        return replace(cfg, TRAIN=train)

    def _identity(self) -> dict[str, Any]:
        """All that the results depend on."""
        prototxts = sorted(
            path for path in self.recipe.folder.iterdir() if path.suffix in (".pt", ".prototxt")
        )
        images = "\n".join([*self.dataset.classes, *self.dataset.image_ids])
        train = replace(self.cfg.TRAIN, SNAPSHOT_ITERS=0)
        identity = {
            **{path.name: digest(path) for path in prototxts},
            "weights": digest(self.weights) if self.weights else None,
            "configuration": asdict(replace(self.cfg, TRAIN=train)),
            "data": sha256(images.encode()).hexdigest(),
            "iterations": list(self.iterations.values()),
            "seed": self.seed,
            "skip-bad-images": self.skip_bad_images,
            "propagate-down": self._propagate_down,
            "dialect": self._dialect,
        }
        return json.loads(json.dumps(identity))  # tuples become lists


def _iterations(recipe: Recipe, given: Sequence[int]) -> list[int]:
    stages = recipe.stages
    if given and len(given) not in (1, len(stages)):
        raise DataError(
            f"there are {len(given)} numbers of iterations; expected one, or one for each of {len(stages)} stages"
        )
    if given:
        return list(given) * (len(stages) // len(given))
    for stage in stages:
        if not stage.iterations:
            raise DataError("has no max_iter; give the numbers of iterations", file=str(stage.solver))
    return [stage.iterations or 0 for stage in stages]


def _steps(recipe: Recipe, cfg: Config) -> Iterator[Step]:
    if recipe.own_statistics and cfg.TRAIN.RPN_NORMALIZE_TARGETS:
        yield Step("statistics", "means and stds of anchors", _STATISTICS)
    for stage in recipe.stages:
        yield Step("train", stage.title, f"{stage.name}.caffemodel", stage)
        if stage.is_rpn and stage is not recipe.stages[-1]:
            yield Step("propose", f"{stage.title}: proposals", _proposals(stage), stage)
    yield Step("join", "the final net", f"{FINAL}.caffemodel")


def _proposals(stage: Stage) -> str:
    return f"{stage.name}_proposals.npz"
