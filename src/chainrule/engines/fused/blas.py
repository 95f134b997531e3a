"""The matrix product of the BLAS that NumPy itself has loaded, called by its address from compiled code."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

__all__ = ["address_of_gemm", "address_of_yield", "gemm"]


@cache
def address_of_gemm(precision: str) -> tuple[int, bool]:
    """The address of cblas_sgemm or cblas_dgemm ("s" or "d") and whether its integers have 64 bits; (0, False) if none.

    The library is the one that NumPy has loaded: OpenBLAS in NumPy's own packages, under the names that they give it.
    """
    from threadpoolctl import threadpool_info

    for found in threadpool_info():
        if found["user_api"] != "blas":
            continue
        library = ctypes.CDLL(found["filepath"])
        for prefix in ("scipy_", ""):
            for suffix in ("64_", "_64", ""):
                function = getattr(library, f"{prefix}cblas_{precision}gemm{suffix}", None)
                if function is not None:
                    return ctypes.cast(function, ctypes.c_void_p).value or 0, bool(suffix)
    return 0, False


@cache
def address_of_yield() -> int:
    """The address of the system's call that lets another thread run, 0 if there is none."""
    try:
        function = ctypes.CDLL(None).sched_yield
    except (AttributeError, OSError, TypeError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


@intrinsic
def call_yield(typing, address):
    """Let another thread run."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(ir.IntType(32), [])
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), [])

    return types.int32(types.intp), generate


@intrinsic
def gemm(typing, address, wide, flip_a, flip_b, m, n, k, A, a, lda, B, b, ldb, beta, C, c, ldc):
    """C = op(A)·op(B) + beta·C, row by row: op(A) is (m, k), op(B) is (k, n); a, b, c are where the arrays begin."""

    def generate(context, builder, signature, arguments):
        address, wide, flip_a, flip_b, m, n, k, _, _, lda, _, _, ldb, beta, _, _, ldc = arguments
        number = context.get_value_type(signature.args[7].dtype)
        small, large = ir.IntType(32), ir.IntType(64)

        def pointer(kind: Any, array: Any, index: Any) -> Any:
            return builder.gep(context.make_array(kind)(context, builder, array).data, [index])

        pointers = [pointer(signature.args[i], arguments[i], arguments[i + 1]) for i in (7, 10, 14)]
        scale = context.cast(builder, beta, signature.args[13], signature.args[7].dtype)
        one = ir.Constant(number, 1.0)

        def flag(value: Any) -> Any:
            return builder.select(value, ir.Constant(small, 112), ir.Constant(small, 111))  # transposed, or not

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

        with builder.if_else(wide) as (then, otherwise):
            with then:
                call(large)
            with otherwise:
                call(small)
        return context.get_dummy_value()

    integers = (types.intp,) * 3
    signature = types.void(
        types.intp, types.boolean, types.boolean, types.boolean, *integers, A, types.intp, types.intp, B, types.intp,
        types.intp, types.float64, C, types.intp, types.intp,
    )  # fmt: skip
    return signature, generate
