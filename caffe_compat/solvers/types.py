"""The solver types: what each remembers for a param, and how it moves the param.

Source: Caffe's SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver and AdamSolver.
"""

from __future__ import annotations

import difflib
import math
from os import PathLike, fspath

import numpy as np

from caffe_compat.engine import EngineChoice, choose
from caffe_compat.layers.common.settings import LayerSettings
from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.prototxt.reader import read_solver
from caffe_compat.prototxt.source import Source
from caffe_compat.solvers.errors import solver_error
from caffe_compat.solvers.solver import Solver, Terms


class SGDSolver(Solver):
    """Stochastic gradient descent with momentum."""

    type = "SGD"
    reads = ("momentum_policy",)
    update_is_history = True

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        self.updates.sgd(terms, np.float32(rate), np.float32(self.momentum), history[0], diff, data)


class NesterovSolver(Solver):
    """Nesterov's accelerated gradient (Sutskever et al., ICML 2013)."""

    type = "Nesterov"

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        self.updates.nesterov(
            terms, np.float32(rate), np.float32(self.param.momentum), history[0], diff, data
        )


class AdaGradSolver(Solver):
    """Adaptive gradient (Duchi et al., JMLR 2011). Takes no momentum."""

    type = "AdaGrad"
    reads = ("delta",)

    def check(self) -> None:
        _no_momentum(self)

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        self.updates.adagrad(terms, np.float32(rate), np.float32(self.param.delta), history[0], diff, data)


class RMSPropSolver(Solver):
    """RMSProp (Tieleman and Hinton, 2012). Takes no momentum; rms_decay lies in [0, 1)."""

    type = "RMSProp"
    reads = ("rms_decay", "delta")

    def check(self) -> None:
        _no_momentum(self)
        if not 0 <= self.param.rms_decay < 1:
            raise self.error(
                f"rms_decay is {self.param.rms_decay:g}; it must be at least 0 and below 1", "rms_decay"
            )

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        decay, delta = np.float32(self.param.rms_decay), np.float32(self.param.delta)
        self.updates.rmsprop(terms, np.float32(rate), decay, delta, history[0], diff, data)


class AdaDeltaSolver(Solver):
    """AdaDelta (Zeiler, 2012); momentum is the decay of its averages."""

    type = "AdaDelta"
    reads = ("delta",)
    histories = 2

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        momentum, delta = np.float32(self.param.momentum), np.float32(self.param.delta)
        self.updates.adadelta(terms, np.float32(rate), momentum, delta, history[0], history[1], diff, data)


class AdamSolver(Solver):
    """Adam (Kingma and Ba, ICLR 2015). momentum and momentum2 are beta1 and beta2, delta is epsilon-hat."""

    type = "Adam"
    reads = ("momentum2", "delta")
    histories = 2

    def check(self) -> None:
        for name in ("momentum", "momentum2"):
            if not 0 <= getattr(self.param, name) < 1:
                value = getattr(self.param, name)
                raise self.error(f"{name} is {value:g}; for Adam it must be at least 0 and below 1", name)

    def update(
        self, terms: Terms, rate: float, history: list[np.ndarray], diff: np.ndarray, data: np.ndarray
    ) -> None:
        beta1, beta2 = self.param.momentum, self.param.momentum2
        steps = self.iter + 1
        correction = np.float32(math.sqrt(1 - beta2**steps) / (1 - beta1**steps))
        rate32 = np.float32(rate) * correction
        delta = np.float32(self.param.delta)
        mean, square = history
        self.updates.adam(
            terms, rate32, np.float32(beta1), np.float32(beta2), delta, mean, square, diff, data
        )


def _no_momentum(solver: Solver) -> None:
    if solver.param.momentum:
        raise solver.error(
            f"momentum is {solver.param.momentum:g}, which {solver.type} cannot use; remove it", "momentum"
        )


SOLVERS: dict[str, type[Solver]] = {
    solver.type: solver
    for solver in (SGDSolver, NesterovSolver, AdaGradSolver, RMSPropSolver, AdaDeltaSolver, AdamSolver)
}


def get_solver(
    solver_file: str | PathLike[str],
    propagate_down: str | None = None,
    layer_settings: LayerSettings | None = None,
    engine: str | None = None,
    device: str = "cpu",
    precision: str = "float32",
    compiled: bool = False,
    dialect: str | None = None,
    python_layers: bool = True,
) -> Solver:
    """The solver of a prototxt, of the type that it states. For the other arguments see Net.

    Source: pycaffe's get_solver.
    """
    choice = choose(engine, device, precision, compiled)
    param, source = read_solver(fspath(solver_file))
    return create_solver(param, source, propagate_down, layer_settings, choice, dialect, python_layers)


def create_solver(
    param: SolverParameter,
    source: Source | None = None,
    propagate_down: str | None = None,
    layer_settings: LayerSettings | None = None,
    engine: EngineChoice | None = None,
    dialect: str | None = None,
    python_layers: bool = True,
) -> Solver:
    """The solver of a message in today's form, of the type that it states. Raises SolverError for an unknown type."""
    if param.type not in SOLVERS:
        known = {name.lower(): name for name in SOLVERS}
        near = difflib.get_close_matches(param.type.lower(), known, n=1)
        hint = f"did you mean '{known[near[0]]}'?" if near else f"known are {', '.join(SOLVERS)}"
        raise solver_error(f"unknown solver type '{param.type}'; {hint}", source, "type")
    return SOLVERS[param.type].from_param(
        param, source, propagate_down, layer_settings, engine, dialect, python_layers
    )
