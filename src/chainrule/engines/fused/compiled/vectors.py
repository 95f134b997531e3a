"""Vectors as numbers: a Numba type that holds several samples at once, with the arithmetic of one.

Written with it, a loop over samples is compiled to the processor's vector instructions as it stands, whatever the
compiler can or cannot prove about arrays that might overlap. Arrays are pointers to their first entry. A vector is 64
bytes, `lanes(pointer)` entries: two registers of AVX2, so that two chains of sums run at once. `load_half` reads half a
vector, for sums that need many registers. `+ - * /` work entry by entry, also with a plain number.
"""

from __future__ import annotations

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, overload, register_model

__all__ = [
    "apart", "exponent_of", "lanes", "load", "load_first", "load_half", "mantissa_of", "max_of", "number_like",
    "offset", "power_of_two", "set_all", "spread", "sqrt", "store", "store_first", "sum_of", "where_above",
]  # fmt: skip

_BYTES = 64
_FAST = ("contract",)  # a * b + c may be one instruction
_INT = ir.IntType(32)


class Vector(types.Type):  # type: ignore[misc]
    """Some numbers of `dtype`."""

    def __init__(self, dtype: Any, size: int) -> None:
        self.dtype, self.size = dtype, size
        super().__init__(name=f"Vector({dtype}, {size})")


def _whole(dtype: Any) -> Vector:
    return Vector(dtype, _BYTES * 8 // dtype.bitwidth)


@register_model(Vector)
class VectorModel(models.PrimitiveModel):  # type: ignore[misc]
    """A vector is an LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, ir.VectorType(manager[kind.dtype].get_value_type(), kind.size))


@intrinsic
def lanes(typing, array):
    """The number of entries of a vector."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(ir.IntType(64), _BYTES * 8 // array.dtype.bitwidth)

    return types.intp(array), generate


@intrinsic
def offset(typing, array, index):
    """The array that begins at an index of another."""

    def generate(context, builder, signature, arguments):
        return builder.gep(*arguments[:1], [arguments[1]])

    return array(array, types.intp), generate


@intrinsic
def number_like(typing, array, number):
    """A number in the precision of an array."""

    def generate(context, builder, signature, arguments):
        return context.cast(builder, arguments[1], number, array.dtype)

    return array.dtype(array, number), generate


def _loader(result_of: Any) -> Any:
    def typed(typing, array, index):
        result = result_of(array.dtype)

        def generate(context, builder, signature, arguments):
            pointer = builder.gep(arguments[0], [arguments[1]])
            kind = context.get_value_type(result)
            read = builder.load(builder.bitcast(pointer, kind.as_pointer()))
            read.align = array.dtype.bitwidth // 8
            return read

        return result(array, types.intp), generate

    return typed


@intrinsic
def load(typing, array, index):
    """The vector that begins at an index of an array."""
    return _loader(_whole)(typing, array, index)


@intrinsic
def load_half(typing, array, index):
    """Half a vector that begins at an index of an array."""
    return _loader(lambda dtype: Vector(dtype, _whole(dtype).size // 2))(typing, array, index)


@intrinsic
def store(typing, array, index, vector):
    """Write a vector to an array from an index on."""

    def generate(context, builder, signature, arguments):
        pointer = builder.gep(arguments[0], [arguments[1]])
        kind = context.get_value_type(vector)
        written = builder.store(arguments[2], builder.bitcast(pointer, kind.as_pointer()))
        written.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), generate


def _first(builder: Any, count: Any, size: int) -> Any:
    """A mask of the first `count` entries."""
    kind = ir.VectorType(ir.IntType(64), size)
    places = ir.Constant(kind, list(range(size)))
    return builder.icmp_signed("<", places, _spread(builder, count, kind))


@intrinsic
def load_first(typing, array, index, count, rest):
    """The vector whose first `count` entries are those of an array from an index on, and whose others are `rest`."""
    result = _whole(array.dtype)

    def generate(context, builder, signature, arguments):
        array_at, index, count, rest = arguments
        kind = context.get_value_type(result)
        pointer = builder.bitcast(builder.gep(array_at, [index]), kind.as_pointer())
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(kind, [pointer.type, _INT, ir.VectorType(ir.IntType(1), result.size), kind]),
            f"llvm.masked.load.v{result.size}f{array.dtype.bitwidth}.p0",
        )
        aligned = ir.Constant(_INT, array.dtype.bitwidth // 8)
        return builder.call(function, [pointer, aligned, _first(builder, count, result.size), rest])

    return result(array, types.intp, types.intp, rest), generate


@intrinsic
def store_first(typing, array, index, count, vector):
    """Write the first `count` entries of a vector to an array from an index on."""

    def generate(context, builder, signature, arguments):
        array_at, index, count, given = arguments
        pointer = builder.bitcast(builder.gep(array_at, [index]), given.type.as_pointer())
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [given.type, pointer.type, _INT, ir.VectorType(ir.IntType(1), vector.size)]),
            f"llvm.masked.store.v{vector.size}f{array.dtype.bitwidth}.p0",
        )
        aligned = ir.Constant(_INT, array.dtype.bitwidth // 8)
        builder.call(function, [given, pointer, aligned, _first(builder, count, vector.size)])
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, vector), generate


@intrinsic
def max_of(typing, vector):
    """The largest of a vector's entries."""

    def generate(context, builder, signature, arguments):
        number = context.get_value_type(vector.dtype)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(number, [arguments[0].type]),
            f"llvm.vector.reduce.fmax.v{vector.size}f{vector.dtype.bitwidth}",
        )
        return builder.call(function, arguments)

    return vector.dtype(vector), generate


