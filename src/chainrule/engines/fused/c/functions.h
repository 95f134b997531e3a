/* Functions of a vector, from additions and multiplications: exp, log and what follows from them.
 *
 * Each is within a few units in the last place of the exact value; float32 takes the shorter series.
 */
#ifndef CHAINRULE_FUNCTIONS_H
#define CHAINRULE_FUNCTIONS_H

#include "real.h"

#if SINGLE
#define FRACTION_BITS 23
#define EXPONENT_BIAS 127
#define ROUNDER 12582912.0f   /* 1.5 · 2²³: adding it rounds to a whole number */
#define LOWEST -87.3f         /* exp of it is the smallest normal number */
#define HIGHEST 88.72283f
#define LOG2_HIGH 0.693359375f
#define LOG2_LOW -2.12194440e-4f
#define SERIES 7              /* terms of exp's and of atanh's */
#define ATANH_SERIES 7
#else
#define FRACTION_BITS 52
#define EXPONENT_BIAS 1023
#define ROUNDER 6755399441055744.0
#define LOWEST -708.0
#define HIGHEST 709.782712893384
#define LOG2_HIGH 6.93147180369123816490e-01
#define LOG2_LOW 1.90821492927058770002e-10
#define SERIES 13
#define ATANH_SERIES 18
#endif

static const real INVERSE_FACTORIALS[] = {
    (real)1, (real)1, (real)(1 / 2.0), (real)(1 / 6.0), (real)(1 / 24.0), (real)(1 / 120.0), (real)(1 / 720.0),
    (real)(1 / 5040.0), (real)(1 / 40320.0), (real)(1 / 362880.0), (real)(1 / 3628800.0), (real)(1 / 39916800.0),
    (real)(1 / 479001600.0), (real)(1 / 6227020800.0),
};

/* erfc(x) = t · exp(-x²) · P(t), t = 2 / (2 + x), for x >= 0: P's Chebyshev series, as in chainrule.special. */
static const real ERFC[] = {
    (real)1.1540674772329393772, (real)0.35543692127049848731, (real)0.06509515882878652455,
    (real)0.0036711423958366391659, (real)-0.0011128447433526324969, (real)-0.00016075829915378079758,
    (real)0.000032780315741731370605, (real)5.4424416455050160333e-6, (real)-1.5154665553171481622e-6,
    (real)-1.4297608181169864917e-7, (real)8.234608827419493433e-8, (real)-1.2962846852306562536e-9,
    (real)-4.1547216310151983042e-9, (real)6.3470582783628111814e-10, (real)1.4320822712256223707e-10,
    (real)-6.1603901052045855418e-11, (real)2.0612138554721696306e-12, (real)3.571493148847704445e-12,
    (real)-8.5864228432517964757e-13, (real)-6.145600213790630554e-14, (real)7.4187257485966170573e-14,
    (real)-1.2895042755032325615e-14, (real)-2.3587263857106323568e-15, (real)1.5729349381685911397e-15,
    (real)-2.2782966239546465174e-16, (real)-6.3123304507564298101e-17, (real)3.5916763531814922992e-17,
};

INLINE vec lesser(vec a, vec b) { return where_above(a, b, b, a); }
INLINE vec absolute(vec x) { return where_above(all(0), x, -x, x); }
INLINE vec sign(vec x) { return where_above(x, all(0), all(1), where_above(all(0), x, all(-1), all(0))); }

/* exp(x) = 2ⁿ · (1 + rest), n the nearest whole number to x / log 2. */
INLINE vec exp_parts(vec x, vec *rest) {
    x = more(all(LOWEST), x);
    vec shifted = x * (real)1.4426950408889634 + ROUNDER;
    vec n = shifted - ROUNDER;
    vec r = (x - n * LOG2_HIGH) - n * LOG2_LOW;
    vec series = all(INVERSE_FACTORIALS[SERIES]);
    UNROLL for (int k = SERIES - 1; k > 1; k--) series = series * r + INVERSE_FACTORIALS[k];
    *rest = r + r * r * series;
    return (vec)(((ivec)shifted + EXPONENT_BIAS) << FRACTION_BITS);
}

/* exp(x) for x <= 0; below the smallest normal number it stays there. */
INLINE vec exp_below(vec x) {
    vec rest, scale = exp_parts(x, &rest);
    return scale + scale * rest;
}

/* exp(x) - 1 for x <= 0. */
INLINE vec expm1_below(vec x) {
    vec rest, scale = exp_parts(x, &rest);
    return scale * rest + (scale - 1);
}

/* m and e, where x = m · 2ᵉ with 1 <= m < 2. */
INLINE vec mantissa_of(vec x) {
    ivec fraction = (ivec)x & (((whole)1 << FRACTION_BITS) - 1);
    return (vec)(fraction | ((whole)EXPONENT_BIAS << FRACTION_BITS));
}
INLINE vec exponent_of(vec x) {
    return __builtin_convertvector(((ivec)x >> FRACTION_BITS) - EXPONENT_BIAS, vec);
}

/* 2 · atanh(s), |s| <= 1/3. */
INLINE vec two_atanh(vec s) {
    vec square = s * s, series = all((real)(1.0 / (2 * ATANH_SERIES + 1)));
    UNROLL for (int k = ATANH_SERIES - 1; k > 0; k--) series = series * square + (real)(1.0 / (2 * k + 1));
    return 2 * s + 2 * s * square * series;
}

/* The natural logarithm of positive normal numbers. */
INLINE vec log_of(vec x) {
    vec m = mantissa_of(x), e = exponent_of(x), large = all((real)1.4142135623730951);
    e = where_above(m, large, e + 1, e);
    m = where_above(m, large, m * (real)0.5, m);
    return e * (real)0.6931471805599453 + two_atanh((m - 1) / (m + 1));
}

/* log(1 + x) for x from 0 to 1. */
INLINE vec log1p_of(vec x) { return two_atanh(x / (x + 2)); }

INLINE vec logistic(vec x) {
    vec e = exp_below(-absolute(x));
    return where_above(all(0), x, e, all(1)) / (1 + e);
}

INLINE vec tanh_of(vec x) {
    vec small = expm1_below(-2 * absolute(x));
    vec size = -small / (small + 2);
    return where_above(all(0), x, -size, size);
}

APART vec erfc_of(vec x) {
    vec size = absolute(x), t = 2 / (2 + size);
    vec y = 4 * t - 2, now = 0 * y, before = now;
    for (int k = sizeof ERFC / sizeof *ERFC - 1; k > 0; k--) { /* Clenshaw's recurrence */
        vec following = y * now - before + ERFC[k];
        before = now;
        now = following;
    }
    vec tail = t * exp_below(-size * size) * ((real)0.5 * (y * now + ERFC[0]) - before);
    return where_above(all(0), x, 2 - tail, tail);
}

/* exp(-x²/2) / √(2π). */
INLINE vec normal_density(vec x) { return exp_below((real)-0.5 * x * x) * (real)0.3989422804014327; }

#endif
