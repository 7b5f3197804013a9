"""The configuration of Fast R-CNN: every key of the reference's, with its defaults, and its YAML files.

    cfg = cfg_from_file("experiments/cfgs/fast_rcnn_ohem.yml")
    cfg = cfg_from_list(["TRAIN.SCALES", "(480, 600)"], cfg)
    net = Net("train.prototxt", TRAIN, layer_settings=cfg.layer_settings())

A configuration never changes; reading a file gives a new one. Source: fast_rcnn/config.py and
experiments/cfgs of abhi2610/ohem, of py-faster-rcnn and of py-R-FCN. Keys of their tools (paths, Matlab, GPU) are read
and have no effect.
"""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import yaml

from caffe_compat.errors import DataError
from caffe_compat.fast_rcnn.config_ranges import LARGEST, expected
from caffe_compat.layers.base import TEST, TRAIN
from caffe_compat.layers.common.settings import LayerSettings
from caffe_compat.layers.fast_rcnn.hard_roi_mining import OHEMDataLayer
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.layers.rpn.anchor_target import AnchorTargetLayer
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from caffe_compat.layers.rpn.pyramid_rois import AsRoisLayer
from caffe_compat.safe_yaml import Loader
from caffe_compat.text import nearest

Four = tuple[float, float, float, float]


@dataclass(frozen=True)
class TrainConfig:
    """Keys under TRAIN."""

    SCALES: tuple[int, ...] = (600,)  # pixels of the shorter side; one is drawn for each image
    MAX_SIZE: int = 1000  # most pixels of the longer side
    IMS_PER_BATCH: int = 2
    BATCH_SIZE: int = 128  # RoIs of a minibatch, over all its images; with OHEM those kept; with RPN, -1: all
    FG_FRACTION: float = 0.25  # most foreground RoIs of a sampled minibatch
    FG_THRESH: float = 0.5  # least overlap of a foreground RoI
    BG_THRESH_HI: float = 0.5  # background RoIs overlap less than this ...
    BG_THRESH_LO: float = 0.1  # ... and at least this
    USE_FLIPPED: bool = True  # each image also mirrored
    BBOX_REG: bool = True  # minibatches have box targets and weights
    BBOX_THRESH: float = 0.5  # least overlap of a RoI with box targets
    SNAPSHOT_ITERS: int = 10000  # of a solver that has `snapshot: 0`
    SNAPSHOT_INFIX: str = ""  # stands behind the solver's snapshot_prefix
    USE_PREFETCH: bool = False  # make minibatches in a background process
    BBOX_NORMALIZE_TARGETS: bool = True
    BBOX_INSIDE_WEIGHTS: Four = (1.0, 1.0, 1.0, 1.0)
    BBOX_NORMALIZE_TARGETS_PRECOMPUTED: bool = False  # by the two below, not by those of the data set
    BBOX_NORMALIZE_MEANS: Four = (0.0, 0.0, 0.0, 0.0)
    BBOX_NORMALIZE_STDS: Four = (0.1, 0.1, 0.2, 0.2)
    AGNOSTIC: bool = False  # box targets for foreground as such, not for each class (R-FCN)
    # or rpn: from a file; or gt: the annotated boxes are the only RoIs
    PROPOSAL_METHOD: str = "selective_search"
    ASPECT_GROUPING: bool = True  # landscape images with landscape ones, upright with upright
    HAS_RPN: bool = False  # minibatches have annotated boxes, and the net proposes RoIs
    RPN_POSITIVE_OVERLAP: float = 0.7
    RPN_NEGATIVE_OVERLAP: float = 0.3
    RPN_CLOBBER_POSITIVES: bool = False
    RPN_FG_FRACTION: float = 0.5
    RPN_BATCHSIZE: int = 256
    RPN_NMS_THRESH: float = 0.7
    RPN_PRE_NMS_TOP_N: int = 12000
    RPN_POST_NMS_TOP_N: int = 2000
    RPN_MIN_SIZE: int = 16
    RPN_BBOX_INSIDE_WEIGHTS: Four = (1.0, 1.0, 1.0, 1.0)
    RPN_POSITIVE_WEIGHT: float = -1.0
    RPN_NORMALIZE_TARGETS: bool = False  # by the two below (R-FCN)
    RPN_NORMALIZE_MEANS: Four = (0.0, 0.0, 0.0, 0.0)
    RPN_NORMALIZE_STDS: Four = (0.1, 0.1, 0.2, 0.2)
    USE_OHEM: bool = False  # minibatches have all RoIs, and the net picks the hard ones
    OHEM_USE_NMS: bool = True
    OHEM_NMS_THRESH: float = 0.7


