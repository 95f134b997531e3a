/* dL/d(predictions) of softmax and cross-entropy by itself: (softmax(z) - y) · share, y one-hot from class indices. */
#ifndef CHAINRULE_GRADIENT_H
#define CHAINRULE_GRADIENT_H

#include "softmax.h"

#define ADDED 32 /* vectors that are added one after another; sums of sums lose less to rounding */

/* softmax(z) · share of one sample of at least LANES classes; the last vector overlaps the one before. */
INLINE void softmax_row(int64_t C, real share, const real *z, real *d) {
    const int64_t last = C - LANES;
    vec top = load(z + last);
    for (int64_t i = 0; i < last; i += LANES) top = more(load(z + i), top);
    real highest = top[0];
    for (int i = 1; i < LANES; i++) highest = top[i] > highest ? top[i] : highest;
    vec total = all(0), end = exp_below(load(z + last) - highest);
    for (int64_t start = 0; start < last; start += ADDED * LANES) {
        vec part = all(0);
        for (int64_t i = start; i < smaller(start + ADDED * LANES, last); i += LANES) {
            vec e = exp_below(load(z + i) - highest);
            store(d + i, e);
            if (i + LANES > last) e = load_part(d + i, last - i); /* the rest is the last vector's */
            part += e;
        }
        total += part;
    }
    const real factor = share / sum_of(total + end);
    for (int64_t i = 0; i < last; i += LANES) store(d + i, load(d + i) * factor);
    store(d + last, end * factor);
}

/* softmax(z) · share of up to LANES samples of a few classes, turned in a vector for each class. */
INLINE void softmax_tile(int64_t samples, int64_t C, real share, const real *z, real *d) {
    real S[LANES * LANES];
    for (int64_t s = 0; s < LANES; s++)
        for (int64_t c = 0; c < C; c++) S[c * LANES + s] = z[smaller(s, samples - 1) * C + c];
    vec top = largest(S, C, LANES), total = all(0);
    for (int64_t c = 0; c < C; c++) {
        vec e = exp_below(load(S + c * LANES) - top);
        store(S + c * LANES, e);
        total += e;
    }
    vec factor = share / total;
    for (int64_t c = 0; c < C; c++) store(S + c * LANES, load(S + c * LANES) * factor);
    for (int64_t s = 0; s < samples; s++)
        for (int64_t c = 0; c < C; c++) d[s * C + c] = S[c * LANES + s];
}

/* For the samples from `begin` to `end`; returns `end`, or the first sample whose index is no class. */
int64_t NAME(softmax_gradient)(int64_t begin, int64_t end, int64_t C, double share, const real *predictions,
                               const int64_t *labels, real *out) {
    for (int64_t s = begin; s < end; s++)
        if (labels[s] < 0 || labels[s] >= C) return s;
    for (int64_t s = begin; s < end && C >= LANES; s++)
        softmax_row(C, (real)share, predictions + s * C, out + s * C);
    for (int64_t s = begin; s < end && C < LANES; s += LANES)
        softmax_tile(smaller(LANES, end - s), C, (real)share, predictions + s * C, out + s * C);
    for (int64_t s = begin; s < end; s++) out[s * C + labels[s]] -= (real)share;
    return end;
}

#endif
