/* Dense: output = inputs · weights + biases.
 *
 * Weights (I, N) and biases (1, N) lie one after the other, and the inputs end with a row of ones: so the gradient of
 * both is one product (I+1, N). Large weights are read in the order in which they lie, forward too: a column of them
 * would touch as many lines of the cache as there are rows.
 */
#ifndef CHAINRULE_DENSE_H
#define CHAINRULE_DENSE_H

#include "matmul.h"
#include "tile.h"

static void dense_forward(const Operation *op, const Tile *t) {
    const int64_t I = op->features, N = op->outputs, ldt = spaced(N);
    const real *W = t->P + op->parameters, *X = t->A + op->x * t->stride;
    real *Y = t->A + op->y * t->stride, *rows = t->turned + op->turned * t->stride + t->column * ldt;
    const int finish = op->rectifies ? RECTIFY : PLAIN;
    if (!op->large) {
        multiply(&(Product){                        /* Y = Wᵀ · X + biases: (N,I)(I,B) -> (N,B) */
            .A = W, .across = 1, .along = N, .terms = I, .bias = W + I * N,
            .B = X, .ldb = t->stride, .Y = Y, .ldy = t->stride, .finish = finish,
        }, N, t->width);
        return;
    }
    multiply(&(Product){                            /* Yᵀ = Xᵀ · W + biases: (B,I)(I,N) -> (B,N) */
        .A = X, .across = 1, .along = t->stride, .terms = I, .biases = W + I * N,
        .B = W, .ldb = N, .Y = rows, .ldy = ldt, .finish = finish,
    }, t->width, N);
    turned(rows, ldt, Y, t->stride, t->width, N);
}

/* Whether Σ_s X·dY is cheaper as sums over vectors of samples than with the samples of dY as rows. */
INLINE int few_outputs(const Operation *op, const Tile *t) {
    const int64_t terms = op->features + 1, N = op->outputs, samples = t->run->whole ? t->run->batch : t->width;
    const int64_t as_sums = terms * N * (samples / LANES + 4);
    const int64_t as_rows = (terms * filled(N, LANES) / LANES + N / 2) * samples;
    return as_sums < as_rows;
}

/* The rows of dW from `first` to `last`: dW = X · dYᵀ, (I+1,B)(B,N) -> (I+1,N), summed over the batch. */
static void dense_gradient(const Operation *op, const Tile *t, int64_t first, int64_t last) {
    const int64_t N = op->outputs, ldt = spaced(N);
    const real *X = t->A + (op->x + first) * t->stride, *dY = t->D + op->y * t->stride;
    real *dW = t->G + op->parameters + first * N;
    if (few_outputs(op, t)) {
        dot_products(X, dY, t->stride, t->width, dW, N, t->adds, last - first, N);
        return;
    }
    multiply(&(Product){
        .A = X, .across = t->stride, .along = 1, .terms = t->width,
        .B = t->turned + op->turned * t->stride, .ldb = ldt,
        .Y = dW, .ldy = N, .finish = t->adds ? ADD : PLAIN,
    }, last - first, N);
}

static void dense_backward(const Operation *op, const Tile *t) {
    const int64_t I = op->features, N = op->outputs, ldt = spaced(N);
    const real *dY = t->D + op->y * t->stride;
    if (op->trains && !few_outputs(op, t))
        turned(dY, t->stride, t->turned + op->turned * t->stride + t->column * ldt, ldt, N, t->width);
    if (op->trains && !t->run->whole) dense_gradient(op, t, 0, I + 1);
    if (!op->passes) return;
    multiply(&(Product){                            /* dX = W · dY: (I,N)(N,B) -> (I,B) */
        .A = t->P + op->parameters, .across = N, .along = 1, .terms = N,
        .B = dY, .ldb = t->stride,
        .Y = t->D + op->x * t->stride, .ldy = t->stride,
        .finish = op->adds ? ADD : op->masks ? MASK : PLAIN,
        .other = t->A + op->x * t->stride,          /* what the ReLU before let through */
    }, I, t->width);
}

#endif
