"""Kernels that all threads share: each thread computes its part, in a function that is compiled by itself.

numba's own way, `prange` in a kernel, compiles all that the loop holds three to four times as long. Here there is one
such loop for all kernels, which calls a function at an address with the address of the arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from caffe_compat.layers.kernels.calls import caller
from caffe_compat.layers.kernels.disk_cache import needs_threads
from caffe_compat.layers.kernels.pieces import piece

_call = caller(types.void(types.int64, types.int64, types.int64))  # arguments, part, parts


@njit(cache=True, error_model="numpy", parallel=True)
def run_parts(function, arguments, parts):
    """The function at an address (see calls.py), with (arguments, part, parts) for each part, on all threads."""
    for part in prange(parts):
        _call(function, (arguments, part, parts))


def _emit(typingctx, function, arguments):
    """Emit the call of `run_parts` (numba hands over types here, and LLVM values to `codegen`)."""
    kinds, run = (*arguments.types, types.int64, types.int64), types.Dispatcher(run_parts)
    function.get_call_type(typingctx, kinds, {})
    signature_of_run = run.get_call_type(typingctx, (types.int64,) * 3, {})

    def codegen(context, builder, signature, values):
        module, word = builder.module, ir.IntType(64)
        held = cgutils.alloca_once_value(builder, values[1])
        compiled = function.dispatcher.overloads[kinds]
        context.add_linking_libs([compiled.library])
        kind = context.call_conv.get_function_type(types.none, (types.int64,) * 3)
        entry = ir.Function(module, kind, module.get_unique_name("part"))
        entry.linkage = "internal"
        arguments, *numbers = context.call_conv.get_arguments(entry)
        inside = ir.IRBuilder(entry.append_basic_block())
        passed = cgutils.unpack_tuple(inside, inside.load(inside.inttoptr(arguments, held.type)))
        lent = [_lent(context, inside, *one) for one in zip(kinds, passed, strict=False)]
        part = context.declare_function(module, compiled.fndesc)
        context.call_conv.call_function(inside, part, types.none, kinds, [*lent, *numbers])
        inside.ret(ir.Constant(kind.return_type, 0))
        threads = cgutils.get_or_insert_function(module, ir.FunctionType(word, []), "get_num_threads")
        addresses = [builder.ptrtoint(entry, word), builder.ptrtoint(held, word)]
        context.get_function(run, signature_of_run)(builder, [*addresses, builder.call(threads, [])])
        return context.get_dummy_value()

    return types.void(function, arguments), codegen


def _lent(context, builder, kind, value):
    """An array without an owner, so that nobody counts references to it: threads that count them for the views that
    they make of one array wait for each other, longer than many a loop takes. The caller holds the array itself."""
    if not isinstance(kind, types.Array):
        return value
    array = context.make_array(kind)(context, builder, value)
    array.meminfo = cgutils.get_null_value(array.meminfo.type)
    return array._getvalue()


# in_parts(function, arguments): function(*arguments, part, parts) on all threads
in_parts: Any = intrinsic(_emit)


def _kernel(*arguments):
    in_parts(function_of_a_part, arguments)  # type: ignore[name-defined]  # noqa: F821


def shared(**options: Any) -> Callable[[Callable[..., None]], Any]:
    """Decorates function(*arguments, part, parts): a kernel of the arguments alone, all of whose parts threads compute.

    options: of numba, for the function.
    """

    def decorate(function: Callable[..., None]) -> Any:
        part = piece(is_part=True, **options)(function)
        code, own = function.__code__, _kernel.__code__
        place = {name: getattr(code, name) for name in ("co_filename", "co_firstlineno", "co_name")}
        names = {"in_parts": in_parts, "function_of_a_part": part, "__name__": function.__module__}
        kernel = wraps(function)(FunctionType(own.replace(**place), names))  # numba's cache goes by its place
        del kernel.__wrapped__
        return njit(cache=True, error_model="numpy")(needs_threads(kernel))

    return decorate


@njit(error_model="numpy", inline="always")
def share_of(count, part, parts):
    """Of `count` things, one behind the other, the first one of a part, and of the next part."""
    return count * part // parts, count * (part + 1) // parts


@njit(error_model="numpy", inline="always")
def of_part(array, part, parts):
    """The rows of an array that a part has."""
    return array[len(array) * part // parts : len(array) * (part + 1) // parts]