@dataclass(frozen=True)
class TestConfig:
    """Keys under TEST."""

    __test__ = False  # pytest takes a class of this name for tests

    SCALES: tuple[int, ...] = (600,)
    MAX_SIZE: int = 1000
    NMS: float = 0.3  # overlap above which the weaker of two detections of a class goes
    SVM: bool = False
    BBOX_REG: bool = True
    HAS_RPN: bool = False  # true fits only a net that proposes RoIs; whether one does, its inputs tell
    # true fits only a net with one box for all classes; whether it is one, its columns tell
    AGNOSTIC: bool = False
    PROPOSAL_METHOD: str = "selective_search"  # or rpn: from a file
    RPN_NMS_THRESH: float = 0.7
    RPN_PRE_NMS_TOP_N: int = 6000
    RPN_POST_NMS_TOP_N: int = 300
    RPN_MIN_SIZE: int = 16


@dataclass(frozen=True)
class Config:
    """All keys. The paths are relative to the working directory."""

    TRAIN: TrainConfig = field(default_factory=TrainConfig)
    TEST: TestConfig = field(default_factory=TestConfig)
    DEDUP_BOXES: float = 1 / 16  # RoIs equal after this scaling are one to the net; 0: all are computed
    PIXEL_MEANS: tuple[float, float, float] = (102.9801, 115.9465, 122.7717)  # blue, green, red
    RNG_SEED: int = 3
    EPS: float = 1e-14
    ROOT_DIR: str = "."
    DATA_DIR: str = "data"
    MODELS_DIR: str = os.path.join("models", "pascal_voc")
    MATLAB: str = "matlab"
    EXP_DIR: str = "default"
    USE_GPU_NMS: bool = True
    GPU_ID: int = 0

    def layer_settings(self) -> LayerSettings:
        """The settings that the layers of the reference's nets take from the configuration, for Net and the solvers."""
        return {
            RoIDataLayer: self._roi_data(),
            OHEMDataLayer: self._ohem(),
            ProposalLayer: self._proposal(),
            AnchorTargetLayer: self._anchor_target(),
            ProposalTargetLayer: self._proposal_target(),
            AsRoisLayer: {"most_rois": self.TEST.RPN_POST_NMS_TOP_N},
        }

    def _roi_data(self) -> dict[str, Any]:
        train = self.TRAIN
        return {
            "ims_per_batch": train.IMS_PER_BATCH,
            "scale": max(train.SCALES),
            "max_size": train.MAX_SIZE,
            "agnostic": train.AGNOSTIC,
        }

    def _ohem(self) -> dict[str, Any]:
        train = self.TRAIN
        return {
            "batch_size": train.BATCH_SIZE,
            "use_nms": train.OHEM_USE_NMS,
            "nms_thresh": train.OHEM_NMS_THRESH,
        }

    def _proposal(self) -> dict[str, Any]:
        train, test = self.TRAIN, self.TEST
        return {
            "pre_nms_top_n": {TRAIN: train.RPN_PRE_NMS_TOP_N, TEST: test.RPN_PRE_NMS_TOP_N},
            "post_nms_top_n": {TRAIN: train.RPN_POST_NMS_TOP_N, TEST: test.RPN_POST_NMS_TOP_N},
            "nms_thresh": {TRAIN: train.RPN_NMS_THRESH, TEST: test.RPN_NMS_THRESH},
            "min_size": {TRAIN: train.RPN_MIN_SIZE, TEST: test.RPN_MIN_SIZE},
            # what a snapshot holds gives deltas as they are
            "normalized_deltas": {TRAIN: train.RPN_NORMALIZE_TARGETS, TEST: False},
            "normalize_means": train.RPN_NORMALIZE_MEANS,
            "normalize_stds": train.RPN_NORMALIZE_STDS,
        }

    def _anchor_target(self) -> dict[str, Any]:
        train = self.TRAIN
        return {
            "positive_overlap": train.RPN_POSITIVE_OVERLAP,
            "negative_overlap": train.RPN_NEGATIVE_OVERLAP,
            "clobber_positives": train.RPN_CLOBBER_POSITIVES,
            "fg_fraction": train.RPN_FG_FRACTION,
            "batch_size": train.RPN_BATCHSIZE,
            "inside_weights": train.RPN_BBOX_INSIDE_WEIGHTS,
            "positive_weight": train.RPN_POSITIVE_WEIGHT,
            "normalize_targets": train.RPN_NORMALIZE_TARGETS,
            "normalize_means": train.RPN_NORMALIZE_MEANS,
            "normalize_stds": train.RPN_NORMALIZE_STDS,
        }

    def _proposal_target(self) -> dict[str, Any]:
        train = self.TRAIN
        return {
            "batch_size": train.BATCH_SIZE,
            "agnostic": train.AGNOSTIC,
            "fg_fraction": train.FG_FRACTION,
            "fg_thresh": train.FG_THRESH,
            "bg_thresh_hi": train.BG_THRESH_HI,
            "bg_thresh_lo": train.BG_THRESH_LO,
            "inside_weights": train.BBOX_INSIDE_WEIGHTS,
            "normalize_targets": train.BBOX_NORMALIZE_TARGETS_PRECOMPUTED,
            "normalize_means": train.BBOX_NORMALIZE_MEANS,
            "normalize_stds": train.BBOX_NORMALIZE_STDS,
        }


