/* A tile's way through the network: its samples gathered, forward, the loss, backward. */
#ifndef CHAINRULE_STEP_H
#define CHAINRULE_STEP_H

#include "activations.h"
#include "dense.h"
#include "entrywise.h"
#include "joins.h"
#include "losses.h"
#include "normalization.h"

/* One step of a block: which samples it takes. */
typedef struct Step {
    int64_t index;        /* in the block */
    int64_t epoch;        /* of those that the block touches */
    int64_t begin, count; /* of its samples, in the order of the epoch */
    int64_t pieces;
    double total;         /* what each sample's weight is divided by */
} Step;

/* The sample at a place of the order of an epoch. */
INLINE int64_t sample_at(const Run *run, int64_t epoch, int64_t place) {
    return run->order ? run->order[epoch * run->samples + place] : place;
}

/* Inputs (B,I) become rows of samples (I,B). */
static void gather_inputs(const Tile *t, const Step *step) {
    const Run *run = t->run;
    const int64_t I = run->inputs, begin = step->begin + t->first;
    for (int64_t s = 0; s < t->width; s += LANES) {
        const real *from[LANES];
        for (int i = 0; i < LANES; i++)
            from[i] = (const real *)run->X + I * sample_at(run, step->epoch, begin + smaller(s + i, t->samples - 1));
        if (I < LANES) {
            for (int64_t f = 0; f < I; f++)
                for (int i = 0; i < LANES; i++) t->A[f * t->stride + s + i] = from[i][f];
            continue;
        }
        for (int64_t f = 0; f < I; f += LANES) {
            const int64_t place = smaller(f, I - LANES); /* the last block overlaps the one before */
            vec v[LANES];
            UNROLL for (int i = 0; i < LANES; i++) v[i] = load(from[i] + place);
            turn(v);
            UNROLL for (int i = 0; i < LANES; i++) store(t->A + (place + i) * t->stride + s, v[i]);
        }
    }
}

/* Targets, shares, labels and weights. The last vector is filled up with copies of the last sample that count 0. */
static void gather_targets(const Tile *t, const Step *step) {
    const Run *run = t->run;
    const int64_t C = run->outputs, stride = t->stride;
    const real *targets = run->targets, on = (real)run->on, off = (real)run->off;
    for (int64_t s = 0; s < t->width; s++) {
        const int counts = s < t->samples;
        const int64_t row = sample_at(run, step->epoch, step->begin + t->first + smaller(s, t->samples - 1));
        real *y = t->T + s;
        for (int64_t c = 0; c < C; c++)
            y[c * stride] = !run->labelled ? targets[row * C + c] : run->labels[row] == c ? on : off;
        y[C * stride] = counts ? (real)((run->weights ? run->weights[row] : 1) / step->total) : 0;
        y[(C + 1) * stride] = run->labels ? (real)run->labels[row] : 0;
        y[(C + 2) * stride] = counts ? (real)(run->metric_weights ? run->metric_weights[row] : 1) : 0;
    }
}

static void forward(const Tile *t) {
    for (const Operation *op = t->run->operations; op < t->run->operations + t->run->operation_count; op++) {
        if (op->merged) continue;
        switch (op->kind) {
        case DENSE: dense_forward(op, t); break;
        case SOFTMAX: softmax_forward(op, t); break;
        case LOG_SOFTMAX: log_softmax_forward(op, t); break;
        case LAYER_NORM: layer_norm_forward(op, t); break;
        case BATCH_NORM: batch_norm_forward(op, t); break;
        case DROPOUT: dropout_forward(op, t); break;
        case PART: part_forward(op, t); break;
        case PRODUCT: product_forward(op, t); break;
        case ENTRYWISE: entrywise_forward(op, t); break;
        default: activation_forward(op, t);
        }
    }
}

/* In reverse: each operation turns dL/d(output) into dL/d(inputs) and dL/d(parameters). */
static void backward(const Tile *t) {
    for (const Operation *op = t->run->operations + t->run->operation_count - 1; op >= t->run->operations; op--) {
        const int normalizes = op->kind == LAYER_NORM || op->kind == BATCH_NORM;
        if (op->kind == DENSE) dense_backward(op, t);
        else if (normalizes && op->trains && !t->run->whole) normalization_gradient(op, t);
        if (!op->passes && !op->passes_other) continue;
        switch (op->kind) {
        case DENSE: break;
        case SOFTMAX: softmax_backward(op, t); break;
        case LOG_SOFTMAX: log_softmax_backward(op, t); break;
        case LAYER_NORM: layer_norm_backward(op, t); break;
        case BATCH_NORM: batch_norm_backward(op, t); break;
        case DROPOUT: dropout_backward(op, t); break;
        case PART: part_backward(op, t); break;
        case PRODUCT: product_backward(op, t); break;
        case ENTRYWISE: entrywise_backward(op, t); break;
        default: activation_backward(op, t);
        }
    }
}

