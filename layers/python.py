"""Python layers: finds the class that python_param names, a user's own or one that is built in."""

from __future__ import annotations

import importlib
import inspect
import logging
import sys
import traceback
import warnings
from functools import cache
from itertools import chain
from types import ModuleType

import numpy as np

from caffe_compat import old_python, stand_ins
from caffe_compat.alias import importable_as_caffe
from caffe_compat.containers import BlobVec
from caffe_compat.errors import LayerError
from caffe_compat.layers.base import Layer
from caffe_compat.layers.detectnet.box_lists import ClusterDetections, ClusterGroundtruth
from caffe_compat.layers.detectnet.box_scores import ScoreDetections, mAP
from caffe_compat.layers.euclidean_loss import EuclideanLossLayer
from caffe_compat.layers.fast_rcnn.hard_roi_mining import OHEMDataLayer
from caffe_compat.layers.fast_rcnn.roi_data import RoIDataLayer
from caffe_compat.layers.registry import register
from caffe_compat.layers.rpn.anchor_target import AnchorTargetLayer
from caffe_compat.layers.rpn.proposal import ProposalLayer
from caffe_compat.layers.rpn.proposal_target import ProposalTargetLayer
from caffe_compat.layers.rpn.pyramid_anchor_target import PyramidAnchorTargetLayer
from caffe_compat.layers.rpn.pyramid_proposal import PyramidProposalLayer
from caffe_compat.layers.rpn.pyramid_proposal_target import (
    ProposalMergeRcnnTargetLayer,
    PyramidProposalTargetLayer,
)
from caffe_compat.layers.rpn.pyramid_rois import AsRoisLayer, AsRoisMergeRcnnLayer
from caffe_compat.layers.rpn.text_proposal import TextProposalLayer
from caffe_compat.layers.segmentation.spatial_dropout_layer import SpatialDropoutLayer
from caffe_compat.prototxt import caffe_pb2

# forks have classes of one name with other bottoms and tops: the first that fits is taken
BUILT_IN: dict[tuple[str, str], tuple[type[Layer], ...]] = {
    ("roi_data_layer.layer", "RoIDataLayer"): (RoIDataLayer,),
    ("roi_data_layer.layer", "OHEMDataLayer"): (OHEMDataLayer,),
    ("rpn.anchor_target_layer", "AnchorTargetLayer"): (AnchorTargetLayer, PyramidAnchorTargetLayer),
    ("rpn.proposal_layer", "ProposalLayer"): (ProposalLayer, PyramidProposalLayer),
    ("rpn.proposal_target_layer", "ProposalTargetLayer"): (ProposalTargetLayer, PyramidProposalTargetLayer),
    ("layers.text_proposal_layer", "ProposalLayer"): (TextProposalLayer,),
    ("spatial_dropout", "SpatialDropoutLayer"): (SpatialDropoutLayer,),
    ("caffe.layers.detectnet.clustering", "ClusterGroundtruth"): (ClusterGroundtruth,),
    ("caffe.layers.detectnet.clustering", "ClusterDetections"): (ClusterDetections,),
    ("caffe.layers.detectnet.mean_ap", "ScoreDetections"): (ScoreDetections,),
    ("caffe.layers.detectnet.mean_ap", "mAP"): (mAP,),
    ("pyloss", "EuclideanLossLayer"): (EuclideanLossLayer,),
    ("rpn.proposal_target_layer_mrcnn", "ProposalMergeRcnnTargetLayer"): (ProposalMergeRcnnTargetLayer,),
    ("rpn.as_rois", "As_roisLayer"): (AsRoisLayer,),
    ("rpn.as_rois_mrcnn", "As_rois_MergeRcnnLayer"): (AsRoisMergeRcnnLayer,),
}
BUILT_IN_CLASSES = tuple(chain.from_iterable(BUILT_IN.values()))
logger = logging.getLogger("caffe_compat.imports")  # of the modules that files name, as they are imported
AWAY = "take the folder that holds the module off PYTHONPATH"


