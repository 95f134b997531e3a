/* The product of matrices: Y = A · B, blocks of it in registers, no copy of B.
 *
 * A may lie either way round: entry (r, t) is A[r·across + t·along]. B (terms, width) and Y (rows, width) lie row by
 * row. Each entry of A is spread over a vector and multiplied with COLUMNS vectors of a row of B, for ROWS rows of Y at
 * once: 24 sums in registers, for 10 numbers or vectors that are loaded.
 */
#ifndef CHAINRULE_MATMUL_H
#define CHAINRULE_MATMUL_H

#include "real.h"

#define ROWS 6
#if VECTOR_BYTES == 64
#define COLUMNS 4
#else
#define COLUMNS 2
#endif
#define CACHED 65536 /* entries of B that stay in the second cache while all rows of A pass by */

/* What is done with a product before it is stored. */
enum { PLAIN = 0, ADD = 1, RECTIFY = 2, MASK = 4 }; /* added to Y; its part above 0; only where `other` is above 0 */

typedef struct Product {
    const real *A;
    int64_t across, along, terms;
    const real *bias;   /* (rows,), where the sums begin; NULL: at 0 */
    const real *biases; /* (width,), in its place */
    const real *B;
    int64_t ldb;      /* entries from one row of B to the next */
    real *Y;
    int64_t ldy;
    int finish;
    const real *other; /* lies like Y */
} Product;

/* Rows r to r + n, columns c to c + m vectors; of the last vector the first `count` entries. */
INLINE void block(const Product *p, int64_t r, const int n, int64_t c, const int m, int64_t count) {
    const real *a = p->A + r * p->across, *b = p->B + c;
    vec sums[ROWS][COLUMNS];
    UNROLL for (int i = 0; i < n; i++)
        UNROLL for (int j = 0; j < m; j++)
            sums[i][j] = p->bias ? all(p->bias[r + i]) : !p->biases ? all(0)
                       : count < LANES ? load_part(p->biases + c, count) : load(p->biases + c + j * LANES);
    for (int64_t t = 0; t < p->terms; t++, a += p->along, b += p->ldb) {
        vec row[COLUMNS];
        UNROLL for (int j = 0; j < m; j++) {
            row[j] = load(b + j * LANES);
            KEEP(row[j]);
        }
        UNROLL for (int i = 0; i < n; i++) {
            vec weight = all(a[i * p->across]);
            UNROLL for (int j = 0; j < m; j++) sums[i][j] += weight * row[j];
        }
    }
    real *y = p->Y + r * p->ldy + c;
    const real *other = p->finish & MASK ? p->other + r * p->ldy + c : y;
    UNROLL for (int i = 0; i < n; i++, y += p->ldy, other += p->ldy) {
        HIDE(y); /* else each row's place is kept in memory, to be read again */
        if (p->finish & ADD)
            UNROLL for (int j = 0; j < m; j++)
                sums[i][j] += count < LANES ? load_part(y, count) : load(y + j * LANES);
        if (p->finish & RECTIFY) UNROLL for (int j = 0; j < m; j++) sums[i][j] = above_zero(sums[i][j]);
        if (p->finish & MASK)
            UNROLL for (int j = 0; j < m; j++)
                sums[i][j] = where_above(load(other + j * LANES), all(0), sums[i][j], all(0));
        if (count < LANES) store_part(y, sums[i][0], count);
        else UNROLL for (int j = 0; j < m; j++) store(y + j * LANES, sums[i][j]);
    }
}

/* n rows from r on, the columns from c to `end`. */
INLINE void strip(const Product *p, int64_t r, const int n, int64_t c, int64_t end) {
    for (; c + COLUMNS * LANES <= end; c += COLUMNS * LANES) block(p, r, n, c, COLUMNS, LANES);
    const int64_t vectors = (end - c) / LANES;
    switch (vectors) {
#if COLUMNS == 4
    case 3: block(p, r, n, c, 3, LANES); break;
    case 2: block(p, r, n, c, 2, LANES); break;
#endif
    case 1: block(p, r, n, c, 1, LANES); break;
    }
    c += vectors * LANES;
    if (c < end) block(p, r, n, c, 1, end - c);
}

