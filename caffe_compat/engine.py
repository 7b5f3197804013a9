"""Which engine runs a net: the choice, and the default of nets that name none.

The engines compute the same, but for the order of sums: "strict" runs each layer by itself, as Caffe does; "fast", the
default, runs some layers at once; "torch" runs them by PyTorch, on a device. They are in engines/, one object a net.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from caffe_compat.errors import CaffeCompatError

STRICT, FAST, TORCH = "strict", "fast", "torch"
ENGINES = (FAST, STRICT, TORCH)


class EngineClass(Protocol):
    """Makes engines of one kind; see engines/base.py."""

    def check(self, device: str, precision: str, compiled: bool) -> None: ...
    def __call__(self, net: Any, device: str, precision: str, compiled: bool) -> Any: ...


@dataclass(frozen=True)
class EngineChoice:
    """An engine by its name, the device that it computes on ("cpu", "cuda", "cuda:N"), the precision of products
    ("float32", "tf32", "bf16"), and whether torch.compile makes kernels for the net. Only the torch engine, which needs
    the extra `torch`, has others than the defaults.

    Raises CaffeCompatError for what there is not, here or on this machine.
    """

    name: str = FAST
    device: str = "cpu"
    precision: str = "float32"
    compiled: bool = False

    def __post_init__(self) -> None:
        if self.name not in ENGINES:
            raise CaffeCompatError(f"there is no engine '{self.name}'; choose from {', '.join(ENGINES)}")
        _classes[self.name]().check(self.device, self.precision, self.compiled)

    def create(self, net: Any) -> Any:
        """The engine, for a net that is built."""
        return _classes[self.name]()(net, self.device, self.precision, self.compiled)


_classes: dict[str, Callable[[], EngineClass]] = {}


def register(name: str, find: Callable[[], EngineClass]) -> None:
    """Let `find` give the class of this engine when it is asked for."""
    _classes[name] = find


_default: EngineChoice | None = None  # of nets that name no engine


def set_engine(name: str, device: str = "cpu", precision: str = "float32", compiled: bool = False) -> None:
    """Let nets that name no engine be run by this one from now on; see EngineChoice. Raises CaffeCompatError."""
    global _default
    _default = EngineChoice(name, device, precision, compiled)


def get_engine() -> str:
    """The engine of nets that name none."""
    return choose().name


def choose(
    name: str | None = None, device: str = "cpu", precision: str = "float32", compiled: bool = False
) -> EngineChoice:
    """The engine of this name; without one, what `set_engine` said last."""
    if name is None and (device, precision, compiled) == ("cpu", "float32", False):
        return _default or EngineChoice()
    return EngineChoice(name or get_engine(), device, precision, compiled)
