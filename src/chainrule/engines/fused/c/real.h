/* Vectors of `real` numbers: a few samples at once, with the arithmetic of one.
 *
 * float32.c and float64.c define `real` and include all kernels; the width follows from the level that the library is
 * built for. What C has no operator for (choosing, the larger of two, square roots) is an intrinsic on x86 and a loop
 * over lanes elsewhere.
 */
#ifndef CHAINRULE_REAL_H
#define CHAINRULE_REAL_H

#include <math.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__) && defined(__AVX512DQ__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__) || defined(__aarch64__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
#define LANES ((int)(VECTOR_BYTES / sizeof(real)))
#define INLINE static inline __attribute__((always_inline))
#define APART static __attribute__((noinline))
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#define UNROLL_FEW _Pragma("clang loop unroll_count(4)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL_FEW _Pragma("GCC unroll 4")
#endif

typedef real vec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));
typedef whole ivec __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(real)), may_alias));

INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t filled(int64_t count, int64_t to) { return (count + to - 1) / to * to; }
/* Entries from one row to the next: an odd number of cache lines, so that rows do not meet in the same place of it. */
INLINE int64_t spaced(int64_t count) { return (filled(count, 16) / 16 | 1) * 16; }

/* Keeps a vector in a register where a compiler would rather read it once more for each use. */
#if defined(__x86_64__)
#define KEEP(v) __asm__("" : "+v"(v))
#define HIDE(pointer) __asm__("" : "+r"(pointer)) /* what is known of it */
#else
#define KEEP(v) (void)(v)
#define HIDE(pointer) (void)(pointer)
#endif

INLINE vec load(const real *p) { return *(const vec *)p; }
INLINE void store(real *p, vec v) { *(vec *)p = v; }
INLINE void put(real *p, vec v, int64_t adds) { /* stored, or added to what is there */
    if (adds) v += load(p);
    store(p, v);
}
INLINE vec all(real x) { return x - (vec){0}; }

/* The first `count` entries; the others are 0. */
INLINE vec load_part(const real *p, int64_t count) {
    vec v = {0};
    memcpy(&v, p, (size_t)count * sizeof(real));
    return v;
}
INLINE void store_part(real *p, vec v, int64_t count) { memcpy(p, &v, (size_t)count * sizeof(real)); }

/* where_above: x where a > b, else y, also where one of them is NaN; more: a where a > b, else b; root: √a;
 * any_above_zero: whether an entry is. */
