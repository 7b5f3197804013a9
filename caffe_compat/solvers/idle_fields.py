"""Fields of a solver that change nothing, because of another one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from caffe_compat.prototxt.caffe_pb2 import SolverParameter

_Condition = Callable[[SolverParameter], bool]

_POLICIES = {
    "gamma": ("step", "exp", "inv", "multistep", "plateau", "sigmoid"),
    "power": ("inv", "poly"),
    "stepsize": ("step", "sigmoid"),
    "stepvalue": ("multistep",),
    "plateau_winsize": ("plateau",),
    "dst_lr": ("linear",),
    "dst_iter": ("linear",),
    "stagelr": ("multifixed",),
    "stageiter": ("multifixed",),
}
# field: when it counts, and what is so where it does not
_OTHERS: dict[str, tuple[_Condition, str]] = {
    "test_interval": (lambda p: len(p.test_iter) > 0, "there is no test_iter, so nothing is tested"),
    "test_compute_loss": (lambda p: len(p.test_iter) > 0, "there is no test_iter, so nothing is tested"),
    "eval_type": (lambda p: len(p.test_iter) > 0, "there is no test_iter, so nothing is tested"),
    "ap_version": (lambda p: p.eval_type == "detection", "eval_type is not 'detection'"),
    "show_per_class_result": (lambda p: p.eval_type == "detection", "eval_type is not 'detection'"),
    "debug_info": (lambda p: p.display > 0, "it speaks where the log does, and there is no display"),
    "regularization_type": (lambda p: p.weight_decay != 0, "there is no weight_decay"),
    "snapshot_prefix": (lambda p: p.snapshot > 0 or p.snapshot_after_train, "no snapshot is taken"),
    "warmup_start_lr": (lambda p: p.warmup_iter > 0, "there is no warmup_iter"),
    "rampup_lr": (lambda p: p.rampup_interval > 0, "there is no rampup_interval"),
    "max_momentum": (lambda p: p.momentum_policy != "fixed", "momentum_policy is 'fixed'"),
    "momentum_power": (lambda p: p.momentum_policy == "poly", "momentum_policy is not 'poly'"),
    "max_weight_decay": (lambda p: p.weight_decay_policy == "poly", "weight_decay_policy is not 'poly'"),
    "weight_decay_power": (lambda p: p.weight_decay_policy == "poly", "weight_decay_policy is not 'poly'"),
    "larc_policy": (lambda p: p.larc, "larc is false"),
    "larc_eta": (lambda p: p.larc, "larc is false"),
    "local_gw_ratio": (lambda p: p.local_lr_auto, "local_lr_auto is false"),
}


def idle_fields(param: SolverParameter, type: str, of_others: Iterable[str]) -> list[str]:
    """Why fields that a solver of this type has change nothing, each reason once, in words.

    of_others: the fields that only solvers of other types read.
    """
    fields: dict[str, list[str]] = {}
    for name, reason in _idle(param, type, of_others):
        if _is_given(param, name):
            fields.setdefault(reason, []).append(name)
    told = [
        f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'} no effect: {reason}"
        for reason, names in fields.items()
    ]
    return told + list(_steps(param))


def _idle(param: SolverParameter, type: str, of_others: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name, policies in _POLICIES.items():
        if param.lr_policy not in policies:
            yield name, f"lr_policy is '{param.lr_policy}'"
    for name in of_others:
        yield name, f"the solver's type is {type}"
    for name, (counts, reason) in _OTHERS.items():
        if not counts(param):
            yield name, reason


def _is_given(param: SolverParameter, name: str) -> bool:
    """Whether a field is there with another value than its default, which changes nothing anyway."""
    field, value = param.DESCRIPTOR.fields_by_name[name], getattr(param, name)
    return len(value) > 0 if field.is_repeated else value != field.default_value


def _steps(param: SolverParameter) -> Iterator[str]:
    if param.lr_policy != "multistep":
        return
    steps = list(param.stepvalue)
    if not steps:
        yield "the learning rate stays as it is: lr_policy is 'multistep', and there is no stepvalue"
    elif steps != sorted(steps):
        yield f"stepvalue is {steps}, in this order; a step before one that is smaller waits, and both come at once"
