"""Vectors of this processor's width in LLVM code: what kernels are made of that say themselves what is in registers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from llvmlite import binding, ir
from numba.core import cgutils, config


def _features() -> set[str]:
    """What the processor that numba compiles for can do."""
    named = config.CPU_FEATURES  # type: ignore[attr-defined]
    flags = binding.get_host_cpu_features().flatten() if named is None else named
    return {flag[1:] for flag in flags.split(",") if flag.startswith("+")}


FEATURES = _features()
LANES = 16 if "avx512f" in FEATURES else 8 if "avx" in FEATURES else 4  # numbers in a vector
_FUSED = bool({"fma", "neon"} & FEATURES)  # else a fused product and sum would be a call of a function


def _lanes_first(bits: int) -> int:
    """The lanes whose bits are set, in order, then the others, 8 bits each."""
    lanes = sorted(range(LANES), key=lambda lane: not bits >> lane & 1)
    return sum(lane << (8 * place) for place, lane in enumerate(lanes))


class Vectors:
    """What kernels in vector code have in common: LANES float32 at a time."""

    kind = ir.VectorType(ir.FloatType(), LANES)
    zero, undefined = ir.Constant(kind, [0.0] * LANES), ir.Constant(kind, ir.Undefined)

    def __init__(self, builder: ir.IRBuilder):
        self.builder = builder

    def pointer(self, address: ir.Value) -> ir.Value:
        return self.builder.inttoptr(address, ir.FloatType().as_pointer())

    def _place(self, base: ir.Value, offset: ir.Value) -> ir.Value:
        return self.builder.bitcast(self.builder.gep(base, [offset]), self.kind.as_pointer())

    def read(
        self, base: ir.Value, offset: ir.Value, mask: ir.Value | None = None, others: ir.Value = zero
    ) -> ir.Value:
        """The numbers from base + offset on; with a mask those of its lanes, and those of `others` in the others, which
        are not read."""
        place = self._place(base, offset)
        if mask is None:
            value = self.builder.load(place)
            value.align = 4
            return value
        types = [place.type, ir.IntType(32), mask.type, self.kind]
        function = self._intrinsic("llvm.masked.load", self.kind, types)
        return self.builder.call(function, [place, ir.IntType(32)(4), mask, others])

    def write(self, value: ir.Value, base: ir.Value, offset: ir.Value, mask: ir.Value | None = None) -> None:
        """Write the numbers from base + offset on; with a mask those of its lanes."""
        place = self._place(base, offset)
        if mask is None:
            self.builder.store(value, place).align = 4
            return
        types = [self.kind, place.type, ir.IntType(32), mask.type]
        function = self._intrinsic("llvm.masked.store", ir.VoidType(), types)
        some = [value, place, ir.IntType(32)(4), mask]
        if "avx512f" in FEATURES:
            self.builder.call(function, some)
            return
        bits = ir.IntType(LANES)  # AVX's writes with a mask take ten times as long as others
        is_whole = self.builder.icmp_unsigned("==", self.builder.bitcast(mask, bits), bits(-1))
        with self.builder.if_else(is_whole, likely=True) as (then, otherwise):
            with then:
                self.write(value, base, offset)
            with otherwise:
                self.builder.call(function, some)

    def ask_for(self, base: ir.Value, offset: ir.Value, write: bool = False) -> None:
        """Have the cache line of a number brought that will be read, or written, soon."""
        i32, byte = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
        prefetch = cgutils.get_or_insert_function(self.builder.module, kind, "llvm.prefetch.p0")
        place = self.builder.bitcast(self.builder.gep(base, [offset]), byte)
        self.builder.call(prefetch, [place, i32(int(write)), i32(3), i32(1)])

    def each(self, count: ir.Value, do: Callable[[ir.Value, ir.Value | None], None]) -> None:
        """do(begin, mask) for each vector of `count` numbers: whole ones have no mask, the last one that of the numbers
        that are left, if any are."""
        word = ir.IntType(64)
        chunks = self.builder.sdiv(count, word(LANES))
        with cgutils.for_range(self.builder, chunks) as loop:
            do(self.builder.mul(loop.index, word(LANES)), None)
        whole = self.builder.mul(chunks, word(LANES))
        with self.builder.if_then(self.builder.icmp_signed("<", whole, count)):
            do(whole, self.inside(whole, count))

    def spread(self, value: ir.Value) -> ir.Value:
        """A number as all numbers of a vector."""
        i32 = ir.IntType(32)
        one = self.builder.insert_element(self.undefined, value, i32(0))
        return self.builder.shuffle_vector(
            one, self.undefined, ir.Constant(ir.VectorType(i32, LANES), [0] * LANES)
        )

    def _lanes(self, value: ir.Value) -> ir.Value:
        """An integer (32 bits) as all lanes."""
        i32 = ir.IntType(32)
        kind = ir.VectorType(i32, LANES)
        one = self.builder.insert_element(ir.Constant(kind, ir.Undefined), value, i32(0))
        return self.builder.shuffle_vector(one, one, ir.Constant(kind, [0] * LANES))

    def inside(self, begin: ir.Value, end: ir.Value, lanes: Sequence[int] = range(LANES)) -> ir.Value:
        """The mask of the lanes with 0 <= begin + lane < end (64 bits, of values that fit into 32)."""
        i32 = ir.IntType(32)
        numbers = ir.Constant(ir.VectorType(i32, LANES), list(lanes))
        low, high = (self._lanes(self.builder.trunc(value, i32)) for value in (begin, end))
        return self.builder.icmp_unsigned("<", self.builder.add(low, numbers), high)

    def every_second(self, x: ir.Value, y: ir.Value, first: int = 0) -> ir.Value:
        """The numbers of x and y, one behind the other, in even places; in odd ones, where the first is 1."""
        places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), list(range(first, 2 * LANES, 2)))
        return self.builder.shuffle_vector(x, y, places)

    def interleaved(self, four: list[ir.Value]) -> list[ir.Value]:
        """The numbers of four vectors in turn: first those in the first place, and so on."""
        kind = ir.VectorType(ir.IntType(32), LANES)

        def pick(x: ir.Value, y: ir.Value, places: list[int]) -> ir.Value:
            return self.builder.shuffle_vector(x, y, ir.Constant(kind, places))

        halves = []
        for x, y in (four[:2], four[2:]):  # in turn, from two vectors
            for begin in (0, LANES // 2):
                places = [begin + lane // 2 + (LANES if lane % 2 else 0) for lane in range(LANES)]
                halves.append(pick(x, y, places))
        result = []
        for low, high in ((halves[0], halves[2]), (halves[1], halves[3])):  # pairs in turn
            for begin in (0, LANES // 2):
                places = [
                    begin + lane // 4 * 2 + lane % 2 + (LANES if lane % 4 > 1 else 0) for lane in range(LANES)
                ]
                result.append(pick(low, high, places))
        return result

    def _intrinsic(self, name: str, result: ir.Type, types: list[ir.Type]) -> ir.Function:
        full = f"{name}.v{LANES}f32.p0"
        return cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(result, types), full)

    def compress(self, value: ir.Value, bits: ir.Value) -> ir.Value:
        """The numbers whose bits are set, one behind the other; anything behind them."""
        builder, kind = self.builder, ir.VectorType(ir.IntType(1), LANES)
        mask = builder.bitcast(builder.trunc(bits, ir.IntType(LANES)), kind)
        if "avx512f" in FEATURES:
            name = f"llvm.x86.avx512.mask.compress.v{LANES}f32"
            types = ir.FunctionType(self.kind, [self.kind, self.kind, kind])
            return builder.call(
                cgutils.get_or_insert_function(builder.module, types, name), [value, value, mask]
            )
        i32 = ir.IntType(32)
        if "avx2" in FEATURES:
            order = builder.zext(self._order(bits), ir.VectorType(i32, LANES))
            types = ir.FunctionType(self.kind, [self.kind, order.type])
            function = cgutils.get_or_insert_function(builder.module, types, "llvm.x86.avx2.permps")
            return builder.call(function, [value, order])
        memory = cgutils.alloca_once(builder, ir.ArrayType(ir.FloatType(), LANES))
        end: ir.Value = ir.Constant(i32, 0)
        for lane in range(LANES):
            builder.store(builder.extract_element(value, i32(lane)), builder.gep(memory, [i32(0), end]))
            counts = builder.zext(builder.extract_element(mask, i32(lane)), i32)
            end = builder.add(end, counts)
        return self.read(builder.bitcast(memory, ir.FloatType().as_pointer()), ir.IntType(64)(0))

    def _order(self, bits: ir.Value) -> ir.Value:
        """The lanes whose bits are set, one behind the other, then others: 8 of 8 bits."""
        builder, word, name = self.builder, ir.IntType(64), "orders_of_lanes"
        table = builder.module.globals.get(name)
        if table is None:
            kind = ir.ArrayType(word, 2**LANES)
            table = ir.GlobalVariable(builder.module, kind, name)
            table.linkage, table.global_constant = "internal", True
            table.initializer = kind([_lanes_first(number) for number in range(2**LANES)])
        place = builder.gep(table, [word(0), builder.and_(bits, word(2**LANES - 1))])
        return builder.bitcast(builder.load(place), ir.VectorType(ir.IntType(8), LANES))

    def larger(self, x: ir.Value, y: ir.Value) -> ir.Value:
        """The larger of both; y where x is NaN."""
        return self.builder.select(self.builder.fcmp_ordered(">", x, y), x, y)

    def across(self, meet: Callable[[ir.Value, ir.Value], ir.Value], value: ir.Value) -> ir.Value:
        """What all lanes make together, as `meet` makes it of two vectors."""
        kind, width = ir.VectorType(ir.IntType(32), LANES), LANES
        while width > 1:  # the upper half meets the lower one
            width //= 2
            places = [lane + width if lane < width else lane for lane in range(LANES)]
            value = meet(self.builder.shuffle_vector(value, self.undefined, ir.Constant(kind, places)), value)
        return self.builder.extract_element(value, ir.IntType(32)(0))

    def plus_product(self, total: ir.Value, x: ir.Value, y: ir.Value) -> ir.Value:
        """total + x y."""
        builder = self.builder
        if not _FUSED:
            return builder.fadd(builder.fmul(x, y), total)
        kind = ir.FunctionType(self.kind, [self.kind] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f32")
        return builder.call(fma, [x, y, total])

    def plus_multiple(self, total: ir.Value | None, factor: float, x: ir.Value) -> ir.Value:
        """total + factor x, or factor x where there is no total."""
        multiplier = ir.Constant(self.kind, [float(factor)] * LANES)
        if total is None:
            return x if factor == 1 else self.builder.fmul(multiplier, x)
        if abs(factor) == 1:
            return (self.builder.fadd if factor == 1 else self.builder.fsub)(total, x)
        return self.plus_product(total, multiplier, x)
