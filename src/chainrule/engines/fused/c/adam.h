/* Adam's step from arrays into others, with the bits of Adam.pure_update in NumPy: every product is rounded by itself. */
#ifndef CHAINRULE_ADAM_H
#define CHAINRULE_ADAM_H

#include "real.h"

/* By name, in the order in which they are handed over. */
typedef struct Adam {
    real rate, first, first_rest, first_high, second, second_rest, second_high, epsilon; /* rest: 1 - β, high: 1 - βⁿ */
} Adam;

INLINE vec sum_of_products(real a, vec x, real b, vec y) {
    vec ax = a * x, by = b * y;
    KEEP(ax); /* or it would be contracted with the sum */
    KEEP(by);
    return ax + by;
}

INLINE vec adam_step(const Adam *o, vec p, vec g, vec *m, vec *v) {
    vec square = g * g;
    KEEP(square);
    *m = sum_of_products(o->first, *m, o->first_rest, g);
    *v = sum_of_products(o->second, *v, o->second_rest, square);
    return p - o->rate * (*m / o->first_high) / (root(*v / o->second_high) + o->epsilon);
}

/* Returns whether it was done: where KEEP keeps nothing apart, it is not. */
int64_t NAME(adam)(int64_t count, const double *settings, const real *P, const real *G, const real *M, const real *V,
                   real *moved, real *momentum, real *cache) {
#if defined(__x86_64__)
    real own[8];
    for (int i = 0; i < 8; i++) own[i] = (real)settings[i];
    Adam o;
    memcpy(&o, own, sizeof o);
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vec m = load(M + i), v = load(V + i);
        store(moved + i, adam_step(&o, load(P + i), load(G + i), &m, &v));
        store(momentum + i, m);
        store(cache + i, v);
    }
    if (i < count) {
        const int64_t rest = count - i;
        vec m = load_part(M + i, rest), v = load_part(V + i, rest);
        store_part(moved + i, adam_step(&o, load_part(P + i, rest), load_part(G + i, rest), &m, &v), rest);
        store_part(momentum + i, m, rest);
        store_part(cache + i, v, rest);
    }
    return 1;
#else
    return 0;
#endif
}

#endif
