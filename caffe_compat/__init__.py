"""Runs Caffe nets on the CPU, forward and backward, with the numbers of the original Caffe.

`import caffe_compat as caffe` gives what `import caffe` gives, as far as it goes: Net, Layer, TRAIN and TEST,
set_random_seed, set_mode_cpu, layer_type_list.
"""

from caffe_compat.alias import install_as_caffe
from caffe_compat.errors import (
    CaffeCompatError,
    DataError,
    GraphError,
    LayerError,
    PrototxtError,
    SolverError,
    WeightsError,
)
from caffe_compat.layers.base import TEST, TRAIN, Layer
from caffe_compat.layers.registry import layer_type_list
from caffe_compat.net import Net
from caffe_compat.rng import set_random_seed
from caffe_compat.solvers import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    get_solver,
)
from caffe_compat.threads import set_num_threads
from caffe_compat.version import __version__


def set_mode_cpu() -> None:
    """Compute on the CPU. There is no other mode; for scripts written for pycaffe."""


__all__ = [
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "CaffeCompatError",
    "DataError",
    "GraphError",
    "Layer",
    "LayerError",
    "NesterovSolver",
    "Net",
    "PrototxtError",
    "RMSPropSolver",
    "SGDSolver",
    "SolverError",
    "WeightsError",
    "__version__",
    "get_solver",
    "install_as_caffe",
    "layer_type_list",
    "set_mode_cpu",
    "set_num_threads",
    "set_random_seed",
]
