"""Functions of one number, emitted for vectors of float32; a call of the C library's takes many times longer.

exp: x = n ln 2 + r with |r| <= ln 2 / 2, and exp(x) = 2^n exp(r), exp(r) by its Taylor polynomial of degree 7, whose
error is below 1e-8; ln 2 is taken off in two parts (Cody and Waite, Software Manual for the Elementary Functions,
1980). tanh: near 0, where 1 - 2 / (exp(2x) + 1) would lose digits, x + x^3 q(x^2); q is fitted for
the least relative error, 5e-9. All within a few units in the last place; NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable

from llvmlite import ir
from numba.core import cgutils

from caffe_compat.layers.kernels.vectors import LANES, Vectors

LEAST, MOST = -104.0, 89.0  # of exp's arguments: beyond, the result is 0, or infinite
_HIGH, _LOW = 0.693359375, -2.12194440e-4  # of ln 2
_FACTORS = tuple(1 / n for n in (5040, 720, 120, 24, 6, 2, 1, 1))
_NEAR = 0.625  # where tanh changes its form
_Q = (-0.0056793080, 0.0206181258, -0.0537340008, 0.1333138347, -0.3333328068)


class Functions(Vectors):
    """What is computed of vectors."""

    def number(self, value: float) -> ir.Value:
        """A number in all lanes."""
        return ir.Constant(self.kind, [float(value)] * LANES)

    def smaller(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The smaller of both; y where x is NaN."""
        return self.builder.select(self.builder.fcmp_ordered("<", x, y), x, y)

    def polynomial(self, x: ir.Value, factors: tuple[float, ...]) -> ir.Value:
        """Of the factors of x's powers, the highest first."""
        total = self.number(factors[0])
        for factor in factors[1:]:
            total = self.plus_product(self.number(factor), total, x)
        return total

    def absolute(self, x: ir.Value) -> ir.Value:
        return self.builder.call(self._of_c("fabs", 1), [x])

    def root(self, x: ir.Value) -> ir.Value:
        return self.builder.call(self._of_c("sqrt", 1), [x])

    def exponential(self, x: ir.Value) -> ir.Value:
        """exp(x), 0 and infinity where it is."""
        builder, whole = self.builder, ir.VectorType(ir.IntType(32), LANES)
        within = self.smaller(self.larger(x, self.number(LEAST)), self.number(MOST))
        n = builder.call(
            self._of_c("floor", 1),
            [self.plus_product(self.number(0.5), within, self.number(1.4426950408889634))],
        )
        r = self.plus_product(self.plus_product(within, n, self.number(-_HIGH)), n, self.number(-_LOW))
        result, exponent = self.polynomial(r, _FACTORS), builder.fptosi(n, whole)
        half = builder.ashr(exponent, ir.Constant(whole, [1] * LANES))
        for part in (half, builder.sub(exponent, half)):  # 2^n itself may be no float
            bits = builder.shl(
                builder.add(part, ir.Constant(whole, [127] * LANES)), ir.Constant(whole, [23] * LANES)
            )
            result = builder.fmul(result, builder.bitcast(bits, self.kind))
        return builder.select(builder.fcmp_unordered("uno", x, x), x, result)

    def sigmoid(self, x: ir.Value) -> ir.Value:
        builder, one = self.builder, self.number(1)
        return builder.fdiv(one, builder.fadd(one, self.exponential(builder.fsub(self.zero, x))))

    def tanh(self, x: ir.Value) -> ir.Value:
        builder, size = self.builder, self.absolute(x)
        power = self.exponential(builder.fadd(size, size))
        part = builder.fdiv(self.number(2), builder.fadd(power, self.number(1)))
        far = builder.call(self._of_c("copysign", 2), [builder.fsub(self.number(1), part), x])
        square = builder.fmul(x, x)
        near = self.plus_product(x, builder.fmul(x, square), self.polynomial(square, _Q))
        return builder.select(builder.fcmp_ordered("<", size, self.number(_NEAR)), near, far)

    def _of_c(self, name: str, count: int) -> ir.Function:
        kind = ir.FunctionType(self.kind, [self.kind] * count)
        return cgutils.get_or_insert_function(self.builder.module, kind, f"llvm.{name}.v{LANES}f32")


Function = Callable[[Functions, ir.Value, ir.Value, ir.Value], ir.Value]


def _elu(v: Functions, x: ir.Value, alpha: ir.Value, _: ir.Value) -> ir.Value:
    less = v.builder.fmul(alpha, v.builder.fsub(v.exponential(x), v.number(1)))
    return v.builder.select(v.builder.fcmp_ordered(">", x, v.zero), x, less)


def _swish(v: Functions, x: ir.Value, beta: ir.Value, _: ir.Value) -> ir.Value:
    return v.builder.fmul(x, v.sigmoid(v.builder.fmul(beta, x)))


def _mish(v: Functions, x: ir.Value, _: ir.Value, __: ir.Value) -> ir.Value:
    """x tanh(log(1 + exp(x))), without the logarithm; of large x, x."""
    builder, two = v.builder, v.number(2)
    power = v.exponential(v.smaller(x, v.number(20)))
    product = builder.fmul(power, builder.fadd(power, two))
    result = builder.fmul(x, builder.fdiv(product, builder.fadd(product, two)))
    return builder.select(builder.fcmp_unordered("uno", x, x), x, result)


def _line(v: Functions, x: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    return v.builder.fadd(v.builder.fmul(a, x), b)


def _square(v: Functions, x: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    line = _line(v, x, a, b)
    return v.builder.fmul(line, line)


def _cube(v: Functions, x: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    line = _line(v, x, a, b)
    return v.builder.fmul(v.builder.fmul(line, line), line)


def _root(v: Functions, x: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    return v.root(_line(v, x, a, b))


def _clip(v: Functions, x: ir.Value, low: ir.Value, high: ir.Value) -> ir.Value:
    """NaN stays NaN: what is compared with it is not chosen."""
    builder = v.builder
    x = builder.select(builder.fcmp_ordered("<", x, low), low, x)
    return builder.select(builder.fcmp_ordered(">", x, high), high, x)


def _hard_sigmoid(v: Functions, x: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
    return _clip(v, _line(v, x, a, b), v.zero, v.number(1))


def _hard_swish(v: Functions, x: ir.Value, _: ir.Value, __: ir.Value) -> ir.Value:
    clipped = _clip(v, v.builder.fadd(x, v.number(3)), v.zero, v.number(6))
    return v.builder.fmul(x, v.builder.fdiv(clipped, v.number(6)))


# by name: what is emitted of a vector, and of two numbers
FUNCTIONS: dict[str, Function] = {
    "absolute": lambda v, x, _, __: v.absolute(x),
    "clip": _clip,
    "cube": _cube,
    "elu": _elu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "line": _line,
    "mish": _mish,
    "root": _root,
    "sigmoid": lambda v, x, _, __: v.sigmoid(x),
    "square": _square,
    "swish": _swish,
    "tanh": lambda v, x, _, __: v.tanh(x),
}
