/* LayerNorm and BatchNorm: n = (x - mean) / std, output = gamma · n + beta.
 *
 * The mean and the variance each move with every x, so that with d = dL/dn the three terms of dL/dx add up to
 * (d - mean(d) - n · mean(d·n)) / std. Kept are the rows of n, and after them 1 / std: a row of one for each sample
 * (LayerNorm), or one for each feature (BatchNorm).
 */
#ifndef CHAINRULE_NORMALIZATION_H
#define CHAINRULE_NORMALIZATION_H

#include "tile.h"

/* Each sample over its features. */
static void layer_norm_forward(const Operation *op, const Tile *t) {
    const int64_t F = op->features, stride = t->stride;
    const real *gamma = t->P + op->parameters, *beta = gamma + F;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *x = t->A + op->x * stride + s;
        real *y = t->A + op->y * stride + s, *n = t->A + op->kept * stride + s;
        vec mean = all(0), variance = all(0);
        for (int64_t k = 0; k < F; k++) mean += load(x + k * stride);
        mean /= (real)F;
        for (int64_t k = 0; k < F; k++) {
            vec centered = load(x + k * stride) - mean;
            variance += centered * centered;
        }
        vec inverse = 1 / root(variance / (real)F + (real)op->number);
        store(n + F * stride, inverse);
        for (int64_t k = 0; k < F; k++) {
            vec normalized = (load(x + k * stride) - mean) * inverse;
            store(n + k * stride, normalized);
            store(y + k * stride, gamma[k] * normalized + beta[k]);
        }
    }
}

static void layer_norm_backward(const Operation *op, const Tile *t) {
    const int64_t F = op->features, stride = t->stride;
    const real *gamma = t->P + op->parameters;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *n = t->A + op->kept * stride + s, *dy = t->D + op->y * stride + s;
        real *dx = t->D + op->x * stride + s;
        vec mean = all(0), along = all(0), inverse = load(n + F * stride);
        for (int64_t k = 0; k < F; k++) {
            vec d = gamma[k] * load(dy + k * stride);
            mean += d;
            along += d * load(n + k * stride);
        }
        mean /= (real)F, along /= (real)F;
        for (int64_t k = 0; k < F; k++) {
            vec d = gamma[k] * load(dy + k * stride);
            hand_back(op, dx + k * stride, (d - mean - load(n + k * stride) * along) * inverse);
        }
    }
}

/* Σ a and Σ a·b over the samples of a row, without those that only fill its last vector. */
INLINE void row_sums(const real *a, const real *b, int64_t samples, real *sum, real *product) {
    vec total = all(0), along = all(0);
    int64_t s = 0;
    for (; s + LANES <= samples; s += LANES) total += load(a + s), along += load(a + s) * load(b + s);
    if (s < samples) {
        vec value = load_part(a + s, samples - s);
        total += value, along += value * load_part(b + s, samples - s);
    }
    *sum = sum_of(total), *product = sum_of(along);
}

/* Each feature over the samples of the batch, whose mean and unbiased variance move the running ones; or over those.
 * One sample has no variance: it passes as in inference. */
static void batch_norm_forward(const Operation *op, const Tile *t) {
    const int64_t F = op->features, stride = t->stride;
    const real *gamma = t->P + op->parameters, *beta = gamma + F, momentum = (real)op->momentum;
    real *running = (real *)t->run->P + op->state, unused;
    real *inverses = t->A + (op->kept + F) * stride;
    for (int64_t k = 0; k < F; k++) {
        const real *x = t->A + (op->x + k) * stride;
        real *y = t->A + (op->y + k) * stride, *n = t->A + (op->kept + k) * stride;
        real mean = running[k], variance = running[F + k];
        if (op->variant && t->samples > 1) {
            row_sums(x, x, t->samples, &mean, &unused);
            mean /= (real)t->samples;
            for (int64_t s = 0; s < t->width; s += LANES) store(n + s, load(x + s) - mean);
            row_sums(n, n, t->samples, &unused, &variance);
            variance /= (real)t->samples;
            running[k] = momentum * running[k] + (1 - momentum) * mean;
            const real unbiased = variance * ((real)t->samples / (real)(t->samples - 1));
            running[F + k] = momentum * running[F + k] + (1 - momentum) * unbiased;
        }
        const real inverse = inverses[k] = (real)(1 / sqrt((double)(variance + (real)op->number)));
        for (int64_t s = 0; s < t->width; s += LANES) {
            vec normalized = (load(x + s) - mean) * inverse;
            store(n + s, normalized);
            store(y + s, gamma[k] * normalized + beta[k]);
        }
    }
}

static void batch_norm_backward(const Operation *op, const Tile *t) {
    const int64_t F = op->features, stride = t->stride;
    const real *gamma = t->P + op->parameters, *inverses = t->A + (op->kept + F) * stride;
    for (int64_t k = 0; k < F; k++) {
        const real *n = t->A + (op->kept + k) * stride, *dy = t->D + (op->y + k) * stride;
        const real factor = gamma[k] * inverses[k];
        real *dx = t->D + (op->x + k) * stride, mean = 0, along = 0;
        if (op->variant && t->samples > 1) { /* else the running statistics are constants */
            row_sums(dy, n, t->samples, &mean, &along);
            mean /= (real)t->samples, along /= (real)t->samples;
        }
        for (int64_t s = 0; s < t->width; s += LANES)
            hand_back(op, dx + s, factor * (load(dy + s) - mean - load(n + s) * along));
        for (int64_t s = t->samples; s < t->width; s++) dx[s] = 0; /* the rest of the last vector is no sample */
    }
}

/* dgamma = Σ dy · n and dbeta = Σ dy, over the samples. */
static void normalization_gradient(const Operation *op, const Tile *t) {
    const int64_t F = op->features, stride = t->stride;
    real *dgamma = t->G + op->parameters, *dbeta = dgamma + F;
    for (int64_t k = 0; k < F; k++) {
        const real *n = t->A + (op->kept + k) * stride, *dy = t->D + (op->y + k) * stride;
        real beta, gamma;
        row_sums(dy, n, t->samples, &beta, &gamma);
        dgamma[k] = gamma + (t->adds ? dgamma[k] : 0);
        dbeta[k] = beta + (t->adds ? dbeta[k] : 0);
    }
}

#endif