/* Y (rows, width) = A (rows, terms) · B (terms, width). B is read in whole vectors. */
APART void multiply(const Product *given, int64_t rows, int64_t width) {
    const Product own = *given, *p = &own; /* which no store can change */
    const int64_t blocks = larger(1, CACHED / (p->terms * COLUMNS * LANES)); /* of B that stay in the cache for all rows */
    const int64_t some = blocks * COLUMNS * LANES;
    for (int64_t c = 0; c < width; c += some) {
        const int64_t end = smaller(c + some, width);
        int64_t r = 0;
        for (; r + ROWS <= rows; r += ROWS) strip(p, r, ROWS, c, end);
        switch (rows - r) {
        case 5: strip(p, r, 5, c, end); break;
        case 4: strip(p, r, 4, c, end); break;
        case 3: strip(p, r, 3, c, end); break;
        case 2: strip(p, r, 2, c, end); break;
        case 1: strip(p, r, 1, c, end); break;
        }
    }
}

/* Y[i·ldy + j] (+)= Σ_s X[i·ld + s] · D[j·ld + s] over whole vectors: for few columns, the sums of vectors. */
#define ENTRIES (VECTOR_BYTES / (8 - 4 * SINGLE)) /* LANES, for the preprocessor */
#define DOT_ROWS (ENTRIES > 4 ? 4 : ENTRIES)
#define DOT_COLUMNS (ENTRIES / DOT_ROWS)

INLINE void dot_block(const real *X, const real *D, int64_t ld, int64_t width, real *Y, int64_t ldy, int adds,
                      const int rows, const int columns) {
    vec sums[LANES];
    UNROLL for (int i = 0; i < LANES; i++) sums[i] = all(0);
    for (int64_t s = 0; s < width; s += LANES) {
        vec value[DOT_COLUMNS];
        UNROLL for (int j = 0; j < columns; j++) {
            value[j] = load(D + j * ld + s);
            KEEP(value[j]);
        }
        UNROLL for (int i = 0; i < rows; i++) {
            vec factor = load(X + i * ld + s);
            KEEP(factor);
            UNROLL for (int j = 0; j < columns; j++) sums[i * columns + j] += factor * value[j];
        }
    }
    vec total = sums_of(sums); /* (rows, columns) */
    UNROLL for (int i = 0; i < rows; i++) UNROLL for (int j = 0; j < columns; j++) {
        real *y = Y + i * ldy + j;
        *y = total[i * columns + j] + (adds ? *y : 0);
    }
}

APART void dot_products(const real *X, const real *D, int64_t ld, int64_t width, real *Y, int64_t ldy, int adds,
                        int64_t rows, int64_t columns) {
    for (int64_t i = 0; i < rows; i += DOT_ROWS)
        for (int64_t j = 0; j < columns; j += DOT_COLUMNS) {
            const int64_t n = smaller(rows - i, DOT_ROWS), m = smaller(columns - j, DOT_COLUMNS);
#define DOTS(n, m) case 4 * n + m: dot_block(X + i * ld, D + j * ld, ld, width, Y + i * ldy + j, ldy, adds, n, m); break
            switch (4 * n + m) {
                DOTS(1, 1); DOTS(2, 1);
#if DOT_COLUMNS > 1 || DOT_ROWS > 2
                DOTS(3, 1); DOTS(4, 1);
#endif
#if DOT_COLUMNS > 1
                DOTS(1, 2); DOTS(2, 2); DOTS(3, 2); DOTS(4, 2);
#endif
#if DOT_COLUMNS > 2
                DOTS(1, 3); DOTS(2, 3); DOTS(3, 3); DOTS(4, 3); DOTS(1, 4); DOTS(2, 4); DOTS(3, 4); DOTS(4, 4);
#endif
            }
#undef DOTS
        }
}

/* Y (width, rows) = X (rows, width) turned, LANES at a time. */
APART void turned(const real *X, int64_t ldx, real *Y, int64_t ldy, int64_t rows, int64_t width) {
    vec v[LANES];
    for (int64_t c = 0; c < width; c += LANES)
        for (int64_t r = 0; r < rows; r += LANES) {
            const int64_t n = smaller(LANES, rows - r), m = smaller(LANES, width - c);
            if (n == LANES && m == LANES) {
                UNROLL for (int i = 0; i < LANES; i++) v[i] = load(X + (r + i) * ldx + c);
                turn(v);
                UNROLL for (int i = 0; i < LANES; i++) store(Y + (c + i) * ldy + r, v[i]);
            } else {
                for (int64_t i = 0; i < n; i++)
                    for (int64_t j = 0; j < m; j++) Y[(c + j) * ldy + r + i] = X[(r + i) * ldx + c + j];
            }
        }
}

#endif
