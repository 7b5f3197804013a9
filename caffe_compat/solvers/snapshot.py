"""Snapshots of a solver: the weights, Caffe's state, and what else an exact resume needs.

They are PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate (both with .h5 in HDF5) as Caffe writes them,
PREFIX_iter_N.extra.npz (see sidecar.py), and the solver's side_files, PREFIX_iter_N.ENDING. Each file appears only when
it is complete, and the state last: if there is a state, the others are there.
Source: Caffe's Solver::Snapshot and Solver::Restore.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable
from typing import Protocol

import numpy as np

from caffe_compat import weights
from caffe_compat.engine import ENGINES
from caffe_compat.errors import SolverError
from caffe_compat.files import write_text
from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.solvers import sidecar, state
from caffe_compat.solvers.history import History
from caffe_compat.solvers.lr_policy import LearningRate
from caffe_compat.solvers.smoothed_loss import SmoothedLoss
from caffe_compat.weights import fits

logger = logging.getLogger("caffe_compat.solver")

WeightExport = Callable[[list[np.ndarray]], list[np.ndarray]]


class HasState(Protocol):
    """An object whose state a snapshot can keep. Names have no slash."""

    def get_state(self) -> dict[str, np.ndarray]: ...
    def set_state(self, state: dict[str, np.ndarray]) -> None: ...


class Trains(Protocol):
    """What a snapshot asks of a solver; see Solver."""

    type: str
    histories: int
    param: SolverParameter
    net: Net
    test_nets: list[Net]
    iter: int
    learning_rate: LearningRate
    history: History
    smoothed: SmoothedLoss
    weight_exports: dict[str, WeightExport]
    side_files: dict[str, str]
    extra_state: dict[str, HasState]

    def snapshot_prefix(self) -> str: ...


# ---- writing --------------------------------------------------------------------------------------------------


def write(solver: Trains) -> str:
    """Write a snapshot; returns the path of the state."""
    hdf5 = solver.param.snapshot_format == SolverParameter.HDF5
    ending, kind = (".h5", "HDF5") if hdf5 else ("", "binary proto")
    prefix = f"{solver.snapshot_prefix()}_iter_{solver.iter}"
    model, extra, path = (
        f"{prefix}.caffemodel{ending}",
        f"{prefix}.extra.npz",
        f"{prefix}.solverstate{ending}",
    )
    stored = {
        name: export([blob.data for blob in solver.net.params[name]])
        for name, export in solver.weight_exports.items()
    }
    texts = {f"{prefix}.{end}": text for end, text in solver.side_files.items()}
    for name in (model, extra, path, *texts):
        _remove_leftovers(name)
    logger.info("Snapshotting to %s file %s", kind, model)
    (weights.write_hdf5 if hdf5 else weights.write_binary)(
        solver.net, model, solver.param.snapshot_diff, stored
    )
    sidecar.write(_extra(solver), extra)
    for name, text in texts.items():
        write_text(name, text)
    logger.info("Snapshotting solver state to %s file %s", kind, path)
    rate = solver.learning_rate
    plateau = (rate.minimum_loss, rate.last_event) if solver.param.lr_policy == "plateau" else None
    (state.write_hdf5 if hdf5 else state.write_binary)(
        state.State(solver.iter, model, rate.current_step, solver.history.get(), plateau), path
    )
    return path


def _remove_leftovers(path: str) -> None:
    """Remove what is left of this file if a process was killed while it wrote it (see files.replacing)."""
    folder, name = os.path.split(os.path.abspath(path))
    for found in os.listdir(folder):
        if re.fullmatch(rf"\.{re.escape(name)}\.\w+", found):
            os.unlink(os.path.join(folder, found))


def _extra(solver: Trains) -> dict[str, object]:
    arrays: dict[str, object] = {
        "type": solver.type,
        "iter": solver.iter,
        "checksum": _checksum(solver),
        "window": np.array(solver.smoothed.window),
        "smoothed_loss": solver.smoothed.mean,
    }
    for net_name, net in _nets(solver).items():
        for layer in net.layers:
            for key, value in layer.get_state().items():
                arrays[f"layer/{net_name}/{layer.name}/{key}"] = value
    engine = solver.net.engine
    for key, value in engine.get_state().items():
        arrays[f"extra/{engine.name}/{key}"] = value
    for name, thing in solver.extra_state.items():
        for key, value in thing.get_state().items():
            arrays[f"extra/{name}/{key}"] = value
    for name in solver.weight_exports:
        for j, blob in enumerate(solver.net.params[name]):
            arrays[f"param/{name}/{j}"] = blob.data
    return arrays


def _nets(solver: Trains) -> dict[str, Net]:
    return {"train": solver.net, **{f"test{i}": net for i, net in enumerate(solver.test_nets)}}


def _checksum(solver: Trains) -> int:
    return sidecar.checksum(
        [*(solver.net.param_blob(param).data for param in solver.net.learnable), *solver.history.get()]
    )


# ---- restoring ------------------------------------------------------------------------------------------------


def restore(solver: Trains, path: str) -> None:
    """Let the solver go on from a state that Caffe or `write` wrote. Raises SolverError or WeightsError."""
    found = state.read(path)
    history = _fitting_history(solver, list(found.history), path)
    extra_path = re.sub(r"\.solverstate(\.h5)?$", "", path) + ".extra.npz"
    extra = sidecar.read(extra_path) if os.path.exists(extra_path) else None
    if extra is not None and str(extra.get("type")) != solver.type:
        raise SolverError(
            f"this is the state of a solver of type {extra.get('type')}, the solver is of type {solver.type}; "
            "use the state of its own type, or start anew from the weights",
            file=path,
        )
    if found.learned_net:
        _load_weights(solver, found.learned_net, path)
    solver.iter = found.iter
    solver.learning_rate.current_step = found.current_step
    if found.plateau:
        solver.learning_rate.minimum_loss, solver.learning_rate.last_event = found.plateau
    solver.history.set(history)
    solver.smoothed.set()
    if extra is None:
        logger.warning(
            "There is no %s, as in snapshots of Caffe itself: the random numbers, the place in the data and the "
            "average of the loss start anew",
            extra_path,
        )
    else:
        try:
            _restore_extra(solver, extra, extra_path)
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise sidecar.broken(error, extra_path) from error


def _check_state(now: sidecar.Arrays, values: sidecar.Arrays) -> None:
    """Raise ValueError where the state of a layer holds other kinds of numbers than now; shapes may differ."""
    for name in values.keys() & now.keys():
        if np.asarray(now[name]).dtype.kind != values[name].dtype.kind:
            raise ValueError(f"'{name}' of a layer's state holds {values[name].dtype}")


def _fitting_history(solver: Trains, history: list[np.ndarray], path: str) -> list[np.ndarray]:
    blobs = [solver.net.param_blob(param) for param in solver.net.learnable] * solver.histories
    if len(history) != len(blobs):
        raise SolverError(
            f"the state has {len(history)} history blobs, a solver of type {solver.type} for this net has "
            f"{len(blobs)}; is it the state of another solver type, or of another net?",
            file=path,
        )
    for i, (array, blob) in enumerate(zip(history, blobs, strict=True)):
        if not fits(array.shape, blob.shape):
            raise SolverError(
                f"history {i} has the shape {array.shape}, the net's param has {blob.shape}; "
                "is it the state of another net?",
                file=path,
            )
    return [array.reshape(blob.shape) for array, blob in zip(history, blobs, strict=True)]


def _load_weights(solver: Trains, learned_net: str, path: str) -> None:
    model = os.path.join(os.path.dirname(path), os.path.basename(learned_net))
    if not os.path.isfile(model):
        raise SolverError(
            f"the state's weights '{learned_net}' are not beside it: there is no '{model}'; put the file there",
            file=path,
        )
    report = solver.net.copy_from(model)
    if report.filled or report.zero:
        raise SolverError(
            f"the weights have nothing for {', '.join(report.filled + report.zero)}; are they of another net?",
            file=model,
        )


def _restore_extra(solver: Trains, extra: sidecar.Arrays, path: str) -> None:
    for name, arrays in sidecar.under(extra, "param").items():
        for j, array in arrays.items():
            solver.net.params[name][int(j)].data[...] = array
    if int(extra["iter"]) != solver.iter or int(extra["checksum"]) != _checksum(solver):
        raise SolverError(
            "this file belongs to other weights or another state than those beside it; remove it to go on "
            "without it",
            file=path,
        )
    for net_name, net in _nets(solver).items():
        for name, values in sidecar.under(extra, f"layer/{net_name}").items():
            if name not in net.layer_dict:
                raise SolverError(
                    f"this file is of a net with a layer '{name}'; the {net_name} net has none", file=path
                )
            _check_state(net.layer_dict[name].get_state(), values)
            net.layer_dict[name].set_state(values)
    for name, values in sidecar.under(extra, "extra").items():
        if name == solver.net.engine.name:
            solver.net.engine.set_state(values)
            continue
        if name in ENGINES:
            logger.warning(
                "%s is of the %s engine: here dropout goes on with other random numbers", path, name
            )
            continue
        if name not in solver.extra_state:
            raise SolverError(
                f"this file has the state of '{name}'; put it into Solver.extra_state first", file=path
            )
        solver.extra_state[name].set_state(values)
    sidecar.restore_random(extra)
    solver.smoothed.set((float(loss) for loss in extra["window"]), float(extra["smoothed_loss"]))