@register("Python")
class Python(Layer):
    """The layer type of users' own layers; `create_layer` makes one of the class that python_param names.

    Source: Caffe's PythonLayer.
    """

    reads = ("python_param",)
    bottom_count = (0, None)
    top_count = (0, None)
    in_place = True
    without_effect = ("python_param.share_in_parallel",)  # nothing runs in parallel

    @classmethod
    def create(cls, layer_param: caffe_pb2.LayerParameter, phase: int, dtype=np.float32) -> Layer:
        """Make the layer of the class that python_param names. Raises what python_layer_class raises."""
        found = python_layer_class(layer_param)
        if found in BUILT_IN_CLASSES:
            return found(layer_param, phase, dtype)
        with importable_as_caffe():
            layer = _made(found, layer_param)
        layer.type, layer.phase, layer.dtype = layer_param.type, _Phase(phase), dtype
        layer.blobs = BlobVec(dtype, layer_param.name)
        # it checks its bottoms and tops itself
        layer.bottom_count, layer.top_count, layer.in_place = cls.bottom_count, cls.top_count, cls.in_place
        return layer

    @classmethod
    def create_built_in(cls, layer_param: caffe_pb2.LayerParameter, phase: int, dtype=np.float32) -> Layer:
        """Make the built-in layer that python_param names, whatever could be imported. Raises LayerError."""
        return built_in_class(layer_param)(layer_param, phase, dtype)


class _Phase(int):
    """TRAIN or TEST, with its name as its text: the Caffe of Faster R-CNN's layers has an enum there, BVLC's an int."""

    def __str__(self) -> str:
        return caffe_pb2.Phase.Name(self)


def python_layer_class(layer_param: caffe_pb2.LayerParameter) -> type[Layer]:
    """Return the class python_param.layer of the module python_param.module: of the one that can be imported, as in
    pycaffe, and else the one that is built in, if it has as many bottoms and tops (a fork's layer of the same name may
    have others). A warning says, once for each module, where one that is built in is not used.

    Raises LayerError, with file and line where they are known, when there is no such module or class, when it
    is no caffe.Layer, and when the module cannot be read or lacks something. Whatever else it raises when imported
    passes through.
    """
    built_in, param = _named(layer_param), layer_param.python_param
    module = _import(layer_param)
    if module is None:
        missing = f"there is no module '{param.module}'"
        return _fitting(layer_param, built_in, missing, "put the folder that holds it on PYTHONPATH")
    file = getattr(module, "__file__", None)
    if not hasattr(module, param.layer):
        names = [
            name
            for name, value in vars(module).items()
            if isinstance(value, type) and issubclass(value, Layer)
        ]
        way_out = f"; {built_in.__name__} is built in: for it, {AWAY}" if built_in else ""
        raise _error(
            layer_param,
            f"module '{param.module}' has no class '{param.layer}'; its layers: {names}{way_out}",
            file=file,
        )
    cls = getattr(module, param.layer)
    if not (isinstance(cls, type) and issubclass(cls, Layer)):
        raise _error(
            layer_param, f"'{param.module}.{param.layer}' is no caffe.Layer; {_way_out()}", file=file
        )
    if built_in:
        _say_which(f"{param.module}.{param.layer}", file or param.module, _line(cls))
    return cls


def built_in_class(layer_param: caffe_pb2.LayerParameter) -> type[Layer]:
    """Return the built-in class of this name, and import nothing. Raises LayerError where there is none that fits."""
    built_in, param = _named(layer_param), layer_param.python_param
    missing = f"'{param.module}.{param.layer}' is not built in, and to import it would be to run it"
    way_out = "where you trust it, allow that by --python-layers, or without --no-python-layers (python_layers=True)"
    return _fitting(layer_param, built_in, missing, way_out)


def is_built_in(layer_param: caffe_pb2.LayerParameter) -> bool:
    """Whether a built-in class has this name, and fits. Raises LayerError where python_param names none at all."""
    built_in = _named(layer_param)
    return built_in is not None and _fits(built_in, layer_param)


def _named(layer_param: caffe_pb2.LayerParameter) -> type[Layer] | None:
    """The built-in class that python_param names, if there is one: of several the first that fits the bottoms and
    tops, and of none that fits the first. Raises LayerError where it names none at all."""
    param = layer_param.python_param
    if not param.module or not param.layer:
        raise _error(layer_param, "python_param needs both a module and a layer (the name of the class)")
    known = BUILT_IN.get((param.module, param.layer), ())
    return next((cls for cls in known if _fits(cls, layer_param)), known[0] if known else None)


