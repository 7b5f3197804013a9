"""Which stages a folder of published solvers stands for.

Faster R-CNN has four: an RPN, a Fast R-CNN on its proposals, an RPN on what that one has learned, a Fast R-CNN that
begins from this RPN. R-FCN has five: its detectors begin from the given weights, and a third RPN from the last one.

Source: tools/train_faster_rcnn_alt_opt.py of py-faster-rcnn, tools/train_rfcn_alt_opt_5stage.py of py-R-FCN; Ren et
al., Faster R-CNN (2015), section 3.2.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config import Config
from caffe_compat.prototxt.reader import read_solver

_SOLVER = re.compile(r"stage(\d+)_(\w+?)_solver(?:\d+k)?(?:(\d+)k)?\.(?:pt|prototxt)")
_RPN_TEST = ("rpn_test.pt", "rpn_test.prototxt")


@dataclass(frozen=True)
class Stage:
    """The training of an RPN or of a detector.

    name: stage1_rpn, stage1_fast_rcnn, ... iterations: max_iter of the solver or, where there is none, what its file's
    name says (60k80k: 80,000); None: neither does. begins_from: the stages whose weights it begins from, of a layer
    that several have the last one's; none: the given weights.
    """

    name: str
    solver: Path
    iterations: int | None
    begins_from: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return int(self.name.removeprefix("stage").split("_", 1)[0])

    @property
    def kind(self) -> str:
        return self.name.split("_", 1)[1]

    @property
    def is_rpn(self) -> bool:
        return self.kind.startswith("rpn")

    @property
    def title(self) -> str:
        return f"stage {self.number}, {self.kind.replace('_', ' ')}"


@dataclass(frozen=True)
class Recipe:
    """The stages of a folder, in their order, the RPN's test net, and what the reference's tool of their number sets.

    ims_per_batch: photos of a detector's minibatch. pre_nms_top_n, post_nms_top_n: boxes that an RPN proposes, before
    and after non-maximum suppression; -1: all. own_statistics: RPN_NORMALIZE_TARGETS goes by the means and stds of the
    data's own anchors.
    """

    folder: Path
    stages: tuple[Stage, ...]
    rpn_test: Path
    ims_per_batch: int
    pre_nms_top_n: int
    post_nms_top_n: int
    own_statistics: bool

    def for_stage(self, stage: Stage, cfg: Config) -> Config:
        """The configuration that a stage is trained with."""
        train = replace(cfg.TRAIN, HAS_RPN=stage.is_rpn)
        if stage.is_rpn:
            train = replace(train, BBOX_REG=False, PROPOSAL_METHOD="gt", IMS_PER_BATCH=1, USE_OHEM=False)
        else:  # what it has of an RPN is not learned, so its weights are not normalised either
            batch = self.ims_per_batch
            train = replace(train, PROPOSAL_METHOD="rpn", IMS_PER_BATCH=batch, RPN_NORMALIZE_TARGETS=False)
        return replace(cfg, TRAIN=train)

    def for_proposals(self, cfg: Config) -> Config:
        """The configuration that an RPN proposes with."""
        before, after = self.pre_nms_top_n, self.post_nms_top_n
        return replace(cfg, TEST=replace(cfg.TEST, RPN_PRE_NMS_TOP_N=before, RPN_POST_NMS_TOP_N=after))

    def rpn_for(self, detector: Stage) -> Stage:
        """The RPN whose proposals a detector learns from."""
        return self.stages[self.stages.index(detector) - 1]

    @property
    def last_rpn(self) -> Stage:
        return next(stage for stage in reversed(self.stages) if stage.is_rpn)

    @property
    def last_detector(self) -> Stage:
        return next(stage for stage in reversed(self.stages) if not stage.is_rpn)


def read_recipe(folder: str | os.PathLike[str]) -> Recipe:
    """The recipe of a folder with solvers as they are published: stage1_rpn_solver60k80k.pt and so on.

    Raises DataError, which says what is missing, and what `read_solver` raises.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(
            "there is no such folder; give the one with the solvers of the stages", file=str(folder)
        )
    stages = sorted(_stages(folder), key=lambda stage: (stage.number, not stage.is_rpn))
    rpn_test = next((folder / name for name in _RPN_TEST if (folder / name).is_file()), None)
    order = [(stage.number, stage.is_rpn) for stage in stages]
    if rpn_test is None or len(order) < 2 or order != [(i // 2 + 1, i % 2 == 0) for i in range(len(order))]:
        found = ", ".join(stage.solver.name for stage in stages) or "no solver of a stage"
        raise DataError(
            f"has {found}{'' if rpn_test else ', and no rpn_test.pt'}; expected stageN_rpn_solver*.pt and then "
            "stageN_fast_rcnn_solver*.pt (or _rfcn_), one of each, for N = 1, 2, ..., and the RPN's test net "
            "rpn_test.pt",
            file=str(folder),
        )
    rfcn = stages[-1].is_rpn
    all_stages = tuple(_with_beginnings(stages, rfcn))
    if rfcn:
        return Recipe(folder, all_stages, rpn_test, 1, 6000, 300, True)
    return Recipe(folder, all_stages, rpn_test, 2, -1, 2000, False)


def _stages(folder: Path) -> Iterator[Stage]:
    for path in folder.iterdir():
        found = _SOLVER.fullmatch(path.name)
        if found:
            number, kind, thousands = found.groups()
            iterations = read_solver(path)[0].max_iter or 1000 * int(thousands or 0)
            yield Stage(f"stage{number}_{kind}", path, iterations or None)


def _with_beginnings(stages: Sequence[Stage], rfcn: bool) -> Iterator[Stage]:
    for i, stage in enumerate(stages):
        if stage.number == 1 or (rfcn and not stage.is_rpn):
            yield stage
        elif stage.is_rpn:
            yield replace(stage, begins_from=(stages[i - 1].name,))
        else:  # what the RPN does not have is taken from the detector before it
            yield replace(stage, begins_from=(stages[i - 2].name, stages[i - 1].name))
