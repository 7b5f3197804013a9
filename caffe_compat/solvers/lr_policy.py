"""The learning rate of each iteration.

Source: Caffe's SGDSolver::GetLearningRate; plateau is that of the SSD fork; multifixed: Intel's, and that of
MobileNet-YOLO; min_lr: NVIDIA's; linear: that of SplitNet (ZJULearning).
"""

from __future__ import annotations

import difflib
import logging
import math
from collections.abc import Callable

import numpy as np

from caffe_compat.prototxt.caffe_pb2 import SolverParameter
from caffe_compat.prototxt.source import Source
from caffe_compat.solvers.errors import solver_error
from caffe_compat.solvers.warm_up import warm_up_rate

logger = logging.getLogger("caffe_compat.solver")

# policy -> the factor of base_lr, from the SolverParameter, the iteration and the number of steps taken
_FACTORS: dict[str, Callable[[SolverParameter, int, int], float]] = {
    "fixed": lambda p, i, step: 1.0,
    "step": lambda p, i, step: _power(p.gamma, step),
    "exp": lambda p, i, step: _power(p.gamma, i),
    "inv": lambda p, i, step: _power(1 + p.gamma * i, -p.power),
    "multistep": lambda p, i, step: _power(p.gamma, step),
    "plateau": lambda p, i, step: _power(p.gamma, step),
    "poly": lambda p, i, step: _power(1 - i / p.max_iter, p.power) if i < p.max_iter else float(p.power == 0),
    "multifixed": lambda p, i, step: 1.0,  # of the stage's rate
    "linear": lambda p, i, step: max(0.0, 1 - i / end) if (end := p.dst_iter or p.max_iter) else 0.0,
    "sigmoid": lambda p, i, step: 1 / (1 + _exp(-p.gamma * (i - p.stepsize))),
}


def _power(base: float, exponent: float) -> float:
    """base, at least 0, to a power; as in C, where it does not raise."""
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf


def _exp(x: float) -> float:
    return math.exp(x) if x < 709 else math.inf  # as in C, where it does not raise


class LearningRate:
    """lr_policy with its numbers: base_lr, gamma, power, stepsize, stepvalue, plateau_winsize, max_iter, ... of a
    SolverParameter.

    A warm-up comes first, and nothing is below min_lr.

    current_step: the number of steps that the policies step, multistep and plateau have taken. Of plateau,
    minimum_loss: the lowest smoothed loss; last_event: the iteration of it, or of the last step. A .solverstate holds
    them.
    Raises SolverError for an unknown policy, or for numbers that do not fit it.
    """

    def __init__(self, param: SolverParameter, source: Source | None = None):
        self.param = param
        self.current_step = 0
        self.minimum_loss = float(np.finfo(np.float32).max)
        self.last_event = 0
        problem = self._problem()
        if problem:
            raise solver_error(problem, source, "lr_policy")
        self._factor = _FACTORS[param.lr_policy]

    def see(self, iteration: int, smoothed_loss: float) -> None:
        """Take note of an iteration's loss, before its rate is asked for: plateau takes a step where for
        plateau_winsize[current_step] iterations there was neither a lower one nor a step."""
        param = self.param
        if param.lr_policy != "plateau":
            return
        if smoothed_loss < self.minimum_loss:
            self.minimum_loss, self.last_event = smoothed_loss, iteration
        ahead = param.plateau_winsize[self.current_step :]
        if ahead and iteration >= self.last_event + ahead[0]:
            self.current_step += 1
            self.last_event = iteration
            logger.info("Plateau Status: Iteration %d, step = %d", iteration, self.current_step)
        if param.display and iteration % param.display == 0 and self.last_event > iteration - param.display:
            logger.info(
                "Plateau Status: Iteration %d, current minimum_loss = %g", iteration, self.minimum_loss
            )

    def at(self, iteration: int) -> float:
        """The learning rate of an iteration, rounded to float32. Ask once for each iteration, in order."""
        rate = warm_up_rate(self.param, iteration)
        if rate is None:
            rate = self._of_policy(iteration)
        return float(np.float32(max(rate, self.param.min_lr)))

    def _of_policy(self, iteration: int) -> float:
        param = self.param
        if param.lr_policy == "step":
            self.current_step = iteration // param.stepsize
        elif param.lr_policy == "multistep":
            ahead = param.stepvalue[self.current_step :]
            if ahead and iteration >= ahead[0]:
                self.current_step += 1
                logger.info("MultiStep Status: Iteration %d, step = %d", iteration, self.current_step)
        factor = self._factor(param, iteration, self.current_step)
        least = {"poly": param.min_lr, "linear": param.dst_lr}.get(param.lr_policy, 0.0)
        return (self._base(iteration) - least) * factor + least

    def _base(self, iteration: int) -> float:
        """What the policy's factor is of: base_lr, or the rate of the stage that ends here or later, or of the last."""
        param = self.param
        if param.lr_policy != "multifixed":
            return param.base_lr
        stages = zip(param.stagelr, param.stageiter, strict=True)
        return next((rate for rate, end in stages if iteration <= end), param.stagelr[-1])

    def _problem(self) -> str:
        param, policy = self.param, self.param.lr_policy
        if policy == "stepearly":
            return (
                "lr_policy 'stepearly' is in examples, and computed by no Caffe that is public; "
                "use 'step' or 'multistep'"
            )
        if param.monitor_test and not policy:
            return (
                "monitor_test, a learning rate that follows the test loss, is not done; "
                "give an lr_policy, such as 'multistep'"
            )
        if policy not in _FACTORS:
            near = difflib.get_close_matches(policy, _FACTORS, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(_FACTORS)}"
            found = f"unknown lr_policy '{policy}'" if policy else "there is no lr_policy"
            return f"{found}; {hint}"
        if policy in ("step", "sigmoid") and param.stepsize <= 0:
            return f"lr_policy '{policy}' needs a stepsize above 0, found {param.stepsize}"
        if policy in ("step", "exp", "inv", "multistep", "plateau") and param.gamma < 0:
            return f"lr_policy '{policy}' needs a gamma of at least 0, found {param.gamma:g}"
        if policy == "plateau" and not param.plateau_winsize:
            return (
                "lr_policy 'plateau' falls after so many iterations without a lower loss; add plateau_winsize"
            )
        if policy == "multifixed" and not len(param.stagelr) == len(param.stageiter) > 0:
            return (
                f"lr_policy 'multifixed' has {len(param.stagelr)} stagelr and {len(param.stageiter)} stageiter; "
                "give one of each a stage"
            )
        if policy == "poly" and param.max_iter <= 0:
            return "lr_policy 'poly' falls to 0 at max_iter; add max_iter"
        if policy == "linear" and not (param.dst_iter > 0 or param.max_iter > 0):
            return "lr_policy 'linear' reaches dst_lr at dst_iter, or at max_iter; add one of them"
        return ""
