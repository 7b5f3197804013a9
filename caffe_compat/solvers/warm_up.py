"""Learning rates that begin low, as in Intel's Caffe and in NVIDIA's.

Source: SGDSolver::GetLearningRate of both.
"""

from __future__ import annotations

from caffe_compat.prototxt.caffe_pb2 import SolverParameter


def warm_up_rate(param: SolverParameter, iteration: int) -> float | None:
    """The learning rate of an iteration in the warm-up; None after it, when lr_policy says it.

    Intel's: from warmup_start_lr to base_lr in warmup_iter equal steps. NVIDIA's: from rampup_lr to base_lr in
    rampup_interval steps that grow, as a parabola does.
    """
    if iteration < param.warmup_iter:
        done = max(iteration, 0) / param.warmup_iter
        return param.warmup_start_lr + (param.base_lr - param.warmup_start_lr) * done
    if iteration < param.rampup_interval:
        return param.rampup_lr + (param.base_lr - param.rampup_lr) * (iteration / param.rampup_interval) ** 2
    return None
