""".solverstate files, binary and HDF5: the iteration, the name of the weights file and the history.

Source: Caffe's SolverState, SGDSolver::SnapshotSolverState and RestoreSolverState.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from caffe_compat.errors import SolverError, WeightsError
from caffe_compat.files import replacing
from caffe_compat.layers.common.hdf5_files import opened
from caffe_compat.prototxt import wire
from caffe_compat.prototxt.caffe_pb2 import SolverState
from caffe_compat.weights import HDF5_MAGIC, import_h5py, shaped

_HISTORY = 3  # field number of caffe.proto


@dataclass
class State:
    """What Caffe remembers of a solver. learned_net: the name of the weights file. history: float32 arrays in the order
    of the learnable params; with two histories, the first arrays of all params, then all second ones. plateau: the
    lowest loss of this lr_policy, and the iteration of its last event."""

    iter: int
    learned_net: str
    current_step: int
    history: Iterable[np.ndarray]
    plateau: tuple[float, int] | None = None


def write_binary(state: State, path: str) -> None:
    """Write a .solverstate."""
    rest = SolverState(iter=state.iter, learned_net=state.learned_net, current_step=state.current_step)
    if state.plateau:
        rest.minimum_loss, rest.iter_last_event = state.plateau
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(rest.SerializeToString())
        for array in state.history:
            pieces = wire.blob_bytes(array)
            file.write(wire.length_delimited(_HISTORY, wire.size_of(pieces)))
            for piece in pieces:
                file.write(piece)


def write_hdf5(state: State, path: str) -> None:
    """Write a .solverstate.h5. Needs h5py."""
    h5py = import_h5py()
    name = state.learned_net.encode() + b"\0"  # Caffe reads it as a C string
    text = h5py.h5t.C_S1.copy()
    text.set_size(len(name))
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        file.create_dataset("iter", data=np.array([state.iter], np.int32))
        file.create_dataset("learned_net", data=np.array(name), dtype=h5py.Datatype(text))
        file.create_dataset("current_step", data=np.array([state.current_step], np.int32))
        if state.plateau:
            file.create_dataset("minimum_loss", data=np.array(state.plateau[:1], np.float32))
            file.create_dataset("iter_last_event", data=np.array(state.plateau[1:], np.int32))
        group = file.create_group("history")
        for i, array in enumerate(state.history):
            group.create_dataset(str(i), data=array)


def read(path: str) -> State:
    """Read a .solverstate or a .solverstate.h5, whichever it is. Raises SolverError."""
    try:
        data = wire.bytes_of(path)
    except OSError as error:
        raise SolverError(f"cannot read the solver's state: {error.strerror}", file=path) from error
    try:
        return _read_hdf5(path) if data[: len(HDF5_MAGIC)] == HDF5_MAGIC else _read_binary(data, path)
    except (wire.WireError, DecodeError, WeightsError, OSError, ValueError) as error:
        if isinstance(error, WeightsError) and "h5py" in error.message:
            raise
        raise SolverError(
            f"this is no .solverstate, or a truncated one ({getattr(error, 'message', error)}); take another snapshot",
            file=path,
        ) from error


def _read_binary(data: wire.Data, path: str) -> State:
    if not data:
        raise ValueError("the file is empty")
    rest, blobs = wire.take_blobs(data, "state")
    state = SolverState.FromString(rest)
    if not state.HasField("iter"):
        raise ValueError("it has no iter")
    if isinstance(state.learned_net, bytes):  # as protobuf may let pass
        raise ValueError("the name of its weights is no text")
    history = [
        shaped(blob, numbers, f"history {i}", path).array()
        for i, (blob, numbers) in enumerate(zip(state.history, blobs, strict=True))
    ]
    plateau = (state.minimum_loss, state.iter_last_event) if state.HasField("minimum_loss") else None
    return State(state.iter, state.learned_net, state.current_step, history, plateau)


def _read_hdf5(path: str) -> State:
    h5py = import_h5py()
    with opened(h5py, path) as file:
        group = file["history"]
        plateau = None
        if "minimum_loss" in file:
            plateau = float(_number(file, "minimum_loss")), int(_number(file, "iter_last_event"))
        return State(
            int(_number(file, "iter")),
            np.bytes_(file["learned_net"][()]).decode() if "learned_net" in file else "",
            int(_number(file, "current_step")),
            [np.asarray(group[str(i)], np.float32) for i in range(len(group))],
            plateau,
        )


def _number(file: Any, name: str) -> Any:
    return np.ravel(file[name][()])[0]