/* Whether a row has an entry above 0: most have one in their first vector. */
INLINE int has_some(const real *row, int64_t samples) {
    const int64_t rest = samples % LANES;
    for (int64_t s = 0; s < samples - rest; s += LANES)
        if (any_above_zero(load(row + s))) return 1;
    return rest && any_above_zero(first_of(load(row + samples - rest), rest));
}

#define ALL_ALIVE 0x0101010101010101u

/* The flags of up to eight units, a byte for each; those beyond `count` are up. */
INLINE uint64_t flags_of(const uint8_t *alive, int64_t count) {
    uint64_t flags = ALL_ALIVE;
    if (count >= 8) memcpy(&flags, alive, 8);
    else
        for (int64_t unit = 0; unit < count; unit++)
            if (!alive[unit]) flags ^= (uint64_t)1 << 8 * unit;
    return flags;
}

/* Units of ReLUs whose output is above 0 for a sample are alive in the epoch; most are known to be, eight at a time. */
static void watch(const Tile *t, uint8_t *alive) {
    for (const Watched *w = t->run->watched; w < t->run->watched + t->run->watched_count; alive += w->units, w++)
        for (int64_t first = 0; first < w->units; first += 8) {
            uint64_t asleep = ALL_ALIVE & ~flags_of(alive + first, w->units - first);
            for (; asleep; asleep &= asleep - 1) {
                const int64_t unit = first + __builtin_ctzll(asleep) / 8;
                const real *row = t->A + (w->row + unit) * t->stride;
                if (has_some(row, t->samples)) __atomic_store_n(alive + unit, 1, __ATOMIC_RELAXED);
            }
        }
}

/* A piece of a step's samples, tile by tile, in one area; adds its share of the loss and of the metric. */
static void piece_through(const Run *run, const Step *step, int64_t piece, int64_t area, int64_t loaded, double *loss,
                          double *metric) {
    const int64_t low = piece * run->piece, high = smaller(low + run->piece, step->count);
    const int64_t entries = run->rows * run->stride, C = run->outputs;
    for (int64_t first = low; first < high; first += run->tile) {
        const int64_t samples = smaller(run->tile, high - first), column = run->whole ? first : 0;
        const Tile t = {
            .run = run, .P = run->P, .stride = run->stride, .samples = samples, .width = filled(samples, LINE),
            .A = (real *)run->A + area * entries + column, .D = (real *)run->D + area * entries + column,
            .turned = (real *)run->turned + area * run->turned_columns * run->stride,
            .T = (real *)run->T + area * (C + 3) * run->stride + column,
            .G = (real *)run->G + (run->whole ? 0 : piece * run->size),
            .first = first, .column = column, .step = run->step + step->index, .adds = first > low,
        };
        const real *Z = t.A + run->output * run->stride;
        if (!loaded) gather_inputs(&t, step), gather_targets(&t, step);
        forward(&t);
        *loss += loss_of(&t, Z, t.D + run->output * run->stride);
        if (run->epoch_steps) {
            *metric += metric_of(&t, Z);
            watch(&t, run->alive + step->epoch * run->unit_count);
        }
        backward(&t);
    }
}

/* The outputs of a piece of samples, which is one tile: run->predictions (S, C). */
static void outputs_of_piece(const Run *run, const Step *step, int64_t piece, int64_t area) {
    const int64_t first = piece * run->piece, samples = smaller(run->piece, step->count - first), C = run->outputs;
    const Tile t = {
        .run = run, .P = run->P, .stride = run->stride, .samples = samples, .width = filled(samples, LINE),
        .A = (real *)run->A + area * run->rows * run->stride, .first = first,
        .turned = (real *)run->turned + area * run->turned_columns * run->stride,
    };
    const real *Z = t.A + run->output * run->stride;
    real *out = (real *)run->predictions + first * C;
    gather_inputs(&t, step);
    forward(&t);
    for (int64_t s = 0; s < samples; s++)
        for (int64_t c = 0; c < C; c++) out[s * C + c] = Z[c * run->stride + s]; /* (C,B) -> (B,C) */
}

#endif
