/* Joins of several outputs, as a chain of operations with one or two, and dropout, a product with noise. */
#ifndef CHAINRULE_JOINS_H
#define CHAINRULE_JOINS_H

#include "tile.h"

/* c = a · b over some rows, or c + a · b. */
static void product_rows(const real *a, const real *b, real *c, int64_t features, int64_t stride, int64_t width,
                         int64_t adds) {
    for (int64_t start = 0; start < features * stride; start += stride)
        for (int64_t i = start; i < start + width; i += LANES) put(c + i, load(a + i) * load(b + i), adds);
}

/* y = x · other */
static void product_forward(const Operation *op, const Tile *t) {
    const real *x = t->A + op->x * t->stride, *other = t->A + op->other * t->stride;
    product_rows(x, other, t->A + op->y * t->stride, op->features, t->stride, t->width, 0);
}

/* dx = dy · other, dother = dy · x */
static void product_backward(const Operation *op, const Tile *t) {
    const real *x = t->A + op->x * t->stride, *other = t->A + op->other * t->stride;
    const real *dy = t->D + op->y * t->stride;
    real *dx = t->D + op->x * t->stride, *dother = t->D + op->other * t->stride;
    if (op->passes) product_rows(dy, other, dx, op->features, t->stride, t->width, op->adds);
    if (op->passes_other) product_rows(dy, x, dother, op->features, t->stride, t->width, op->adds_other);
}

/* One part of a sum, or of a concatenation: y = x, or y + x. */
static void part_forward(const Operation *op, const Tile *t) {
    const real *x = t->A + op->x * t->stride;
    real *y = t->A + op->y * t->stride;
    for (int64_t start = 0; start < op->features * t->stride; start += t->stride)
        for (int64_t i = start; i < start + t->width; i += LANES)
            put(y + i, load(x + i), op->variant);
}

/* dx = dy: each part receives the whole of it. */
static void part_backward(const Operation *op, const Tile *t) {
    const real *dy = t->D + op->y * t->stride;
    real *dx = t->D + op->x * t->stride;
    for (int64_t start = 0; start < op->features * t->stride; start += t->stride)
        for (int64_t i = start; i < start + t->width; i += LANES) hand_back(op, dx + i, load(dy + i));
}

/* Threefry-2x32, as in chainrule.noise: random bits from a key and a counter, the same on every engine. */
#define ROUNDS 13
#define WORDS ((int)(VECTOR_BYTES / 4))
typedef uint32_t words __attribute__((vector_size(VECTOR_BYTES)));

INLINE void threefry(words *left, words *right, uint32_t seed, uint32_t node) {
    static const int turns[] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t keys[] = {seed, node, seed ^ node ^ 0x1BD11BDA};
    *left += keys[0], *right += keys[1];
    for (int i = 0; i < ROUNDS; i++) {
        const int turn = turns[i % 8];
        *left += *right;
        *right = *left ^ ((*right << turn) | (*right >> (32 - turn)));
        if (i % 4 == 3) {
            const int injection = i / 4 + 1;
            *left += keys[injection % 3];
            *right += keys[(injection + 1) % 3] + (uint32_t)injection;
        }
    }
}

/* Each of a few numbers: 0 with the probability `rate`, else 1 / (1 - rate). */
INLINE void keep_or_drop(real *mask, words bits, double rate) {
    const float limit = (float)rate;
    const real kept = (real)(1 / (1 - rate));
    for (int i = 0; i < WORDS; i++) mask[i] = (float)(bits[i] >> 8) * 0x1p-24f >= limit ? kept : 0;
}

/* y = x · mask. Of the F features of a sample, the first ⌈F/2⌉ take the first word of a block, the others the second. */
static void dropout_forward(const Operation *op, const Tile *t) {
    const int64_t F = op->features, half = (F + 1) / 2, stride = t->stride;
    real *mask = t->A + op->kept * stride;
    for (int64_t f = 0; f < half; f++)
        for (int64_t s = 0; s < t->width; s += WORDS) {
            words left, right;
            for (int i = 0; i < WORDS; i++) right[i] = (uint32_t)((t->first + s + i) * half + f);
            left = (words){0} + (uint32_t)t->step;
            threefry(&left, &right, (uint32_t)t->run->seed, (uint32_t)op->node);
            keep_or_drop(mask + f * stride + s, left, op->number);
            if (f + half < F) keep_or_drop(mask + (f + half) * stride + s, right, op->number);
        }
    product_rows(t->A + op->x * stride, mask, t->A + op->y * stride, F, stride, t->width, 0);
}

/* dx = dy · mask */
static void dropout_backward(const Operation *op, const Tile *t) {
    const real *mask = t->A + op->kept * t->stride, *dy = t->D + op->y * t->stride;
    product_rows(dy, mask, t->D + op->x * t->stride, op->features, t->stride, t->width, op->adds);
}

#endif