def _made(cls: type[Layer], layer_param: caffe_pb2.LayerParameter) -> Layer:
    try:
        return cls(layer_param)  # pycaffe's only argument, should the class have an __init__ of its own
    except TypeError as error:
        trace = error.__traceback__
        if trace is None or trace.tb_next is not None:  # of something in the class
            raise
        raise _error(
            layer_param,
            f"{error}; do in setup what __init__ does, or let it take what Caffe gives it: (self, param)",
        ) from error


def _fitting(
    layer_param: caffe_pb2.LayerParameter, built_in: type[Layer] | None, missing: str, way_out: str
) -> type[Layer]:
    """The class that is built in. Raises LayerError, of what is missing, where there is none or it does not fit."""
    if built_in and _fits(built_in, layer_param):
        return built_in
    why = f" (the {built_in.__name__} that is built in has other bottoms or tops)" if built_in else ""
    raise _error(layer_param, f"{missing}{why}; {way_out}")


def _line(cls: type[Layer]) -> int:
    try:
        return inspect.getsourcelines(cls)[1]
    except (OSError, TypeError):  # there is no source
        return 1


@cache
def _say_which(name: str, file: str, line: int) -> None:
    warnings.warn_explicit(
        f"{name} is that of {file}, not the one that is built in, and goes by its own configuration; for the "
        f"built-in one, {AWAY}",
        UserWarning,
        file,
        line,
    )


def _fits(cls: type[Layer], layer_param: caffe_pb2.LayerParameter) -> bool:
    """Whether the layer has as many bottoms and tops as the class may have; one that names none is not in a net."""
    if not layer_param.bottom and not layer_param.top:
        return True
    counts = (layer_param.bottom, cls.bottom_count), (layer_param.top, cls.top_count)
    return all(least <= len(names) <= (most or len(names)) for names, (least, most) in counts)


def _way_out() -> str:
    other = sys.modules.get("caffe")
    if other is None or other is sys.modules["caffe_compat"]:
        return "derive the class from it"
    return (
        f"caffe is the one of {getattr(other, '__file__', None)} here: call caffe_compat.install_as_caffe() "
        "before anything imports it, or run your script with python -m caffe_compat"
    )


def _error(layer_param: caffe_pb2.LayerParameter, message: str, **place) -> LayerError:
    return LayerError(message, layer=layer_param.name, type="Python", **place)


def _import(layer_param: caffe_pb2.LayerParameter) -> ModuleType | None:
    """The module that python_param names; None where there is none."""
    name = layer_param.python_param.module
    if "/" in name or name.startswith(".") or name.endswith(".py"):
        stem = name.removesuffix(".py").rpartition("/")[2].lstrip(".")
        raise _error(
            layer_param,
            f"module '{name}' is a file; write module: \"{stem}\", and put the folder that holds it on PYTHONPATH",
        )
    is_new = name not in sys.modules
    try:
        with importable_as_caffe(), old_python.understood():
            module = importlib.import_module(name)
    except SyntaxError as error:
        raise _error(
            layer_param,
            f"cannot read module '{name}': {error.msg}; {old_python.hint(error)}",
            file=error.filename,
            line=error.lineno,
        ) from error
    except ImportError as error:
        is_missing = isinstance(error, ModuleNotFoundError) and error.name is not None
        if is_missing and f"{name}.".startswith(f"{error.name}."):
            return None
        if error.name == "caffe_compat.layers" and _named(
            layer_param
        ):  # a checkout's folder is not the user's
            return None
        last = [
            frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename
        ][-1]
        raise _error(
            layer_param,
            f"cannot import module '{name}': {error}{stand_ins.hint(error)}",
            file=last.filename,
            line=last.lineno,
        ) from error
    if is_new:
        logger.info(
            "imported %s, which a Python layer names: %s",
            name,
            getattr(module, "__file__", "of Python itself"),
        )
    return module
