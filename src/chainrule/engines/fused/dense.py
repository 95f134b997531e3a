"""The dense layer on arrays of features × samples: loops over samples for small layers, BLAS for large ones.

A layer's weights (I, N) and biases (1, N) lie one after the other and are read as one matrix (I+1, N); its inputs have
a row of ones after their last feature. So output = Wᵀ·X, dW = X·dYᵀ and dX = W·dY hold the biases too.
"""

from __future__ import annotations

from .blas import gemm
from .functions import inner
from .vectors import apart, lanes, load, load_half, set_all, spread, store, sum_of, where_above

__all__ = ["ADDED", "MASKED", "PLAIN", "RECTIFIED", "correlate", "correlate_blas", "multiply", "multiply_blas"]

PLAIN, RECTIFIED, MASKED, ADDED = range(4)  # what is done with a product before it is stored


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
    """`multiply` for one way to store a product: asking for it at every store takes longer than a small product."""

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
        apart()
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


_multiply_plain, _multiply_rectified, _multiply_masked, _multiply_added = (
    _products(finish) for finish in (_plain, _rectified, _masked, _added)
)


@inner
def multiply(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width, how):
    """Y_j = Σ_k W[w + k·inner_step + j·outer_step] · X_k for `rows` rows j and `terms` rows k, four j at a time."""
    if how == PLAIN:
        _multiply_plain(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width)
    elif how == RECTIFIED:
        _multiply_rectified(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width)
    elif how == MASKED:
        _multiply_masked(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width)
    else:
        _multiply_added(W, w, outer_step, inner_step, rows, terms, X, x, Y, y, other, stride, width)


@inner
def correlate(G, g, terms, rows, X, x, D, d, stride, width):
    """G[g + k·rows + j] += Σ_s X_k[s] · D_j[s] for `terms` rows k and `rows` rows j: two k and four j at a time."""
    apart()
    step = lanes(X) // 2
    for k in range(0, terms, 2):
        x0 = x + k * stride
        x1 = x + min(k + 1, terms - 1) * stride
        for j in range(0, rows, 4):
            d0 = d + j * stride
            d1 = d + min(j + 1, rows - 1) * stride
            d2 = d + min(j + 2, rows - 1) * stride
            d3 = d + min(j + 3, rows - 1) * stride
            a0 = set_all(load_half(X, x0), 0.0)
            a1, a2, a3, b0, b1, b2, b3 = a0, a0, a0, a0, a0, a0, a0
            for s in range(0, width, step):
                first, second = load_half(X, x0 + s), load_half(X, x1 + s)
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
            i = g + k * rows + j
            _gather(G, i, rows - j, a0, a1, a2, a3)
            if k + 1 < terms:
                _gather(G, i + rows, rows - j, b0, b1, b2, b3)


@inner
def _gather(G, i, count, a, b, c, d):
    """Add the sums of four vectors to G, the first `count` of them."""
    G[i] += sum_of(a)
    if count > 1:
        G[i + 1] += sum_of(b)
    if count > 2:
        G[i + 2] += sum_of(c)
    if count > 3:
        G[i + 3] += sum_of(d)


@inner
def multiply_blas(blas, wide, W, w, flipped, rows, terms, X, x, by_samples, Y, y, other, stride, width, how):
    """`multiply` by BLAS, for W (terms, rows), or (rows, terms) with `flipped`; X may lie samples × terms."""
    apart()
    beta = 1.0 if how == ADDED else 0.0
    ldw, ldx = (terms, stride) if flipped else (rows, stride)
    if by_samples:
        ldx = terms
    gemm(blas, wide, not flipped, by_samples, rows, width, terms, W, w, ldw, X, x, ldx, beta, Y, y, stride)
    if how == RECTIFIED or how == MASKED:
        for j in range(rows):
            for i in range(y + j * stride, y + j * stride + width, lanes(Y)):
                if how == RECTIFIED:
                    _rectified(load(Y, i), Y, other, i)
                else:
                    _masked(load(Y, i), Y, other, i)


@inner
def correlate_blas(blas, wide, G, g, terms, rows, X, x, by_samples, D, d, stride, width):
    """`correlate` by BLAS."""
    apart()
    ldx = terms if by_samples else stride
    gemm(blas, wide, by_samples, True, terms, rows, width, X, x, ldx, D, d, stride, 1.0, G, g, rows)
