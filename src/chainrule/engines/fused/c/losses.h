/* The losses: each writes dL/d(predictions) into D and returns Σ share · loss of its samples.
 *
 * z and dz begin with the rows of the predictions and of their gradients; T holds the targets in rows of its own, and
 * after them the row of each sample's share in the batch's loss: 1/B of a plain mean.
 */
#ifndef CHAINRULE_LOSSES_H
#define CHAINRULE_LOSSES_H

#include "softmax.h"

/* log Σ exp(z) - Σ y·z; its derivative softmax(z) - y. Where all samples count alike, one logarithm is taken of the
 * product of their sums, whose exponents are put aside now and then: each sum is at most C. */
INLINE double softmax_crossentropy(const Tile *t, const int64_t C, const real *Z, real *dZ) {
    const int64_t stride = t->stride, factors = C < 32768 ? 8 * LANES : LANES;
    const int weighted = t->run->weights != 0;
    vec losses = all(0), sums = all(1), exponents = all(0), first = load(t->T + C * stride);
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *z = Z + s, *y = t->T + s;
        real *dz = dZ + s;
        vec share = load(y + C * stride), top = largest(z, C, stride), total = all(0), chosen = all(0);
        UNROLL_FEW for (int64_t k = 0; k < C; k++) {
            vec e = exp_below(load(z + k * stride) - top);
            store(dz + k * stride, e);
            total += e;
        }
        vec inverse = share / total;
        UNROLL_FEW for (int64_t k = 0; k < C; k++) {
            vec target = load(y + k * stride);
            chosen += target * (top - load(z + k * stride));
            store(dz + k * stride, load(dz + k * stride) * inverse - target * share);
        }
        if (weighted) {
            losses += (chosen + log_of(total)) * share;
            continue;
        }
        losses += chosen * share;
        if (s + LANES > t->samples) total = where_above(share, all(0), total, all(1)); /* what fills up counts 0 */
        sums *= total;
        if (s % factors == 0) {
            exponents += exponent_of(sums);
            sums = mantissa_of(sums);
        }
    }
    vec logs = (exponents + exponent_of(sums)) * (real)0.6931471805599453 + log_of(mantissa_of(sums));
    if (!weighted) losses += logs * first;
    return (double)sum_of(losses);
}

INLINE vec clipped(vec p, vec low, vec high) {
    p = where_above(low, p, low, p);
    return where_above(p, high, high, p);
}

/* The loss of one prediction p with the target y, and its derivative by p. */
INLINE vec categorical(vec p, vec y) { return -y * log_of(p); }
INLINE vec categorical_slope(vec p, vec y) { return -y / p; }

INLINE vec binary(vec p, vec y) { return -(y * log_of(p) + (1 - y) * log_of(1 - p)); }
INLINE vec binary_slope(vec p, vec y) { return (1 - y) / (1 - p) - y / p; }

INLINE vec sigmoid_crossentropy(vec p, vec y) {
    return above_zero(p) - p * y + log1p_of(exp_below(-absolute(p)));
}
INLINE vec sigmoid_crossentropy_slope(vec p, vec y) { return logistic(p) - y; }

INLINE vec mean_squared(vec p, vec y) { return (p - y) * (p - y); }
INLINE vec mean_squared_slope(vec p, vec y) { return 2 * (p - y); }

INLINE vec mean_absolute(vec p, vec y) { return absolute(p - y); }
INLINE vec mean_absolute_slope(vec p, vec y) { return sign(p - y); }

INLINE vec huber(vec p, vec y, real delta) {
    vec e = p - y, size = absolute(e);
    return where_above(size, all(delta), delta * (size - (real)0.5 * delta), (real)0.5 * e * e);
}
INLINE vec huber_slope(vec p, vec y, real delta) {
    vec e = p - y;
    return where_above(absolute(e), all(delta), delta * sign(e), e);
}

INLINE vec half_squared(vec p, vec y) { return (real)0.5 * (p - y) * (p - y); }
INLINE vec half_squared_slope(vec p, vec y) { return p - y; }