#if VECTOR_BYTES == 64 && SINGLE
INLINE vec where_above(vec a, vec b, vec x, vec y) {
    return (vec)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_GT_OQ), (__m512)y, (__m512)x);
}
INLINE vec more(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vec root(vec a) { return (vec)_mm512_sqrt_ps((__m512)a); }
INLINE int any_above_zero(vec a) { return _mm512_cmp_ps_mask((__m512)a, _mm512_setzero_ps(), _CMP_GT_OQ) != 0; }
#elif VECTOR_BYTES == 64
INLINE vec where_above(vec a, vec b, vec x, vec y) {
    return (vec)_mm512_mask_blend_pd(_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_GT_OQ), (__m512d)y, (__m512d)x);
}
INLINE vec more(vec a, vec b) { return (vec)_mm512_max_pd((__m512d)a, (__m512d)b); }
INLINE vec root(vec a) { return (vec)_mm512_sqrt_pd((__m512d)a); }
INLINE int any_above_zero(vec a) { return _mm512_cmp_pd_mask((__m512d)a, _mm512_setzero_pd(), _CMP_GT_OQ) != 0; }
#elif defined(__AVX2__) && SINGLE
INLINE vec where_above(vec a, vec b, vec x, vec y) {
    return (vec)_mm256_blendv_ps((__m256)y, (__m256)x, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_GT_OQ));
}
INLINE vec more(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vec root(vec a) { return (vec)_mm256_sqrt_ps((__m256)a); }
INLINE int any_above_zero(vec a) {
    return _mm256_movemask_ps(_mm256_cmp_ps((__m256)a, _mm256_setzero_ps(), _CMP_GT_OQ)) != 0;
}
#elif defined(__AVX2__)
INLINE vec where_above(vec a, vec b, vec x, vec y) {
    return (vec)_mm256_blendv_pd((__m256d)y, (__m256d)x, _mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_GT_OQ));
}
INLINE vec more(vec a, vec b) { return (vec)_mm256_max_pd((__m256d)a, (__m256d)b); }
INLINE vec root(vec a) { return (vec)_mm256_sqrt_pd((__m256d)a); }
INLINE int any_above_zero(vec a) {
    return _mm256_movemask_pd(_mm256_cmp_pd((__m256d)a, _mm256_setzero_pd(), _CMP_GT_OQ)) != 0;
}
#else
INLINE vec where_above(vec a, vec b, vec x, vec y) {
    ivec chosen = a > b;
    return (vec)((chosen & (ivec)x) | (~chosen & (ivec)y));
}
INLINE vec more(vec a, vec b) { return where_above(a, b, a, b); }
INLINE vec root(vec a) {
    for (int i = 0; i < LANES; i++) a[i] = SINGLE ? sqrtf((float)a[i]) : sqrt((double)a[i]);
    return a;
}
INLINE int any_above_zero(vec a) {
    ivec above = a > all(0);
    whole found = 0;
    UNROLL for (int i = 0; i < LANES; i++) found |= above[i];
    return found != 0;
}
#endif
/* The first `count` entries; the others are 0. */
INLINE vec first_of(vec a, int64_t count) {
    static const real places[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return where_above(all((real)count), load(places), a, all(0));
}
INLINE vec above_zero(vec a) { return more(all(0), a); } /* a NaN stays */

/* zip_low(a, b) = a0 b0 a1 b1 ... of the first halves, zip_high of the second. */
#define ZIP2(from, n) from, from + n
#define ZIP4(from, n) ZIP2(from, n), ZIP2(from + 1, n)
#define ZIP8(from, n) ZIP4(from, n), ZIP4(from + 2, n)
#define ZIP16(from, n) ZIP8(from, n), ZIP8(from + 4, n)
#if VECTOR_BYTES == 16 * (2 - SINGLE)
#define ZIP(from) ZIP4(from, 4)
#elif VECTOR_BYTES == 32 * (2 - SINGLE)
#define ZIP(from) ZIP8(from, 8)
#elif VECTOR_BYTES == 64 * (2 - SINGLE)
#define ZIP(from) ZIP16(from, 16)
#else
#define ZIP(from) ZIP2(from, 2)
#endif
INLINE vec zip_low(vec a, vec b) { return __builtin_shufflevector(a, b, ZIP(0)); }
INLINE vec zip_high(vec a, vec b) { return __builtin_shufflevector(a, b, ZIP(VECTOR_BYTES / (int)sizeof(real) / 2)); }

/* The sums of the entries of LANES vectors, in one vector. */
INLINE vec sums_of(vec v[LANES]) {
    UNROLL for (int n = LANES / 2; n > 0; n /= 2)
        UNROLL for (int i = 0; i < n; i++) v[i] = zip_low(v[i], v[i + n]) + zip_high(v[i], v[i + n]);
    return v[0];
}

INLINE real sum_of(vec v) {
    real buffer[LANES];
    store(buffer, v);
    UNROLL for (int n = LANES / 2; n > 0; n /= 2)
        for (int i = 0; i < n; i++) buffer[i] += buffer[i + n];
    return buffer[0];
}

/* Rows become columns: LANES zips of zips. */
INLINE void turn(vec v[LANES]) {
    UNROLL for (int round = 1; round < LANES; round *= 2) {
        vec w[LANES];
        UNROLL for (int i = 0; i < LANES / 2; i++) {
            w[2 * i] = zip_low(v[i], v[i + LANES / 2]);
            w[2 * i + 1] = zip_high(v[i], v[i + LANES / 2]);
        }
        UNROLL for (int i = 0; i < LANES; i++) v[i] = w[i];
    }
}

#endif
