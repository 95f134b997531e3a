/* Softmax and its logarithm: each sample over its features. */
#ifndef CHAINRULE_SOFTMAX_H
#define CHAINRULE_SOFTMAX_H

#include "functions.h"
#include "tile.h"

/* The largest of a sample's features. */
INLINE vec largest(const real *x, int64_t features, int64_t stride) {
    vec top = load(x);
    for (int64_t k = 1; k < features; k++) top = more(load(x + k * stride), top);
    return top;
}

/* y = exp(x) / Σ exp(x) */
static void softmax_forward(const Operation *op, const Tile *t) {
    const int64_t stride = t->stride, end = op->features * stride;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *x = t->A + op->x * stride + s;
        real *y = t->A + op->y * stride + s;
        vec top = largest(x, op->features, stride), total = all(0);
        for (int64_t i = 0; i < end; i += stride) {
            vec e = exp_below(load(x + i) - top);
            store(y + i, e);
            total += e;
        }
        vec inverse = 1 / total;
        for (int64_t i = 0; i < end; i += stride) store(y + i, load(y + i) * inverse);
    }
}

/* dx = y · (dy - Σ dy·y) */
static void softmax_backward(const Operation *op, const Tile *t) {
    const int64_t stride = t->stride, end = op->features * stride;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *y = t->A + op->y * stride + s, *dy = t->D + op->y * stride + s;
        real *dx = t->D + op->x * stride + s;
        vec along = all(0);
        for (int64_t i = 0; i < end; i += stride) along += load(dy + i) * load(y + i);
        for (int64_t i = 0; i < end; i += stride) hand_back(op, dx + i, load(y + i) * (load(dy + i) - along));
    }
}

/* y = x - log Σ exp(x) */
static void log_softmax_forward(const Operation *op, const Tile *t) {
    const int64_t stride = t->stride, end = op->features * stride;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *x = t->A + op->x * stride + s;
        real *y = t->A + op->y * stride + s;
        vec top = largest(x, op->features, stride), total = all(0);
        for (int64_t i = 0; i < end; i += stride) total += exp_below(load(x + i) - top);
        vec rest = log_of(total);
        for (int64_t i = 0; i < end; i += stride) store(y + i, load(x + i) - top - rest); /* top + rest may lose rest */
    }
}

/* dx = dy - exp(y) · Σ dy */
static void log_softmax_backward(const Operation *op, const Tile *t) {
    const int64_t stride = t->stride, end = op->features * stride;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *y = t->A + op->y * stride + s, *dy = t->D + op->y * stride + s;
        real *dx = t->D + op->x * stride + s;
        vec total = all(0);
        for (int64_t i = 0; i < end; i += stride) total += load(dy + i);
        for (int64_t i = 0; i < end; i += stride) hand_back(op, dx + i, load(dy + i) - exp_below(load(y + i)) * total);
    }
}

#endif
