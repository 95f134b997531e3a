/* The outputs of a line of dense layers and activations for a few samples: rows are samples, vectors hold neurons. */
#ifndef CHAINRULE_PREDICT_H
#define CHAINRULE_PREDICT_H

#include "activations.h"
#include "matmul.h"

/* run->predictions (S, N) from run->X (S, I). Places in A count rows of `stride`, of which each value has enough for all
 * samples; there are entries to read after the last parameter. */
void NAME(predict)(const Run *run) {
    const int64_t stride = run->stride, S = run->samples;
    real *A = run->A;
    for (int64_t s = 0; s < S; s++)
        memcpy(A + s * stride, (const real *)run->X + s * run->inputs, (size_t)run->inputs * sizeof(real));
    for (const Operation *op = run->operations; op < run->operations + run->operation_count; op++) {
        const int64_t I = op->features, N = op->outputs;
        if (op->kind == DENSE) {
            const real *W = (const real *)run->P + op->parameters, *biases = W + I * N;
            real *Y = A + op->y * stride;
            for (int64_t s = 0; s < S; s++) memcpy(Y + s * stride, biases, (size_t)N * sizeof(real));
            multiply(&(Product){                                  /* Y = X · W + biases: (S,I)(I,N) -> (S,N) */
                .A = A + op->x * stride, .across = stride, .along = 1, .terms = I,
                .B = W, .ldb = N, .Y = Y, .ldy = stride, .finish = op->rectifies ? ADD | RECTIFY : ADD,
            }, S, N);
        } else {
            Operation each = *op;
            each.features = S; /* rows */
            activation_forward(&each, &(Tile){.A = A, .stride = stride, .width = filled(N, LINE)});
        }
    }
    for (int64_t s = 0; s < S; s++)
        memcpy((real *)run->predictions + s * run->outputs, A + (run->output + s) * stride,
               (size_t)run->outputs * sizeof(real));
}

#endif
