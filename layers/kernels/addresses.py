"""Arrays at addresses: what kernels read whose arguments are rows of a table."""

from __future__ import annotations

from typing import Any

from numba import carray, njit, types
from numba.extending import intrinsic

FLOAT = 4  # bytes


def pointer_to(number: types.Type) -> Any:
    """pointer(address) for compiled code."""

    def emit(typingctx, address):
        """Emit the cast (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(number)(types.int64), codegen

    return intrinsic(emit)


_to_floats, _to_integers = pointer_to(types.float32), pointer_to(types.int64)


@njit(cache=True)
def floats(address, count):
    """The `count` float32 from an address on, whose array the caller holds."""
    return carray(_to_floats(address), (count,))


@njit(cache=True)
def integers(address, count):
    """The `count` int64 from an address on."""
    return carray(_to_integers(address), (count,))