def _spread(builder: Any, number: Any, kind: Any) -> Any:
    nothing = ir.Constant(kind, ir.Undefined)
    first = builder.insert_element(nothing, number, ir.Constant(_INT, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT, kind.count), None))


@intrinsic
def spread(typing, array, index):
    """A vector that holds one entry of an array everywhere."""
    result = _whole(array.dtype)

    def generate(context, builder, signature, arguments):
        number = builder.load(builder.gep(arguments[0], [arguments[1]]))
        return _spread(builder, number, context.get_value_type(result))

    return result(array, types.intp), generate


@intrinsic
def set_all(typing, like, number):
    """A vector that holds one number everywhere; `like` is an array, or a vector, of its kind."""
    result = like if isinstance(like, Vector) else _whole(like.dtype)

    def generate(context, builder, signature, arguments):
        cast = context.cast(builder, arguments[1], number, like.dtype)
        return _spread(builder, cast, context.get_value_type(result))

    return result(like, number), generate


def _binary(name: str) -> Any:
    @intrinsic
    def operation(typing, a, b):
        def generate(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments, flags=_FAST)

        return a(a, b), generate

    return operation


def _with_numbers(symbol: Any, operation: Any) -> None:
    @overload(symbol)
    def vectors(a, b):
        if isinstance(a, Vector) and isinstance(b, Vector):
            return lambda a, b: operation(a, b)
        if isinstance(a, Vector) and isinstance(b, types.Number):
            return lambda a, b: operation(a, set_all(a, b))
        if isinstance(b, Vector) and isinstance(a, types.Number):
            return lambda a, b: operation(set_all(b, a), b)
        return None


_with_numbers(operator.add, _binary("fadd"))
_with_numbers(operator.sub, _binary("fsub"))
_with_numbers(operator.mul, _binary("fmul"))
_with_numbers(operator.truediv, _binary("fdiv"))


@intrinsic
def sqrt(typing, a):
    """The square root of a vector, or of a number."""

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        width = a.dtype.bitwidth if isinstance(a, Vector) else a.bitwidth
        name = f"llvm.sqrt.v{a.size}f{width}" if isinstance(a, Vector) else f"llvm.sqrt.f{width}"
        return builder.call(
            cgutils.get_or_insert_function(builder.module, ir.FunctionType(kind, [kind]), name), arguments
        )

    return a(a), generate


@intrinsic
def where_above(typing, a, b, x, y):
    """x where a > b, else y (also where one of them is NaN); vectors, or numbers of one kind."""

    def generate(context, builder, signature, arguments):
        a, b, x, y = arguments
        return builder.select(builder.fcmp_ordered(">", a, b), x, y)

    return x(a, b, x, y), generate


@intrinsic
def sum_of(typing, vector):
    """The sum of a vector's entries."""

    def generate(context, builder, signature, arguments):
        number = context.get_value_type(vector.dtype)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(number, [number, arguments[0].type]),
            f"llvm.vector.reduce.fadd.v{vector.size}f{vector.dtype.bitwidth}",
        )
        return builder.call(function, [ir.Constant(number, 0.0), arguments[0]], fastmath=("reassoc",))

    return vector.dtype(vector), generate


@intrinsic
def apart(typing):
    """Keeps the function that calls it out of its callers: all in one takes three times as long to compile."""

    def generate(context, builder, signature, arguments):
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), generate


# The bits of floating-point numbers: 23 (52) of the fraction, above them the exponent plus 127 (1023)


def _layout(vector: Vector) -> tuple[int, int]:
    return (23, 127) if vector.dtype.bitwidth == 32 else (52, 1023)


def _bits(vector: Vector) -> Any:
    return ir.VectorType(ir.IntType(vector.dtype.bitwidth), vector.size)


def _all(kind: Any, number: int) -> Any:
    return ir.Constant(kind, [number] * kind.count)


@intrinsic
def power_of_two(typing, shifted):
    """2ⁿ, where `shifted` is the whole number n (in the range of exponents) plus 1.5·2²³ (1.5·2⁵²)."""

    def generate(context, builder, signature, arguments):
        (fraction, bias), kind = _layout(shifted), _bits(shifted)
        bits = builder.add(builder.bitcast(arguments[0], kind), _all(kind, bias))
        return builder.bitcast(builder.shl(bits, _all(kind, fraction)), arguments[0].type)

    return shifted(shifted), generate


@intrinsic
def exponent_of(typing, vector):
    """e, where the vector is m·2ᵉ with 1 <= m < 2."""

    def generate(context, builder, signature, arguments):
        (fraction, bias), kind = _layout(vector), _bits(vector)
        bits = builder.lshr(builder.bitcast(arguments[0], kind), _all(kind, fraction))
        return builder.sitofp(builder.sub(bits, _all(kind, bias)), arguments[0].type)

    return vector(vector), generate


@intrinsic
def mantissa_of(typing, vector):
    """m, where the vector is m·2ᵉ with 1 <= m < 2."""

    def generate(context, builder, signature, arguments):
        (fraction, bias), kind = _layout(vector), _bits(vector)
        bits = builder.and_(builder.bitcast(arguments[0], kind), _all(kind, 2**fraction - 1))
        return builder.bitcast(builder.or_(bits, _all(kind, bias << fraction)), arguments[0].type)

    return vector(vector), generate
