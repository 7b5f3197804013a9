"""Compiled functions that are called by their address: each is compiled when it is first needed, and by itself.

A function that calls another one by name is compiled with all that this one has inside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils, event
from numba.core.ccallback import CFunc
from numba.extending import intrinsic


class Callee:
    """A function with a fixed signature (numba types) and an address, compiled when somebody asks for that."""

    def __init__(self, signature: Any, function: Callable[..., None]):
        self._signature, self._function = signature, function

    @cached_property
    def address(self) -> int:
        return int(self._compiled.address)

    @cached_property
    def _compiled(self) -> Any:
        signature = self._signature
        result = _Noticed(
            self._function,
            (signature.args, signature.return_type),
            locals={},
            options={"error_model": "numpy"},
        )
        result.enable_caching()
        result.compile()
        return result


class _Noticed(CFunc):
    """Says when it is compiled, as numba's other functions do (see compiling.py)."""

    def _compile_uncached(self) -> Any:
        self.py_func = self._pyfunc  # type: ignore[attr-defined]
        with event.trigger_event("numba:compile", data={"dispatcher": self}):
            return super()._compile_uncached()  # type: ignore[misc]


def caller(signature: Any) -> Any:
    """call(address, args) for compiled code, with a tuple: calls a Callee of this signature, which returns nothing."""

    def emit(typingctx, address, args):
        """Emit the call (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, emitted, values):
            kinds = [context.get_value_type(kind) for kind in signature.args]
            function = builder.inttoptr(values[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
            builder.call(function, cgutils.unpack_tuple(builder, values[1]))
            return context.get_dummy_value()

        return types.void(types.int64, types.Tuple(signature.args)), codegen

    return intrinsic(emit)
