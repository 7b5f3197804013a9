"""Compiled functions that are called by their address: each is compiled when it is first needed, and by itself.

A function that calls another one by name is compiled with all that this one has inside.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cached_property
from types import FunctionType
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
        self._compiled: Any = None

    @cached_property
    def address(self) -> int:
        if not self.load():
            self.compile()
        return int(self._compiled.library.get_pointer_to_function(self._compiled.fndesc.llvm_func_name))

    @cached_property
    def _kept(self) -> FunctionCache:
        return FunctionCache(self.py_func)

    @global_compiler_lock
    def load(self) -> bool:
        """Whether it is compiled, if only on the disk."""
        if self._compiled is None:
            self._compiled = self._kept.load_overload(self._signature, cpu_target.target_context)
        return self._compiled is not None

    def compiling(self) -> AbstractContextManager[None]:
        """Say that it is compiled within the block, as numba says it of its other functions (see compiling.py)."""
        said: AbstractContextManager[None] = event.trigger_event("numba:compile", data={"dispatcher": self})
        return said

    @global_compiler_lock
    @paused()
    def compile(self) -> None:
        """Compile it, and keep that on the disk."""
        named = self._by_a_name_of_its_own()
        compiler = _Compiler(named, cpu_target, {"error_model": "numpy"}, {}, Compiler)
        with self.compiling():
            self._compiled = compiler.compile(self._signature.args, self._signature.return_type)
        self._kept.save_overload(self._signature, self._compiled)

    def _by_a_name_of_its_own(self) -> FunctionType:
        """The function, named after its code and what it holds of the function that made it. numba numbers names
        within a process: two that one function has made, compiled in two processes, would be taken for one."""
        function: Any = self.py_func
        named = FunctionType(
            function.__code__, function.__globals__, function.__name__, None, function.__closure__
        )
        *_, digests = self._kept._index_key(self._signature, cpu_target.target_context.codegen())
        named.__qualname__ = "_".join((function.__qualname__, *(digest[:16] for digest in digests)))
        named.__module__ = function.__module__
        return named


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
