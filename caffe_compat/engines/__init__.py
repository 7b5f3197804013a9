"""The engines that run nets: each net has one Engine object, strict, fast or torch."""

from __future__ import annotations

from typing import Any

from caffe_compat.engine import FAST, STRICT, TORCH, register
from caffe_compat.engines.group import Group, are_several
from caffe_compat.errors import CaffeCompatError
from caffe_compat.layers.common.optional_import import optional_import
from caffe_compat.net import Net


def _strict_engine() -> Any:
    from caffe_compat.engines.strict import (
        StrictEngine,
    )  # its kernels import numba, which takes a quarter of a second

    return StrictEngine


def _fast_engine() -> Any:
    from caffe_compat.engines.fast.engine import FastEngine

    return FastEngine


def _torch_engine() -> Any:
    optional_import(CaffeCompatError, "torch", "torch")
    from caffe_compat.engines.torch.engine import TorchEngine  # torch takes a second to import

    return TorchEngine


register(STRICT, _strict_engine)
register(FAST, _fast_engine)
register(TORCH, _torch_engine)


def to_torch(net: Net) -> Any:
    """A Net as a torch.nn.Module; see engines/torch/module.py. Needs the extra `torch`, else CaffeCompatError."""
    optional_import(CaffeCompatError, "torch", "torch")
    from caffe_compat.engines.torch.module import TorchNet

    return TorchNet(net)


def group_of_this_run() -> Group:
    """The processes that torchrun has started, which needs torch; without it, this one alone."""
    if not are_several():
        return Group()
    optional_import(CaffeCompatError, "torch", "torch")
    from caffe_compat.engines.torch.group import TorchGroup

    return TorchGroup()
