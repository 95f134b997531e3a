"""The dense layer on arrays of features × samples: loops over samples for small layers, BLAS for large ones.

A layer's weights (I, N) and biases (1, N) lie one after the other and are read as one matrix (I+1, N); its inputs have
a row of ones after their last feature. So output = Wᵀ·X, dW = X·dYᵀ and dX = W·dY hold the biases too.
"""

from __future__ import annotations

from ..layout import BY_SAMPLES, FEATURES, GEMM, KEPT, OUTPUTS, PARAMETERS, STRIDE, WIDE, X, Y
from .calls import gemm
from .functions import inner
from .vectors import apart, lanes, load, load_half, set_all, spread, store, sum_of, where_above

__all__ = [
    "backward", "backward_added", "backward_blas", "backward_blas_added", "backward_blas_masked", "backward_masked",
    "forward", "forward_blas", "forward_blas_rectified", "forward_rectified", "gradients", "gradients_blas",
]  # fmt: skip

# What is done with a product before it is stored


@inner
def _plain(total, Y, other, i):
    """Store a product as it is."""
    store(Y, i, total)


@inner
def _rectified(total, Y, other, i):
    """Store its part above 0."""
    zero = set_all(total, 0.0)
    store(Y, i, where_above(zero, total, zero, total))  # a NaN stays


@inner
def _masked(total, Y, other, i):
    """Store it where the array `other` is above 0, else 0."""
    zero = set_all(total, 0.0)
    store(Y, i, where_above(load(other, i), zero, total, zero))


@inner
def _added(total, Y, other, i):
    """Add it to what is there."""
    store(Y, i, total + load(Y, i))


def _products(finish):
    """Y_j = Σ_k W[w + k·inner_step + j·outer_step] · X_k for `rows` rows j and `terms` rows k, four j at a time.

    For one way to store a product: asking for it at every store takes longer than a small product.
    """

    @inner
    def few(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width):
        """At most three terms, two rows at a time, the weights in registers all along the samples."""
        zero = set_all(X, 0.0)
        x1, x2 = x + min(1, terms - 1) * stride, x + min(2, terms - 1) * stride
        for j in range(0, rows, 2):
            v, u = w + j * outer_step, w + min(j + 1, rows - 1) * outer_step
            i, o = y + j * stride, y + min(j + 1, rows - 1) * stride
            a0, b0 = spread(W, v), spread(W, u)
            a1, b1, a2, b2 = zero, zero, zero, zero
            if terms > 1:
                a1, b1 = spread(W, v + inner_step), spread(W, u + inner_step)
            if terms > 2:
                a2, b2 = spread(W, v + 2 * inner_step), spread(W, u + 2 * inner_step)
            for s in range(0, width, lanes(X)):
                p, q, r = load(X, x + s), load(X, x1 + s), load(X, x2 + s)
                one, two = a0 * p + a1 * q + a2 * r, b0 * p + b1 * q + b2 * r
                if j + 1 < rows:
                    finish(two, Y, other, o + s)
                finish(one, Y, other, i + s)

    @inner
    def three(W, w, outer_step, inner_step, terms, X, x, Y, y, other, stride, width):
        """Three rows."""
        for s in range(0, width, lanes(X)):
            a = set_all(X, 0.0)
            b, c = a, a
            wk, xk = w, x + s
            for _ in range(terms):
                value = load(X, xk)
                a = a + spread(W, wk) * value
                b = b + spread(W, wk + outer_step) * value
                c = c + spread(W, wk + 2 * outer_step) * value
                wk += inner_step
                xk += stride
            finish(a, Y, other, y + s)
            finish(b, Y, other, y + s + stride)
            finish(c, Y, other, y + s + 2 * stride)

    @inner
    def products(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width):
        if terms <= 3:
            few(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width)
            return
        j = 0
        while j + 4 <= rows:
            w0, y0 = w + j * outer_step, y + j * stride
            for s in range(0, width, lanes(X)):
                a = set_all(X, 0.0)
                b, c, d = a, a, a
                wk, xk = w0, x + s
                for _ in range(terms):
                    value = load(X, xk)
                    a = a + spread(W, wk) * value
                    b = b + spread(W, wk + outer_step) * value
                    c = c + spread(W, wk + 2 * outer_step) * value
                    d = d + spread(W, wk + 3 * outer_step) * value
                    wk += inner_step
                    xk += stride
                finish(a, Y, other, y0 + s)
                finish(b, Y, other, y0 + s + stride)
                finish(c, Y, other, y0 + s + 2 * stride)
                finish(d, Y, other, y0 + s + 3 * stride)
            j += 4
        if rows - j == 3:
            w0, y0 = w + j * outer_step, y + j * stride
            three(W, w0, outer_step, inner_step, terms, X, x, Y, y0, other, stride, width)
            return
        while j < rows:
            for s in range(0, width, lanes(X)):
                a = set_all(X, 0.0)
                for k in range(terms):
                    a = a + spread(W, w + j * outer_step + k * inner_step) * load(X, x + k * stride + s)
                finish(a, Y, other, y + j * stride + s)
            j += 1

    return products