# fast_rcnn_ohem.yml
OHEM = Config(
    EXP_DIR="fast_rcnn_ohem",
    TRAIN=TrainConfig(BG_THRESH_LO=0.0, IMS_PER_BATCH=1, BATCH_SIZE=64, USE_OHEM=True, ASPECT_GROUPING=False),
)

# faster_rcnn_end2end.yml
FASTER_RCNN = Config(
    EXP_DIR="faster_rcnn_end2end",
    TRAIN=TrainConfig(
        HAS_RPN=True,
        IMS_PER_BATCH=1,
        BBOX_NORMALIZE_TARGETS_PRECOMPUTED=True,
        PROPOSAL_METHOD="gt",
        BG_THRESH_LO=0.0,
    ),
    TEST=TestConfig(HAS_RPN=True),
)

# faster_rcnn_alt_opt.yml
ALTERNATING = Config(
    EXP_DIR="faster_rcnn_alt_opt", TRAIN=TrainConfig(BG_THRESH_LO=0.0), TEST=TestConfig(HAS_RPN=True)
)


def in_order(cfg: Config) -> Config:
    """`cfg` for a few photos in their order: without mirrored ones, and with fixed means and stds."""
    train = replace(cfg.TRAIN, USE_FLIPPED=False, BBOX_NORMALIZE_TARGETS_PRECOMPUTED=True)
    return replace(cfg, TRAIN=train)


def with_agnostic(cfg: Config, agnostic: bool) -> Config:
    """`cfg` for a net whose box targets are of each class, or (R-FCN) of foreground as such."""
    return replace(cfg, TRAIN=replace(cfg.TRAIN, AGNOSTIC=agnostic))


def cfg_from_file(path: str | os.PathLike[str], cfg: Config | None = None) -> Config:
    """`cfg` (or the defaults) with the keys of a YAML file of the reference, or of a fork of it.

    Keys that are not known are set aside, with one warning that lists them. Lists stand for tuples, and whole numbers
    for fractions. Raises DataError, which names the file, where it cannot be read, is no YAML mapping, or has a value
    that the key cannot have.
    """
    try:
        with open(path, encoding="utf-8-sig") as file:
            found = yaml.load(file, Loader)
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"cannot read the configuration: {reason}", file=str(path)) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = (mark.line + 1, mark.column + 1) if mark else ()
        raise DataError(f"the configuration is no YAML: {error.problem}", str(path), *place) from error
    except yaml.YAMLError as error:
        raise DataError(f"the configuration is no YAML: {error}", file=str(path)) from error
    aside: list[_Unknown] = []
    try:
        cfg = _merge(cfg or Config(), found or {}, "", aside)
    except DataError as error:
        raise error.at(str(path)) from None
    if aside:
        keys = ", ".join(f"{one.key} (did you mean {one.near}?)" if one.near else one.key for one in aside)
        warnings.warn(f"{path}: keys that nothing here reads are set aside: {keys}", stacklevel=2)
    return cfg


