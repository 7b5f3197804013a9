"""Arrays at addresses: what kernels read whose arguments are rows of a table."""

from __future__ import annotations

from typing import Any

from numba import types
from numba.extending import intrinsic

FLOAT, INTEGER = 4, 8  # bytes


def pointer_to(number: types.Type) -> Any:
    """pointer(address) for compiled code."""

    def emit(typingctx, address):
        """Emit the cast (numba hands over types here, and LLVM values to `codegen`)."""

        def codegen(context, builder, signature, args):
            return builder.inttoptr(args[0], context.get_value_type(signature.return_type))

        return types.CPointer(number)(types.int64), codegen

    return intrinsic(emit)


def _array_of(number: types.Type, size: int) -> Any:
    """array(address, count) for compiled code: no function of its own, which each kernel would hold."""

    def emit(typingctx, address, count):
        """Emit the array (numba hands over types here, and LLVM values to `codegen`)."""
        kind = types.Array(number, 1, "C")

        def codegen(context, builder, signature, args):
            from numba.np.arrayobj import populate_array  # takes long to import

            bytes_each = context.get_constant(types.intp, size)
            result = context.make_array(kind)(context, builder)
            data = builder.inttoptr(args[0], result.data.type)
            populate_array(result, data, [args[1]], [bytes_each], bytes_each, meminfo=None)
            return result._getvalue()

        return kind(types.int64, types.int64), codegen

    return intrinsic(emit)


# floats(address, count): the `count` float32 from an address on, whose array the caller holds; integers: int64
floats, integers = _array_of(types.float32, FLOAT), _array_of(types.int64, INTEGER)
