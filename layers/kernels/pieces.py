"""Functions that kernels call: they are compiled with the kernel that holds them, not once more by themselves.

numba would bring each into machine code before it goes, by its LLVM code, into the kernel that calls it, where all of
it is optimised and becomes machine code again: a function at the third level three times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class _Unfinished(JITCodeLibrary):
    """LLVM code that is linked into another library, as it is."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _Lowering(NativeLowering):
    """What NativeLowering does, without an entry for Python."""

    _name = "lowering_of_a_piece"

    def run_pass(self, state: Any) -> bool:
        codegen = state.targetctx.codegen()
        state.library = _Unfinished(codegen, state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        result = state["cr"]
        # callers find it by this, which is what numba takes: a built-in; to call it from Python is a TypeError
        key = f"{state.func_id.func_qualname} {id(state)}".index
        state["cr"] = result._replace(cfunc=key)
        state.targetctx.insert_user_function(key, result.fndesc, [state.library])
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LoweringOfAPart(_Lowering):
    """No array is taken to overlap another one, as numba takes it in a loop of `prange`."""

    _name = "lowering_of_a_part"

    def run_pass(self, state: Any) -> bool:
        state.flags.noalias = True
        return super().run_pass(state)


class _Compiler(CompilerBase):
    lowering: type[NativeLowering] = _Lowering

    def define_pipelines(self) -> list[Any]:
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.add_pass_after(self.lowering, NativeLowering)
        manager.passes = [one for one in manager.passes if one[0] is not NativeLowering]
        manager.finalize()
        return [manager]


class _CompilerOfAPart(_Compiler):
    lowering = _LoweringOfAPart


def piece(is_part: bool = False, **options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorates a function that only compiled code calls.

    is_part: of a kernel that threads share; its arrays overlap at most number by number, an output being an input.
    options: of numba.
    """
    flags: Any = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, **options}
    pipeline = _CompilerOfAPart if is_part else _Compiler
    return njit(error_model="numpy", pipeline_class=pipeline, **flags)
