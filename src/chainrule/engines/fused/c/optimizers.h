/* The optimizers over flat vectors: one pass over parameters, gradients and slots. */
#ifndef CHAINRULE_OPTIMIZERS_H
#define CHAINRULE_OPTIMIZERS_H

#include "functions.h"
#include "run.h"

/* What a pass needs beside the arrays: the numbers of a segment and of the step. */
typedef struct Moving {
    real rate, decay, first, first_rest, second, second_rest, epsilon; /* rest: 1 - it */
    real high;         /* Adam: 1 / (1 - β₂ⁿ), n the number of the step from 1 on; that of β₁ is in the rate */
    real limit, scale; /* of the gradient: each entry within -limit and limit, then all times scale */
} Moving;

static Moving moving_of(const Segment *segment, double rate, double power, double limit, double scale) {
    const int adam = segment->rule == ADAM || segment->rule == ADAMW;
    return (Moving){
        .rate = (real)(adam ? rate / (1 - pow(segment->first, power)) : rate),
        .decay = (real)(segment->rule == ADAMW ? rate * segment->decay : segment->decay),
        .first = (real)segment->first, .first_rest = (real)(1 - segment->first),
        .second = (real)segment->second, .second_rest = (real)(1 - segment->second),
        .epsilon = (real)segment->epsilon,
        .high = adam ? (real)(1 / (1 - pow(segment->second, power))) : 1,
        .limit = (real)limit, .scale = (real)scale,
    };
}

INLINE vec within(vec g, real limit) {
    g = where_above(all(-limit), g, all(-limit), g);
    return where_above(g, all(limit), all(limit), g);
}

/* One vector of parameters p with gradients g and slots m and v. */
INLINE vec moved(const int rule, const Moving *o, vec p, vec g, vec *m, vec *v) {
    g = within(g, o->limit) * o->scale;
    if (rule == ADAMW) p -= o->decay * p;
    else g += o->decay * p;
    switch (rule) {
    case SGD:
        return p - o->rate * g;
    case MOMENTUM:
        *m = o->first * *m + g;
        return p - o->rate * *m;
    case NESTEROV:
        *m = o->first * *m + g;
        return p - o->rate * (g + o->first * *m);
    case ADAGRAD:
        *v = *v + g * g;
        return p - o->rate * g / (root(*v) + o->epsilon);
    case RMSPROP:
        *v = o->first * *v + o->first_rest * (g * g);
        return p - o->rate * g / (root(*v) + o->epsilon);
    default: /* Adam and AdamW */
        *m = o->first * *m + o->first_rest * g;
        *v = o->second * *v + o->second_rest * (g * g);
        return p - o->rate * *m / (root(*v * o->high) + o->epsilon);
    }
}

/* The pass of a rule from `start` to `stop`; returns 0, or NaN where a parameter is not finite. */
INLINE double pass(const int rule, const Moving *o, const Run *run, int64_t start, int64_t stop) {
    const int moves = rule != SGD && rule != ADAGRAD && rule != RMSPROP;
    const int squares = rule != SGD && rule != MOMENTUM && rule != NESTEROV;
    real *P = run->P, *M = run->M, *V = run->V;
    const real *G = run->G;
    vec bad = all(0), m = all(0), v = all(0);
    int64_t i = start;
    for (; i + LANES <= stop; i += LANES) {
        if (moves) m = load(M + i);
        if (squares) v = load(V + i);
        vec p = moved(rule, o, load(P + i), load(G + i), &m, &v);
        store(P + i, p);
        if (moves) store(M + i, m);
        if (squares) store(V + i, v);
        bad += p * 0;
    }
    if (i < stop) {
        const int64_t rest = stop - i;
        if (moves) m = load_part(M + i, rest);
        if (squares) v = load_part(V + i, rest);
        vec p = moved(rule, o, load_part(P + i, rest), load_part(G + i, rest), &m, &v);
        store_part(P + i, p, rest);
        if (moves) store_part(M + i, m, rest);
        if (squares) store_part(V + i, v, rest);
        vec stored = load_part(P + i, rest);
        bad += stored * 0;
    }
    return (double)sum_of(bad);
}

APART double update(const Segment *segment, const Moving *o, const Run *run, int64_t start, int64_t stop) {
    switch (segment->rule) {
    case SGD: return pass(SGD, o, run, start, stop);
    case MOMENTUM: return pass(MOMENTUM, o, run, start, stop);
    case NESTEROV: return pass(NESTEROV, o, run, start, stop);
    case ADAGRAD: return pass(ADAGRAD, o, run, start, stop);
    case RMSPROP: return pass(RMSPROP, o, run, start, stop);
    case ADAM: return pass(ADAM, o, run, start, stop);
    default: return pass(ADAMW, o, run, start, stop);
    }
}

/* Add up the pieces of the gradient and the penalties' into the first piece, from `start` to `stop`.
 * Adds the penalty to *penalty, and to *squares Σg² of the gradient within its limits. */
APART void gather_gradient(const Segment *segment, const Run *run, int64_t pieces, int64_t start, int64_t stop,
                           double limit, double *penalty, double *squares) {
    const real l1 = (real)segment->l1, l2 = (real)segment->l2;
    const real *P = run->P;
    real *G = run->G;
    vec penalties = all(0), norms = all(0);
    for (int64_t i = start; i < stop; i += LANES) {
        const int64_t count = smaller(LANES, stop - i);
        const int full = count == LANES;
        vec g = full ? load(G + i) : load_part(G + i, count);
        for (int64_t piece = 1; piece < pieces; piece++)
            g += full ? load(G + piece * run->size + i) : load_part(G + piece * run->size + i, count);
        if (l1 != 0 || l2 != 0) {
            vec p = full ? load(P + i) : load_part(P + i, count);
            g += l1 * sign(p) + 2 * l2 * p;
            penalties += l1 * absolute(p) + l2 * (p * p);
        }
        if (full) store(G + i, g);
        else store_part(G + i, g, count);
        vec bounded = within(g, (real)limit);
        norms += bounded * bounded;
    }
    *penalty += (double)sum_of(penalties);
    *squares += (double)sum_of(norms);
}

/* Σg² of gradients, in double precision. */
static double squares_of(const real *g, int64_t count) {
    double sums[8] = {0};
    int64_t i = 0;
    for (; i + 8 <= count; i += 8)
        for (int j = 0; j < 8; j++) sums[j] += (double)g[i + j] * (double)g[i + j];
    for (; i < count; i++) sums[0] += (double)g[i] * (double)g[i];
    return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

#endif