def _forward(multiply):
    """output = weightsᵀ · inputs, the biases as the weights of a row of ones."""

    def forward(op, numbers, plan, step, first, width, samples, P, A):
        rows, terms = op[OUTPUTS], op[FEATURES] + 1
        multiply(P, op[PARAMETERS], 1, rows, rows, terms, A, op[X], A, op[Y], A, plan[STRIDE], width)

    return forward


def _backward(multiply):
    """dinputs = weights · dvalues."""

    def backward(op, numbers, plan, first, width, samples, P, A, D):
        rows = op[OUTPUTS]
        multiply(P, op[PARAMETERS], rows, 1, op[FEATURES], rows, D, op[Y], D, op[X], A, plan[STRIDE], width)

    return backward


@inner
def _part(op, low, high):
    """The rows of the weights, biases last, that lie between two places of the parameters."""
    rows = op[OUTPUTS]
    begin = (max(low, op[PARAMETERS]) - op[PARAMETERS]) // rows
    return begin, max(begin, min((high - op[PARAMETERS]) // rows, op[FEATURES] + 1))


def gradients(op, plan, low, high, adds, width, G, A, D):
    """dweights = inputs · dvaluesᵀ: Σ_s X_k[s] · D_j[s] for terms k and rows j, two k and four j at a time."""
    stride, rows, x, d = plan[STRIDE], op[OUTPUTS], op[X], op[Y]
    begin, end = _part(op, low, high)
    step = lanes(A) // 2
    for k in range(begin, end, 2):
        x0 = x + k * stride
        x1 = x + min(k + 1, end - 1) * stride
        for j in range(0, rows, 4):
            d0 = d + j * stride
            d1 = d + min(j + 1, rows - 1) * stride
            d2 = d + min(j + 2, rows - 1) * stride
            d3 = d + min(j + 3, rows - 1) * stride
            a0 = set_all(load_half(A, x0), 0.0)
            a1, a2, a3, b0, b1, b2, b3 = a0, a0, a0, a0, a0, a0, a0
            for s in range(0, width, step):
                first, second = load_half(A, x0 + s), load_half(A, x1 + s)
                value = load_half(D, d0 + s)
                a0 = a0 + first * value
                b0 = b0 + second * value
                value = load_half(D, d1 + s)
                a1 = a1 + first * value
                b1 = b1 + second * value
                value = load_half(D, d2 + s)
                a2 = a2 + first * value
                b2 = b2 + second * value
                value = load_half(D, d3 + s)
                a3 = a3 + first * value
                b3 = b3 + second * value
            i = op[PARAMETERS] + k * rows + j
            _gather(G, i, rows - j, adds, a0, a1, a2, a3)
            if k + 1 < end:
                _gather(G, i + rows, rows - j, adds, b0, b1, b2, b3)


@inner
def _gather(G, i, count, adds, a, b, c, d):
    """Write the sums of four vectors to G, or add them to it, the first `count` of them."""
    apart()
    _put(G, i, adds, sum_of(a))
    if count > 1:
        _put(G, i + 1, adds, sum_of(b))
    if count > 2:
        _put(G, i + 2, adds, sum_of(c))
    if count > 3:
        _put(G, i + 3, adds, sum_of(d))


@inner
def _put(G, i, adds, total):
    G[i] = G[i] + total if adds else total


def _forward_blas(finish, store_one):
    def forward(op, numbers, plan, step, first, width, samples, P, A):
        rows, terms, stride, y = op[OUTPUTS], op[FEATURES] + 1, plan[STRIDE], op[Y]
        x, ldx, by_samples = _inputs(op, plan, first)
        if by_samples:  # samples × rows first, which BLAS computes faster, then turned
            made = op[KEPT] + first * (rows - 1)
            gemm(
                plan[GEMM], plan[WIDE], 0, 0, width, rows, terms, A, x, ldx, P, op[PARAMETERS], rows, 0.0, A, made, rows
            )  # fmt: skip
            for j in range(rows):
                for s in range(width):
                    store_one(A, y + j * stride + s, A[made + s * rows + j])
            return
        gemm(
            plan[GEMM], plan[WIDE], 1, 0, rows, width, terms, P, op[PARAMETERS], rows, A, x, ldx, 0.0, A, y, stride
        )  # fmt: skip
        finish(rows, y, stride, width, A, A)

    return forward


def _backward_blas(finish, beta):
    def backward(op, numbers, plan, first, width, samples, P, A, D):
        rows, features, stride, x = op[OUTPUTS], op[FEATURES], plan[STRIDE], op[X]
        gemm(
            plan[GEMM], plan[WIDE], 0, 0, features, width, rows, P, op[PARAMETERS], rows, D, op[Y], stride, beta, D, x,
            stride,
        )  # fmt: skip
        finish(features, x, stride, width, D, A)

    return backward


def gradients_blas(op, plan, low, high, adds, width, G, A, D):
    """`gradients` by BLAS."""
    rows, stride = op[OUTPUTS], plan[STRIDE]
    begin, end = _part(op, low, high)
    if begin == end:
        return
    x, ldx, by_samples = _inputs(op, plan, 0)
    x += begin if by_samples else begin * stride
    gemm(
        plan[GEMM], plan[WIDE], by_samples, 1, end - begin, rows, width, A, x, ldx, D, op[Y], stride, 1.0 * adds, G,
        op[PARAMETERS] + begin * rows, rows,
    )  # fmt: skip


@inner
def _inputs(op, plan, first):
    """Where the inputs begin, what lies between two rows, and 1 where those are samples, `first` of them before."""
    if op[BY_SAMPLES]:
        return op[X] + first * op[FEATURES], op[FEATURES] + 1, 1
    return op[X], plan[STRIDE], 0


def _finishing(finish):
    @inner
    def entries(rows, y, stride, width, Y, other):
        for j in range(rows):
            for i in range(y + j * stride, y + j * stride + width, lanes(Y)):
                finish(load(Y, i), Y, other, i)

    return entries


@inner
def _plain_entry(Y, i, total):
    Y[i] = total


@inner
def _rectified_entry(Y, i, total):
    Y[i] = total if not total < 0 else 0  # a NaN stays


@inner
def _leave(rows, y, stride, width, Y, other):
    """A product that is right as BLAS has stored it."""


forward, forward_rectified = (_forward(_products(finish)) for finish in (_plain, _rectified))
backward, backward_masked, backward_added = (_backward(_products(finish)) for finish in (_plain, _masked, _added))
forward_blas = _forward_blas(_leave, _plain_entry)
forward_blas_rectified = _forward_blas(_finishing(_rectified), _rectified_entry)
backward_blas, backward_blas_masked = (_backward_blas(finish, 0.0) for finish in (_leave, _finishing(_masked)))
backward_blas_added = _backward_blas(_leave, 1.0)
