"""Compiled functions that are called by their address: each is compiled when it is first needed, and by itself.

A function that calls another one by name is compiled with all that this one has inside.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from numba import types
from numba.core import cgutils, event
from numba.core.caching import FunctionCache
from numba.core.ccallback import _CFuncCompiler  # type: ignore[attr-defined]
from numba.core.compiler import Compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.extending import intrinsic

from caffe_compat.layers.kernels.collecting import paused


class _Compiler(_CFuncCompiler):
    def _customize_flags(self, flags: Any) -> Any:
        flags = super()._customize_flags(flags)
        flags.no_cfunc_wrapper = True
        return flags


class Callee:
    """A function with a fixed signature (numba types) and an address, compiled when somebody asks for that.

    The address is that of the function as numba's own code calls it: one for C would copy the arguments once more.
    """

    def __init__(self, signature: Any, function: Callable[..., None]):
        self.py_func, self._signature = function, signature

    @cached_property
    def address(self) -> int:
        self._compiled = self._compile()
        return int(self._compiled.library.get_pointer_to_function(self._compiled.fndesc.llvm_func_name))

    @global_compiler_lock
    @paused()
    def _compile(self) -> Any:
        """What numba has compiled, or found on the disk."""
        kept = FunctionCache(self.py_func)
        found = kept.load_overload(self._signature, cpu_target.target_context)
        if found is None:
            compiler = _Compiler(self.py_func, cpu_target, {"error_model": "numpy"}, {}, Compiler)
            # said as numba says it of its other functions (see compiling.py)
            with event.trigger_event("numba:compile", data={"dispatcher": self}):
                found = compiler.compile(self._signature.args, self._signature.return_type)
            kept.save_overload(self._signature, found)
        return found


def caller(signature: Any) -> Any:
    """call(address, args) for compiled code, with a tuple: calls a Callee of this signature, which returns nothing."""

    def emit(typingctx, address, args):
        """Emit the call (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, emitted, values):
            kind = context.call_conv.get_function_type(signature.return_type, signature.args)
            function = builder.inttoptr(values[0], kind.as_pointer())
            arguments = cgutils.unpack_tuple(builder, values[1])
            context.call_conv.call_function(
                builder, function, signature.return_type, signature.args, arguments
            )
            return context.get_dummy_value()

        return types.void(types.int64, types.Tuple(signature.args)), codegen

    return intrinsic(emit)
