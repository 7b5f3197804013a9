"""The device that nets compute on, and the precision of their products."""

from __future__ import annotations

import ctypes
import os
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache

import torch

from caffe_compat.errors import CaffeCompatError

PRECISIONS = ("float32", "tf32", "bf16")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h


@dataclass(frozen=True)
class DeviceConfig:
    """The device that a net computes on, and its precision.

    precision: that of the products of convolutions and fully connected layers; "tf32" and "bf16" round their factors to
    10 and 7 bits of mantissa and sum in float32.
    """

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    precision: str = "float32"


def device_config(device: str, precision: str) -> DeviceConfig:
    """The DeviceConfig of these names. Raises CaffeCompatError for what this machine does not have."""
    if precision not in PRECISIONS:
        raise CaffeCompatError(f"there is no precision '{precision}'; choose from {', '.join(PRECISIONS)}")
    try:
        found = torch.device(device)
    except RuntimeError:
        found = torch.device("meta")
    if found.type not in ("cpu", "cuda"):
        raise CaffeCompatError(f"there is no device '{device}'; choose cpu, cuda or cuda:N")
    if found.type == "cuda":
        if found.index is None and "LOCAL_RANK" in os.environ:  # one of several workers
            found = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        _check_cuda(device, found)
    elif precision == "tf32":
        raise CaffeCompatError("tf32 is what NVIDIA's GPUs have; give a device cuda, or precision bf16")
    return DeviceConfig(found, precision)


def is_host(device: torch.device) -> bool:
    """Whether the project's own kernels can work on tensors there."""
    return device.type == "cpu"


@cache
def keep_freed_memory() -> None:
    """Let malloc keep freed blocks: getting new ones from the system costs more time than work on large tensors."""
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter in (M_MMAP_THRESHOLD, M_TRIM_THRESHOLD):
            mallopt(parameter, 2**30)


def return_freed_memory() -> None:
    """Let malloc return what is free to the system, where it can; blocks of another size may not fit in there."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _check_cuda(device: str, found: torch.device) -> None:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if count == 0:
        raise CaffeCompatError(
            f"device {device}: torch finds no GPU here (torch {torch.__version__}); give device cpu"
        )
    if found.index is not None and found.index >= count:
        raise CaffeCompatError(f"device {device}: there are {count} GPU(s), cuda:0 to cuda:{count - 1}")
