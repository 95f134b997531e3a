/* Activations, entry by entry: a value of the input x, and below it its derivative, of x and of the output y. */
#ifndef CHAINRULE_ACTIVATIONS_H
#define CHAINRULE_ACTIVATIONS_H

#include "functions.h"
#include "tile.h"

#define BEND ((real)0.7978845608028654) /* √(2/π) */
#define ROOT_HALF ((real)0.7071067811865476)

INLINE vec relu(vec x) { return above_zero(x); }
INLINE vec relu_slope(vec y) { return where_above(y, all(0), all(1), all(0)); }

INLINE vec leaky_relu(vec x, real slope) { return where_above(x, all(0), x, slope * x); }
INLINE vec leaky_relu_slope(vec x, real slope) { return where_above(x, all(0), all(1), all(slope)); }

INLINE vec elu(vec x, real alpha) { return where_above(x, all(0), x, alpha * expm1_below(lesser(x, all(0)))); }
INLINE vec elu_slope(vec x, real alpha) { return where_above(x, all(0), all(1), alpha * exp_below(lesser(x, all(0)))); }

INLINE vec gelu(vec x) { return x * ((real)0.5 * erfc_of(-ROOT_HALF * x)); }
INLINE vec gelu_slope(vec x) { return (real)0.5 * erfc_of(-ROOT_HALF * x) + x * normal_density(x); }

INLINE vec bent(vec x) { return tanh_of(BEND * (x + (real)0.044715 * x * x * x)); }
INLINE vec gelu_tanh(vec x) { return x * (real)0.5 * (1 + bent(x)); }
INLINE vec gelu_tanh_slope(vec x) {
    vec t = bent(x);
    return (real)0.5 * (1 + t) + x * ((real)0.5 * (1 - t * t) * (BEND * (1 + (real)0.134145 * x * x)));
}

INLINE vec silu(vec x) { return x * logistic(x); }
INLINE vec silu_slope(vec x) {
    vec s = logistic(x);
    return s + x * s * (1 - s);
}

INLINE vec softplus(vec x) { return above_zero(x) + log1p_of(exp_below(-absolute(x))); }
INLINE vec softplus_slope(vec x) { return logistic(x); }

INLINE vec sigmoid(vec x) { return logistic(x); }
INLINE vec sigmoid_slope(vec y) { return y * (1 - y); }

INLINE vec tanh_slope(vec y) { return 1 - y * y; }

#define EACH_ENTRY(op, t)                                                                                  \
    for (int64_t row = 0; row < (op)->features; row++)                                                     \
        for (int64_t i = row * (t)->stride; i < row * (t)->stride + (t)->width; i += LANES)

/* output = value(inputs) */
static void activation_forward(const Operation *op, const Tile *t) {
    const real *X = t->A + op->x * t->stride, number = (real)op->number;
    real *Y = t->A + op->y * t->stride;
#define VALUE(KIND, value) case KIND: EACH_ENTRY(op, t) { vec x = load(X + i); store(Y + i, value); } break
    switch (op->kind) {
        VALUE(RELU, relu(x));
        VALUE(LEAKY_RELU, leaky_relu(x, number));
        VALUE(ELU, elu(x, number));
        VALUE(GELU, gelu(x));
        VALUE(GELU_TANH, gelu_tanh(x));
        VALUE(SILU, silu(x));
        VALUE(SOFTPLUS, softplus(x));
        VALUE(SIGMOID, sigmoid(x));
        VALUE(TANH, tanh_of(x));
    }
#undef VALUE
}

/* dinputs = dvalues · slope. An output may lie in the place of its input: then only y is read. */
static void activation_backward(const Operation *op, const Tile *t) {
    const real *X = t->A + op->x * t->stride, *Y = t->A + op->y * t->stride, number = (real)op->number;
    const real *dY = t->D + op->y * t->stride;
    real *dX = t->D + op->x * t->stride;
#define SLOPE(KIND, of, slope)                                                                             \
    case KIND: EACH_ENTRY(op, t) { vec of = load((*#of == 'x' ? X : Y) + i); hand_back(op, dX + i, load(dY + i) * (slope)); } break
    switch (op->kind) {
        SLOPE(RELU, y, relu_slope(y));
        SLOPE(LEAKY_RELU, x, leaky_relu_slope(x, number));
        SLOPE(ELU, x, elu_slope(x, number));
        SLOPE(GELU, x, gelu_slope(x));
        SLOPE(GELU_TANH, x, gelu_tanh_slope(x));
        SLOPE(SILU, x, silu_slope(x));
        SLOPE(SOFTPLUS, x, softplus_slope(x));
        SLOPE(SIGMOID, y, sigmoid_slope(y));
        SLOPE(TANH, y, tanh_slope(y));
    }
#undef SLOPE
}

#endif
