"""Solvers: SGD, Nesterov, AdaGrad, RMSProp, AdaDelta and Adam, with Caffe's learning rates, logs and snapshots."""

from caffe_compat.solvers.solver import Iteration, Solver, Tested
from caffe_compat.solvers.types import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    create_solver,
    get_solver,
)

__all__ = [
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Iteration",
    "NesterovSolver",
    "RMSPropSolver",
    "SGDSolver",
    "Solver",
    "Tested",
    "create_solver",
    "get_solver",
]
