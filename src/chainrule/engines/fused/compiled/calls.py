"""Calls of functions by their address from compiled code: the operations, BLAS, the system."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["call", "call_yield", "gemm", "measure"]


def _calling(returns: Any, result: Any) -> Any:
    def typed(typing, address, arguments):
        def generate(context, builder, signature, given):
            values = cgutils.unpack_tuple(builder, given[1], len(arguments))
            kind = ir.FunctionType(result, [value.type for value in values])
            found = builder.call(builder.inttoptr(given[0], kind.as_pointer()), values)
            return context.get_dummy_value() if returns is types.void else found

        return returns(types.intp, arguments), generate

    return typed


@intrinsic
def call(typing, address, arguments):
    """Call the function at an address with a tuple of arguments."""
    return _calling(types.void, ir.VoidType())(typing, address, arguments)


@intrinsic
def measure(typing, address, arguments):
    """Call the function at an address that returns a float64."""
    return _calling(types.float64, ir.DoubleType())(typing, address, arguments)


@intrinsic
def call_yield(typing, address):
    """Let another thread run."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [])

    return types.int32(types.intp), generate


@intrinsic
def gemm(typing, address, wide, flip_a, flip_b, m, n, k, A, a, lda, B, b, ldb, beta, C, c, ldc):
    """C = op(A)·op(B) + beta·C, row by row: op(A) is (m, k), op(B) is (k, n); a, b, c are where the matrices begin.

    `wide`, `flip_a` and `flip_b` are 0 or 1: integers of 64 bits, A transposed, B transposed.
    """

    def generate(context, builder, signature, arguments):
        address, wide, flip_a, flip_b, m, n, k, _, _, lda, _, _, ldb, beta, _, _, ldc = arguments
        number = context.get_value_type(signature.args[7].dtype)
        small, large = ir.IntType(32), ir.IntType(64)

        pointers = [builder.gep(arguments[i], [arguments[i + 1]]) for i in (7, 10, 14)]

        def truth(value: Any) -> Any:
            return builder.icmp_signed("!=", value, ir.Constant(value.type, 0))

        scale = context.cast(builder, beta, signature.args[13], signature.args[7].dtype)
        one = ir.Constant(number, 1.0)

        def flag(value: Any) -> Any:
            return builder.select(truth(value), ir.Constant(small, 112), ir.Constant(small, 111))  # transposed, or not

        def call(integer: Any) -> None:
            kind = ir.FunctionType(
                ir.VoidType(),
                [small, small, small, integer, integer, integer, number, pointers[0].type, integer, pointers[1].type,
                 integer, number, pointers[2].type, integer],
            )  # fmt: skip
            cut = (lambda v: v) if integer is large else (lambda v: builder.trunc(v, small))
            function = builder.inttoptr(address, kind.as_pointer())
            builder.call(
                function,
                [ir.Constant(small, 101), flag(flip_a), flag(flip_b), cut(m), cut(n), cut(k), one, pointers[0],
                 cut(lda), pointers[1], cut(ldb), scale, pointers[2], cut(ldc)],
            )  # fmt: skip

        with builder.if_else(truth(wide)) as (then, otherwise):
            with then:
                call(large)
            with otherwise:
                call(small)
        return context.get_dummy_value()

    integers = (types.intp,) * 3
    signature = types.void(
        types.intp, types.intp, types.intp, types.intp, *integers, A, types.intp, types.intp, B, types.intp,
        types.intp, types.float64, C, types.intp, types.intp,
    )  # fmt: skip
    return signature, generate