/* Losses that are a mean over the outputs, or a sum: of a distribution's classes, of squares. */
static double loss_of(const Tile *t, const real *Z, real *dZ) {
    const Run *run = t->run;
    const int64_t C = run->outputs, stride = t->stride;
    const vec low = all((real)run->loss_number), high = all((real)run->loss_top);
    const int sums = run->loss == CATEGORICAL || run->loss == HALF_SQUARED;
    const real delta = (real)run->loss_number, part = sums ? 1 : (real)(1.0 / (double)C);
    vec losses = all(0);
    if (run->loss == SOFTMAX_CROSSENTROPY) switch (C) { /* of few classes all stay in registers */
        case 2: return softmax_crossentropy(t, 2, Z, dZ);
        case 3: return softmax_crossentropy(t, 3, Z, dZ);
        case 4: return softmax_crossentropy(t, 4, Z, dZ);
        default: return softmax_crossentropy(t, C, Z, dZ);
    }
#define LOSS(KIND, prepared, value, slope)                                             \
    case KIND:                                                                         \
        for (int64_t s = 0; s < t->width; s += LANES) {                                \
            vec share = load(t->T + C * stride + s), total = all(0);                   \
            for (int64_t i = s; i < s + C * stride; i += stride) {                     \
                vec p = load(Z + i), y = load(t->T + i);                               \
                p = prepared;                                                          \
                total += value;                                                        \
                store(dZ + i, (slope) * part * share);                                 \
            }                                                                          \
            losses += total * share;                                                   \
        }                                                                              \
        break
    switch (run->loss) {
        LOSS(CATEGORICAL, clipped(p, low, high), categorical(p, y), categorical_slope(p, y));
        LOSS(BINARY, clipped(p, low, high), binary(p, y), binary_slope(p, y));
        LOSS(SIGMOID_CROSSENTROPY, p, sigmoid_crossentropy(p, y), sigmoid_crossentropy_slope(p, y));
        LOSS(MEAN_SQUARED, p, mean_squared(p, y), mean_squared_slope(p, y));
        LOSS(MEAN_ABSOLUTE, p, mean_absolute(p, y), mean_absolute_slope(p, y));
        LOSS(HUBER, p, huber(p, y, delta), huber_slope(p, y, delta));
        LOSS(HALF_SQUARED, p, half_squared(p, y), half_squared_slope(p, y));
    }
#undef LOSS
    return (double)sum_of(losses) * (double)part;
}

/* Σ over samples of weight where the first of the largest predictions is that of the label. */
INLINE double class_accuracy(const Tile *t, const int64_t C, const real *Z) {
    const int64_t stride = t->stride;
    const real *label = t->T + (C + 1) * stride, *weight = t->T + (C + 2) * stride;
    vec sum = all(0);
    for (int64_t s = 0; s < t->width; s += LANES) {
        vec top = load(Z + s), class = all(0);
        UNROLL_FEW for (int64_t k = 1; k < C; k++) {
            vec value = load(Z + s + k * stride);
            class = where_above(value, top, all((real)k), class);
            top = where_above(value, top, value, top);
        }
        sum += where_above(absolute(class - load(label + s)), all(0), all(0), load(weight + s));
    }
    return (double)sum_of(sum);
}

/* Σ over samples of weight · what the metric gives: 1 for a right class, the share of right answers, mean |y - p|. */
static double metric_of(const Tile *t, const real *Z) {
    const Run *run = t->run;
    const int64_t C = run->outputs, stride = t->stride;
    const real *weight = t->T + (C + 2) * stride;
    const vec on = all((real)run->on), off = all((real)run->off), zero = all(0), one = all(1);
    vec sum = zero;
    if (run->metric == CLASS_ACCURACY) switch (C) {
        case 2: return class_accuracy(t, 2, Z);
        case 3: return class_accuracy(t, 3, Z);
        case 4: return class_accuracy(t, 4, Z);
        default: return class_accuracy(t, C, Z);
    }
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *z = Z + s, *y = t->T + s;
        vec found = zero;
        for (int64_t i = 0; i < C * stride; i += stride) {
            vec p = load(z + i), wanted = load(y + i);
            if (run->metric == ABSOLUTE_ERROR) {
                found += absolute(wanted - p);
                continue;
            }
            if (run->loss == SIGMOID_CROSSENTROPY) p = logistic(p);
            vec said = where_above(p, all((real)0.5), on, off);
            found += where_above(absolute(said - wanted), zero, zero, one);
        }
        sum += found * load(weight + s);
    }
    return (double)sum_of(sum) / (double)C;
}

#endif
