"""What a solver's params and net must be, whatever its type."""

from __future__ import annotations

import os

from caffe_compat.net import Net
from caffe_compat.prototxt.caffe_pb2 import LayerParameter, SolverParameter
from caffe_compat.solvers import schedules
from caffe_compat.solvers.detection_score import VERSIONS
from caffe_compat.weights import import_h5py

EVAL_TYPES = ("classification", "detection")
Fault = tuple[str, str]  # what is wrong, and the field of the solver's prototxt


def fault_of_params(param: SolverParameter, type: str) -> Fault | None:
    """What is wrong with the params of a solver of this type."""
    for name in ("average_loss", "iter_size"):
        if getattr(param, name) < 1:
            return f"{name} is {getattr(param, name)}; it must be at least 1", name
    if param.regularization_type not in ("L1", "L2"):
        told = f"unknown regularization_type '{param.regularization_type}'; known are L1 and L2"
        return told, "regularization_type"
    for name, known in (("eval_type", EVAL_TYPES), ("ap_version", VERSIONS)):
        if getattr(param, name) not in known:
            return f"unknown {name} '{getattr(param, name)}'; known are {', '.join(known)}", name
    return schedules.fault(param, type)


def fault_of_net(net: Net) -> Fault | None:
    """What is wrong with the net that is to learn."""
    for layer in net.layers:
        if layer.layer_param.connectivity_mode != LayerParameter.CONNECTED:
            return (
                f"layer '{layer.name}' has connectivity_mode, by which weights that are loaded as 0 stay 0; a "
                "solver here teaches all weights: remove it",
                "net",
            )
    return None


def fault_of_snapshots(param: SolverParameter, prefix: str) -> Fault | None:
    """Why snapshots cannot be written: before hours of training, not after them."""
    if param.snapshot_format == SolverParameter.HDF5:
        import_h5py()
    folder = os.path.dirname(os.path.abspath(prefix))
    if os.access(folder, os.W_OK):
        return None
    return (
        f"cannot write snapshots into '{folder}'; make this folder, or change snapshot_prefix",
        "snapshot_prefix",
    )
