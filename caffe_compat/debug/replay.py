"""Keeps one layer in an .npz with all that it read, and runs it again from there.

The keys are those of tests/golden/README.md: prototxt (the layer behind an Input layer), phase, in:BLOB,
param:LAYER:I, data:BLOB and, for a backward, seed:BLOB, diff:BLOB and pdiff:LAYER:I. Besides:

    engine             name, device and precision of the net's engine
    layer_settings     the attributes that the net's layer_settings give this layer, as YAML; if there are any
    rng, numpy_rng     the states of both random number generators before the layer's forward
    not_finite         the finding, as JSON
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import yaml
from google.protobuf.message import Message

from caffe_compat import safe_yaml
from caffe_compat.engine import EngineChoice, choose
from caffe_compat.errors import CaffeCompatError, DataError
from caffe_compat.files import parse_json, read_npz, replacing
from caffe_compat.graph import with_state
from caffe_compat.layers.base import Layer
from caffe_compat.layers.common.settings import LayerSettings, settings_of
from caffe_compat.layers.registry import layer_class
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import TEST, TRAIN, LayerParameter, NetParameter, Phase
from caffe_compat.prototxt.reader import parse_net
from caffe_compat.prototxt.writer import net_text
from caffe_compat.rng import caffe_rng, set_numpy_state

Arrays = dict[str, np.ndarray]


@dataclass
class Before:
    """What is gone when a layer has run: bottoms and gradients at tops that it overwrites in place, by number, and the
    states of the random number generators before its forward."""

    changed: dict[int, np.ndarray] = field(default_factory=dict)
    gradients: dict[int, np.ndarray] = field(default_factory=dict)
    rng: tuple | None = None
    numpy_rng: Any = None

    def bottoms(self, net: Net, i: int) -> list[np.ndarray]:
        """What layer i read."""
        return [self.changed.get(j, blob.data) for j, blob in enumerate(net.bottoms[i])]

    def top_gradients(self, net: Net, i: int) -> list[np.ndarray]:
        """The gradients at the tops of layer i that its backward read."""
        return [self.gradients.get(j, blob.diff) for j, blob in enumerate(net.tops[i])]


def write(path: str, net: Net, i: int, before: Before, backward: bool, finding: dict[str, Any]) -> None:
    """Write what layer i read and computed, and the finding in it. backward: whether its backward has run."""
    node, layer, names = net.graph.nodes[i], net.layers[i], net.blob_names
    bottoms = {names[b]: array for b, array in zip(node.bottoms, before.bottoms(net, i), strict=True)}
    tops = {names[b]: net.blob_list[b].data for b in node.tops}
    inputs = bottoms if node.bottoms else tops
    arrays: Arrays = {
        "prototxt": np.array(net_text(_alone(net, i, inputs))),
        "phase": np.array(Phase.Name(net.phase)),
        "engine": np.array([net.engine.name, net.engine.device, net.engine.precision]),
        "not_finite": np.array(json.dumps(finding, allow_nan=False)),
    }
    if settings := {name: value for _, name, value in settings_of(layer, net.layer_settings)}:
        arrays["layer_settings"] = np.array(_as_yaml(settings))
    arrays |= {f"in:{name}": array for name, array in inputs.items()}
    arrays |= {f"param:{layer.name}:{j}": blob.data for j, blob in enumerate(layer.blobs)}
    if before.rng is not None and before.numpy_rng is not None:
        arrays["rng"] = np.append(before.rng[0], np.uint32(before.rng[1]))
        arrays["numpy_rng"] = np.append(before.numpy_rng[1], np.uint32(before.numpy_rng[2]))
    last = {b for b in node.tops if all(b not in later.tops for later in net.graph.nodes[i + 1 :])}
    known = {names[b]: net.blob_list[b].data for b in (last if backward else node.tops)}
    arrays |= {f"data:{name}": array for name, array in (known or inputs).items()}
    if backward:
        seeds = zip(node.tops, before.top_gradients(net, i), strict=True)
        arrays |= {f"seed:{names[b]}": array for b, array in seeds}
        flows = [b for b, flag in zip(node.bottoms, net.plan[i].propagate_down, strict=True) if flag]
        arrays |= {f"diff:{names[b]}": net.blob_list[b].diff for b in flows}
        learnt = [(j, blob) for j, blob in enumerate(layer.blobs) if blob.has_diff]
        arrays |= {f"pdiff:{layer.name}:{j}": blob.diff for j, blob in learnt}
    with replacing(path) as temporary, open(temporary, "wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]


def _alone(net: Net, i: int, inputs: Arrays) -> NetParameter:
    """A net of an Input layer and layer i. A layer without bottoms is left out: its tops are those of the Input."""
    result = NetParameter(name=f"{net.name}: {net.param.layer[i].name} alone", force_backward=True)
    own = net.param.layer[i]
    source = result.layer.add(name=f"inputs of {own.name}" if own.bottom else own.name, type="Input")
    for name, array in inputs.items():
        source.top.append(name)
        source.input_param.shape.add(dim=array.shape)
    if own.bottom:
        result.layer.add().CopyFrom(_bare(own))
    return result


def _bare(own: LayerParameter) -> LayerParameter:
    """The layer without the fillers of its params and without the rules that include it."""
    result = LayerParameter()
    result.CopyFrom(own)
    for name in ("include", "exclude", "phase", "blobs"):
        result.ClearField(name)
    for _, message in result.ListFields():
        if isinstance(message, Message):
            for part, value in message.ListFields():
                if isinstance(value, Message) and value.DESCRIPTOR.name == "FillerParameter":
                    message.ClearField(part.name)
    return result


@dataclass
class Replayed:
    """A layer that was run again.

    finding: what was found, as `NotFinite.as_dict` returns it. value: the value at its index now. same: whether the
    values of that array that are not finite are the same as then. most: the largest difference of its finite values.
    """

    finding: dict[str, Any]
    value: float
    same: bool
    most: float


def run(path: str | os.PathLike[str], python_layers: bool = False) -> Replayed:
    """Run the layer that `write` kept again, with its settings and on its engine.

    python_layers: whether the module that the file names for a Python layer may be imported, which runs it.
    Warns where this machine does not have the engine. Raises DataError where `write` did not write the file, or where
    settings in it cannot be read back, and what Net raises.
    """
    arrays = _read(path)
    with damaged(path):
        finding = parse_json(str(arrays["not_finite"]))
        net = _net(arrays, python_layers)
    with np.errstate(all="ignore"):
        _run(net, arrays, finding, path)
    with damaged(path):
        key, now = _kept_and_now(net, finding)
        kept = arrays[key]
        same, most = _same_holes(now, kept), _most(now, kept)
        return Replayed(finding, float(now[tuple(finding["index"])]), same, most)


@contextmanager
def damaged(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say of what does not fit together in the file that it is damaged; let errors name the file."""
    try:
        yield
    except CaffeCompatError as error:
        raise error.at(os.fspath(path)) from None
    except (LookupError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise DataError(
            f"the file is damaged ({type(error).__name__}: {error}); let --check-finite write it again",
            os.fspath(path),
        ) from error


def _run(net: Net, arrays: Arrays, finding: dict[str, Any], path: str | os.PathLike[str]) -> None:
    last = len(net.layers) - 1
    net.forward_from_to(0, last)
    seeds = {key[5:]: array for key, array in arrays.items() if key.startswith("seed:")}
    with damaged(path):
        for name, array in seeds.items():
            net.blobs[name].diff[...] = array
        runs_backward = seeds and last and finding["what"] != "gradient at top"
    if runs_backward:
        net.backward_from_to(last, last)


def _read(path: str | os.PathLike[str]) -> Arrays:
    arrays = read_npz(path)
    if not {"prototxt", "phase", "engine", "not_finite"} <= set(arrays):
        raise DataError(
            "this is no file that --check-finite wrote; compare a recording with caffe-compat diff",
            file=os.fspath(path),
        )
    return arrays


def _net(arrays: Arrays, python_layers: bool) -> Net:
    """The layer behind its inputs, with all that was kept put into it."""
    param, source = parse_net(str(arrays["prototxt"]))
    net = Net.from_param(
        with_state(param, TEST if str(arrays["phase"]) == "TEST" else TRAIN),
        source,
        layer_settings=_layer_settings(param.layer[-1], arrays, python_layers),
        engine=_engine(arrays),
        python_layers=python_layers,
    )
    for key, array in arrays.items():
        kind, _, name = key.partition(":")
        if kind == "in":
            net.blobs[name].data[...] = array
        elif kind == "param":
            net.layers[-1].blobs[int(name.rpartition(":")[2])].data[...] = array
    if "rng" in arrays:
        caffe_rng().set_state((arrays["rng"][:-1], int(arrays["rng"][-1])))
        set_numpy_state(arrays["numpy_rng"][:-1], int(arrays["numpy_rng"][-1]))
    return net


def _as_yaml(settings: dict[str, Any]) -> str:
    """Settings as `_layer_settings` reads them; what YAML does not know becomes a comment, for its error."""
    try:
        return yaml.dump(settings, Dumper=safe_yaml.Dumper)
    except yaml.YAMLError:
        return f"# {settings!r}"


def _layer_settings(param: LayerParameter, arrays: Arrays, python_layers: bool) -> LayerSettings:
    """What the file keeps of layer_settings, for the class of its layer."""
    if (
        "layer_settings" not in arrays or not param.bottom
    ):  # an Input in place of a data layer computes nothing
        return {}
    text = str(arrays["layer_settings"])
    try:
        values = yaml.load(text, safe_yaml.Loader)
    except yaml.YAMLError:
        values = None
    if not isinstance(values, dict):
        raise DataError(
            f"the settings of layer '{param.name}', {text}, cannot be read back; only numbers, text, tuples, lists and "
            "dicts can be kept"
        )
    return {_class(param, python_layers): values}


def _class(param: LayerParameter, python_layers: bool) -> type[Layer]:
    if param.type != "Python":
        return layer_class(param.type)
    from caffe_compat.layers import python  # it and what it understands take long to import

    return (python.python_layer_class if python_layers else python.built_in_class)(param)


def _engine(arrays: Arrays) -> EngineChoice:
    """The engine that ran the layer; where this machine does not have it, the default one, with a warning."""
    name, device, precision = map(str, arrays["engine"])
    try:
        return EngineChoice(name, device, precision)
    except CaffeCompatError as error:
        warnings.warn(
            f"the layer was run by the engine {name} on {device}, which is not to be had here ({error.message}); "
            f"the engine {choose().name} runs it",
            stacklevel=2,
        )
        return choose()


def _kept_and_now(net: Net, finding: dict[str, Any]) -> tuple[str, np.ndarray]:
    """The key of the array with the value that is not finite, and that array as it is now."""
    what, name, layer = finding["what"], finding["name"], finding["layer"]
    if what in ("param", "update"):
        return f"param:{layer}:{name}", net.layers[-1].blobs[int(name)].data
    if what == "gradient of param":
        return f"pdiff:{layer}:{name}", net.layers[-1].blobs[int(name)].diff
    blob = net.blobs[name]
    if what == "top":
        return f"data:{name}", blob.data
    return f"{'seed' if what == 'gradient at top' else 'diff'}:{name}", blob.diff


def _same_holes(now: np.ndarray, kept: np.ndarray) -> bool:
    holes = [np.where(np.isfinite(array), 0, array) for array in (now, kept)]
    return np.array_equal(holes[0], holes[1], equal_nan=True)


def _most(now: np.ndarray, kept: np.ndarray) -> float:
    finite = np.isfinite(now) & np.isfinite(kept)
    return float(np.abs(now[finite] - kept[finite]).max(initial=0))
