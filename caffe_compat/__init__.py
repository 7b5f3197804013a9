"""Runs Caffe nets on the CPU, forward and backward, with the numbers of the original Caffe.

`import caffe_compat as caffe` gives what pycaffe's `import caffe` gives; docs/pycaffe.md has the names.
"""

import sys

from caffe_compat.threads import set_num_threads  # first, before numba is imported

# isort: split
from caffe_compat import layers
from caffe_compat.alias import install_as_caffe
from caffe_compat.debug.check_finite import check_finite
from caffe_compat.engine import get_engine, set_engine
from caffe_compat.engines import to_torch
from caffe_compat.errors import (
    CaffeCompatError,
    DataError,
    GraphError,
    LayerError,
    NotFiniteError,
    PrototxtError,
    SolverError,
    WeightsError,
)
from caffe_compat.layers.base import TEST, TRAIN, Layer
from caffe_compat.layers.registry import layer_type_list
from caffe_compat.net import Net
from caffe_compat.prototxt import net_spec
from caffe_compat.prototxt.net_spec import NetSpec, params, to_proto
from caffe_compat.pycaffe import _caffe, classifier, coord_map, detector, draw, io, proto
from caffe_compat.pycaffe._caffe import (
    NCCL,
    Timer,
    has_nccl,
    init_log,
    log,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from caffe_compat.pycaffe.classifier import Classifier
from caffe_compat.pycaffe.detector import Detector
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
from caffe_compat.version import __version__

# pycaffe's modules answer to the names that they have there: caffe.io is caffe_compat.io
for _module in (_caffe, classifier, coord_map, detector, draw, io, net_spec, proto):
    sys.modules[f"{__name__}.{_module.__name__.rpartition('.')[2]}"] = _module

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "CaffeCompatError",
    "Classifier",
    "DataError",
    "Detector",
    "GraphError",
    "Layer",
    "LayerError",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "NotFiniteError",
    "PrototxtError",
    "RMSPropSolver",
    "SGDSolver",
    "SolverError",
    "Timer",
    "WeightsError",
    "__version__",
    "check_finite",
    "get_engine",
    "get_solver",
    "has_nccl",
    "init_log",
    "install_as_caffe",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "params",
    "proto",
    "set_device",
    "set_engine",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_num_threads",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
    "to_torch",
]
