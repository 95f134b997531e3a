/* A tile: some samples that go through the network together. */
#ifndef CHAINRULE_TILE_H
#define CHAINRULE_TILE_H

#include "real.h"
#include "run.h"

typedef struct Tile {
    const Run *run;
    const real *P;    /* parameters and state */
    real *A;          /* (rows, stride), the outputs of layers, from the tile's first sample on */
    real *D;          /* (rows, stride), their gradients */
    real *turned;     /* the dvalues of dense layers with samples as rows, where a gradient reads them so */
    real *T;          /* (C + 3, stride): targets, shares, labels, weights in the metric */
    real *G;          /* (size,), the gradients of the parameters */
    int64_t stride;
    int64_t samples;
    int64_t width;    /* samples, filled up to whole vectors */
    int64_t first;    /* the place of the first sample in the batch */
    int64_t column;   /* the place of the first sample in the area */
    int64_t step;
    int adds;         /* gradients are added to what is in G */
} Tile;

/* A gradient, added to what other readers of the same value have handed back. */
INLINE void hand_back(const Operation *op, real *d, vec gradient) { put(d, gradient, op->adds); }

#endif