def cfg_from_list(pairs: Sequence[str], cfg: Config | None = None) -> Config:
    """`cfg` (or the defaults) with keys and values that follow each other: TRAIN.SCALES "(480, 600)" EXP_DIR a.

    Raises DataError for an unknown key, a value that the key cannot have, and a key without a value.
    """
    cfg = cfg or Config()
    if len(pairs) % 2:
        raise DataError(f"the configuration key '{pairs[-1]}' has no value; give KEY VALUE pairs")
    for key, text in zip(pairs[::2], pairs[1::2], strict=True):
        try:
            value = _literal(text.strip())
        except ValueError:  # plain text needs no quotes
            value = text
        for part in reversed(key.split(".")):
            value = {part: value}
        unknown: list[_Unknown] = []
        cfg = _merge(cfg, value, "", unknown)
        for one in unknown:
            hint = f"did you mean '{one.near}'?" if one.near else f"known are {', '.join(one.known)}"
            raise DataError(f"there is no configuration key '{one.key}'; {hint}")
    return cfg


_WORDS = {"True": True, "False": False, "None": None}
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_SEQUENCE = re.compile(r"\(.*,.*\)|\[.*\]", re.DOTALL)
_FLOAT = re.compile(r"[-+]?(\d+\.\d*|\.\d+|\d+(?=e))(e[-+]?\d+)?", re.IGNORECASE)


def _literal(text: str) -> Any:
    """The value of a Python literal, as the reference reads it. Raises ValueError for plain text."""
    if text in _WORDS:
        return _WORDS[text]
    if _TEXT.fullmatch(text):
        return text[1:-1]
    if _SEQUENCE.fullmatch(text):
        items = re.split(r"[\s()\[\]]*,[\s()\[\]]*", text.strip("()[], \n"))
        return (tuple if text[0] == "(" else list)(map(_literal, items))
    return float(text) if _FLOAT.fullmatch(text) else int(text, 0)


@dataclass(frozen=True)
class _Unknown:
    """A key that a configuration does not have, the one that may be meant, and all that stand where it would."""

    key: str
    near: str | None
    known: Sequence[str]


def _merge(config: Any, values: Any, under: str, aside: list[_Unknown]) -> Any:
    """The configuration with these values. Keys that it does not have are added to `aside`."""
    if not isinstance(values, Mapping):
        raise DataError(f"{under.rstrip('.') or 'the configuration'} is {values!r}; expected keys and values")
    known = {one.name: getattr(config, one.name) for one in fields(config)}
    changed = {}
    for key, value in values.items():
        if key not in known:
            aside.append(_Unknown(f"{under}{key}", _near(str(key), known, under), list(known)))
        elif hasattr(known[key], "__dataclass_fields__"):
            changed[key] = _merge(known[key], value, f"{under}{key}.", aside)
        else:
            changed[key] = _in_range(_converted(value, known[key], f"{under}{key}"), f"{under}{key}")
    return replace(config, **changed)


def _near(key: str, known: Mapping[str, Any], under: str) -> str | None:
    """The key that may be meant by one that is not known: one much like it, or, at the top, the one of a section."""
    near = nearest(key, known, cutoff=0.85)
    if near is not None:
        return under + near
    sections = (name for name, value in known.items() if hasattr(value, key))
    return next((f"{name}.{key}" for name in sections), None) if not under else None


def _in_range(value: Any, key: str) -> Any:
    words = expected(key, value)
    if words:
        raise DataError(f"the configuration key '{key}' is {value!r}; expected {words}")
    return value


def _converted(value: Any, default: Any, key: str) -> Any:
    """The value in the type of the default; raises DataError where it has another one."""
    if isinstance(default, float) and isinstance(value, str):
        value = _number(value)  # YAML takes 1e-14, without a point, for text
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return float(value) if abs(value) < LARGEST else math.inf
    if isinstance(default, tuple) and isinstance(value, list | tuple):
        items = list(_flat(value))  # PIXEL_MEANS is 1 x 1 x 3 in the reference
        if items and (len(items) == len(default) or key.endswith("SCALES")):
            return tuple(_converted(item, default[0], key) for item in items)
    elif type(value) is type(default):
        return value
    if isinstance(default, tuple):
        count = "one or more" if key.endswith("SCALES") else str(len(default))
        expected = f"{count} numbers like {list(default)}"
    else:
        expected = f"{_KINDS[type(default)]} like {default!r}"
    raise DataError(f"the configuration key '{key}' is {value!r}; expected {expected}")


_KINDS = {bool: "a truth value", int: "a whole number", float: "a number", str: "text"}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        else:
            yield value
