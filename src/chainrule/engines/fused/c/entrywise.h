/* A function of one entry that a user has written, as a short program: each line is one operation on vectors.
 *
 * The session makes the lines from the trace of the layer's pair. They are gone through for a few samples at a time, the
 * line outside and the samples inside, so that results stay in the first cache and a line costs little to look up.
 */
#ifndef CHAINRULE_ENTRYWISE_H
#define CHAINRULE_ENTRYWISE_H

#include "functions.h"
#include "tile.h"

#define SOME 64 /* samples */

typedef real Results[LINES][SOME];

INLINE vec truth(vec yes) { return where_above(absolute(yes), all(0), all(1), all(0)); }
INLINE vec equal(vec a, vec b) { return where_above(a, b, all(0), where_above(b, a, all(0), all(1))); }
INLINE vec unless_nan(vec x, vec result) { return where_above(absolute(x), all(-1), result, x); }

/* exp(x) and exp(x) - 1 of any number: infinity beyond the largest one, 0 below the smallest normal one. */
INLINE vec exp_of(vec x) {
    vec rest, scale = exp_parts(lesser(x, all(HIGHEST)), &rest);
    vec half = (vec)((ivec)scale - ((whole)1 << FRACTION_BITS)); /* 2ⁿ itself may be too large */
    vec e = where_above(all(LOWEST), x, all(0), 2 * (half + half * rest));
    return where_above(x, all(HIGHEST), all((real)INFINITY), e);
}
INLINE vec expm1_of(vec x) { return where_above(x, all(1), exp_of(x) - 1, expm1_below(lesser(x, all(1)))); }

/* Functions of the system, entry by entry. */
#define EACH(function) UNROLL for (int i = 0; i < LANES; i++) r[i] = (real)function((double)a[i]);

INLINE vec result_of(const int operation, vec a, vec b, vec c) {
    vec r = a;
    switch (operation) {
    case NEG: return -a;
    case PLUS: return a + b;
    case SUB: return a - b;
    case MUL: return a * b;
    case DIV: return a / b;
    case EXP: return exp_of(a);
    case EXPM1: return expm1_of(a);
    case LOG: EACH(log) return r;
    case LOG1P: EACH(log1p) return r;
    case SQRT: return root(a);
    case ABS: return absolute(a);
    case SIGN: return unless_nan(a, sign(a));
    case SIN: EACH(sin) return r;
    case COS: EACH(cos) return r;
    case SINH: EACH(sinh) return r;
    case COSH: EACH(cosh) return r;
    case TANH_OF: return tanh_of(a);
    case ARCTAN: EACH(atan) return r;
    case POW:
        UNROLL for (int i = 0; i < LANES; i++) r[i] = (real)pow((double)a[i], (double)b[i]);
        return r;
    case MAX: return unless_nan(b, where_above(b, a, b, a));
    case MIN: return unless_nan(b, where_above(a, b, b, a));
    case WHERE: return where_above(absolute(a), all(0), b, c);
    case GT: return where_above(a, b, all(1), all(0));
    case GE: return truth(where_above(a, b, all(1), equal(a, b)));
    case LT: return where_above(b, a, all(1), all(0));
    case LE: return truth(where_above(b, a, all(1), equal(a, b)));
    case EQ: return equal(a, b);
    case NE: return 1 - equal(a, b);
    case AND: return truth(a) * truth(b);
    case OR: return truth(truth(a) + truth(b));
    case NOT: return 1 - truth(a);
    case LOGISTIC: return logistic(a);
    case SOFTPLUS_OF: return above_zero(a) + log1p_of(exp_below(-absolute(a)));
    case ERFC_OF: return erfc_of(a);
    case NORMAL_CDF: return (real)0.5 * erfc_of((real)-0.7071067811865476 * a);
    default: return normal_density(a);
    }
}
#undef EACH

/* The last line's result for x, and for dvalues d, of up to SOME samples. */
static const real *run_lines(const Line *lines, int64_t count, const real *x, const real *d, int64_t samples,
                             Results results) {
    for (int64_t n = 0; n < count; n++) {
        const Line *line = lines + n;
        const real *a = results[line->a], *b = results[line->b], *c = results[line->c];
        real *r = results[n];
#define ROW(KIND, value) case KIND: for (int64_t s = 0; s < samples; s += LANES) store(r + s, value); break
#define CASE(KIND) ROW(KIND, result_of(KIND, load(a + s), load(b + s), load(c + s)))
        switch (line->operation) {
            ROW(NUMBER, all((real)line->number));
            ROW(INPUTS, load(x + s));
            ROW(DVALUES, load(d + s));
            CASE(NEG); CASE(PLUS); CASE(SUB); CASE(MUL); CASE(DIV); CASE(POW); CASE(EXP); CASE(EXPM1); CASE(LOG);
            CASE(LOG1P); CASE(SQRT); CASE(ABS); CASE(SIGN); CASE(SIN); CASE(COS); CASE(SINH); CASE(COSH);
            CASE(TANH_OF); CASE(ARCTAN); CASE(MAX); CASE(MIN); CASE(WHERE); CASE(GT); CASE(GE); CASE(LT); CASE(LE);
            CASE(EQ); CASE(NE); CASE(AND); CASE(OR); CASE(NOT); CASE(LOGISTIC); CASE(SOFTPLUS_OF); CASE(ERFC_OF);
            CASE(NORMAL_CDF); CASE(NORMAL_DENSITY);
        }
#undef CASE
#undef ROW
    }
    return results[count - 1];
}

/* output = value(inputs) */
static void entrywise_forward(const Operation *op, const Tile *t) {
    const Line *lines = t->run->lines + op->lines;
    Results results;
    for (int64_t row = 0; row < op->features; row++)
        for (int64_t s = 0; s < t->width; s += SOME) {
            const int64_t samples = smaller(SOME, t->width - s);
            const real *x = t->A + (op->x + row) * t->stride + s;
            const real *y = run_lines(lines, op->line_count, x, x, samples, results);
            memcpy(t->A + (op->y + row) * t->stride + s, y, (size_t)samples * sizeof(real));
        }
}

/* dinputs = the pair's own backward pass, of inputs and dvalues */
static void entrywise_backward(const Operation *op, const Tile *t) {
    const Line *lines = t->run->lines + op->slopes;
    Results results;
    for (int64_t row = 0; row < op->features; row++)
        for (int64_t s = 0; s < t->width; s += SOME) {
            const int64_t samples = smaller(SOME, t->width - s);
            const real *x = t->A + (op->x + row) * t->stride + s, *dy = t->D + (op->y + row) * t->stride + s;
            const real *dx = run_lines(lines, op->slope_count, x, dy, samples, results);
            for (int64_t i = 0; i < samples; i += LANES)
                hand_back(op, t->D + (op->x + row) * t->stride + s + i, load(dx + i));
        }
}

#endif
