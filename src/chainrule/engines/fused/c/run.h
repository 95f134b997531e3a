/* What the session and the kernels hand each other.
 *
 * The session reads this file: one member a line, in this order, is the table from which both sides know where
 * everything lies (see layout.py). Letters: B samples, I inputs, N neurons, C classes, S samples of all data, T
 * trainable parameters, E epochs, U units of ReLUs. `real` is float or double.
 *
 * What a step computes lies in rows of samples: row r of A holds one feature of all samples of a tile, so that a vector
 * holds the same feature of several samples, and no loop over features needs a horizontal sum.
 */
#ifndef CHAINRULE_RUN_H
#define CHAINRULE_RUN_H

#include <stdint.h>

#define LINE 16    /* samples are filled up to a multiple of this, the most entries of a vector */
#define THREADS 8  /* at most */
#define LINES 128  /* at most, of a function of one entry */

enum Kind {
    DENSE,
    RELU,
    LEAKY_RELU,
    ELU,
    GELU,
    GELU_TANH,
    SILU,
    SOFTPLUS,
    SIGMOID,
    TANH,
    SOFTMAX,
    LOG_SOFTMAX,
    LAYER_NORM,
    BATCH_NORM,
    DROPOUT,
    PART,
    PRODUCT,
    ENTRYWISE,
};

enum LineKind {
    NUMBER,
    INPUTS,
    DVALUES,
    NEG,
    PLUS,
    SUB,
    MUL,
    DIV,
    POW,
    EXP,
    EXPM1,
    LOG,
    LOG1P,
    SQRT,
    ABS,
    SIGN,
    SIN,
    COS,
    SINH,
    COSH,
    TANH_OF,
    ARCTAN,
    MAX,
    MIN,
    WHERE,
    GT,
    GE,
    LT,
    LE,
    EQ,
    NE,
    AND,
    OR,
    NOT,
    LOGISTIC,
    SOFTPLUS_OF,
    ERFC_OF,
    NORMAL_CDF,
    NORMAL_DENSITY,
};

enum LossKind {
    SOFTMAX_CROSSENTROPY,
    CATEGORICAL,
    BINARY,
    SIGMOID_CROSSENTROPY,
    MEAN_SQUARED,
    MEAN_ABSOLUTE,
    HUBER,
    HALF_SQUARED,
};

enum Rule {
    SGD,
    MOMENTUM,
    NESTEROV,
    ADAGRAD,
    RMSPROP,
    ADAM,
    ADAMW,
};

enum Metric {
    CLASS_ACCURACY,
    ANSWER_ACCURACY,
    ABSOLUTE_ERROR,
};

/* One layer at its place. x, y, kept, other: rows of A and D; parameters, state: places in P. */
typedef struct Operation {
    int64_t kind;
    int64_t x;             /* the first row of its inputs */
    int64_t y;             /* the first row of its output */
    int64_t other;         /* the first row of a product's second factor */
    int64_t kept;          /* the first row of what backward reads beside them */
    int64_t turned;        /* dense: where a row of N for each sample lies, of outputs, then of dvalues, in `turned` */
    int64_t features;
    int64_t outputs;       /* dense: N */
    int64_t parameters;    /* dense: weights (I, N), then biases (1, N); normalization: gamma, then beta */
    int64_t large;         /* dense: the weights are read forward row by row */
    int64_t state;         /* batch norm: running mean, then running variance */
    int64_t trains;        /* has parameters whose gradient is needed */
    int64_t passes;        /* hands a gradient on to its inputs */
    int64_t passes_other;  /* ... and to a product's second factor */
    int64_t adds;          /* that gradient is added to what is there */
    int64_t adds_other;
    int64_t rectifies;     /* dense: a ReLU is applied to the output before it is stored */
    int64_t merged;        /* a ReLU that its layer has applied: nothing to do forward */
    int64_t masks;         /* dense: dinputs pass through the ReLU that made the inputs */
    int64_t variant;       /* batch norm: statistics of the batch; part: added to what is there */
    int64_t node;          /* dropout: the key of its noise */
    int64_t lines;         /* entrywise: the first of the lines of its function */
    int64_t line_count;
    int64_t slopes;        /* ... and of its backward pass */
    int64_t slope_count;
    double number;         /* a slope, an alpha, an epsilon, a rate */
    double momentum;       /* batch norm */
} Operation;

/* One operation of a function of one entry, on the results of the lines a, b and c before it. */
typedef struct Line {
    int64_t operation;
    int64_t a;
    int64_t b;
    int64_t c;
    double number;
} Line;

/* Parameters that lie side by side and are updated alike. */
typedef struct Segment {
    int64_t start;
    int64_t stop;
    int64_t rule;
    int64_t rate;     /* the column of the rates */
    double decay;     /* weight decay */
    double first;     /* momentum, rho or beta_1 */
    double second;    /* beta_2 */
    double epsilon;
    double l1;        /* penalties on the parameters: l1 Σ|p| + l2 Σp² */
    double l2;
} Segment;

/* Parameters that one thread updates in one go: of one layer, or of several small ones. */
typedef struct Part {
    int64_t start;
    int64_t stop;
    int64_t operation;  /* the layer, or -1 */
    int64_t first_row;  /* dense: these rows of the weights, biases last */
    int64_t last_row;
} Part;

/* Parameters that a layer borrows from another: a copy of its own, whose gradient is added to that of their owner. */
typedef struct Tie {
    int64_t owner;
    int64_t copy;
    int64_t count;
} Tie;

/* ReLUs whose units are watched. */
typedef struct Watched {
    int64_t row;
    int64_t units;
} Watched;

typedef struct Run {
    /* the task */
    int64_t samples;         /* S */
    int64_t inputs;          /* I */
    int64_t outputs;         /* C */
    int64_t batch;           /* B */
    int64_t per_epoch;       /* steps in an epoch */
    int64_t seed;
    int64_t loss;
    int64_t mean;            /* reduction="mean" */
    int64_t metric;
    int64_t labelled;        /* targets are made from the labels */
    double loss_number;      /* a clip or a delta */
    double loss_top;         /* the largest clipped probability */
    double on;               /* the target of yes, or of the right class, label smoothing included */
    double off;
    double clip_norm;        /* infinite without a limit */
    double clip_value;
    /* how it is laid out */
    int64_t rows;            /* of A and of D in one area */
    int64_t turned_columns;  /* of the turned dvalues in one area */
    int64_t output;          /* the row of A where the predictions begin */
    int64_t stride;          /* entries from one row of A to the next */
    int64_t piece;           /* samples that one thread takes forward and backward in one go */
    int64_t tile;            /* samples of a piece that do so together */
    int64_t whole;           /* one area for all samples: gradients are made when all have come through */
    int64_t still;           /* inputs and targets stay where they are from step to step */
    int64_t size;            /* parameters */
    int64_t total;           /* parameters and state */
    int64_t threads;
    int64_t operation_count;
    int64_t segment_count;
    int64_t part_count;
    int64_t watched_count;
    int64_t tie_count;
    int64_t trainable_count; /* T */
    int64_t unit_count;      /* U */
    const Operation *operations;
    const Line *lines;
    const Segment *segments;
    const Part *parts;
    const Watched *watched;
    const Tie *ties;
    const int64_t *places;   /* (T, 2), where each trainable parameter begins and ends */
    const void *X;           /* (S, I), real */
    const void *targets;     /* (S, C), real */
    const int64_t *labels;   /* (S,) */
    const double *weights;   /* (S,), or NULL */
    const double *metric_weights; /* (S,), or NULL */
    void *P;                 /* (total,), parameters and state, real */
    void *G;                 /* (pieces, size), gradients; with `whole` (1, size) */
    void *M;                 /* (size,), the slot of first moments */
    void *V;                 /* (size,), the slot of second moments */
    void *A;                 /* (areas, rows, stride), outputs of layers; areas: 1 with `whole`, else threads */
    void *D;                 /* (areas, rows, stride), gradients of A */
    void *turned;            /* (areas, turned_columns * stride) */
    void *T;                 /* (areas, C + 3, stride): targets, shares, labels, weights in the metric */
    void *sums;              /* (max(pieces, parts), 8) double: what pieces and parts came to */
    void *meeting;           /* where the threads meet: 64 bytes for each of max(pieces, parts) + 3 */
    /* the block */
    int64_t step;            /* the number of its first step */
    int64_t steps;
    int64_t first;           /* which batch of its epoch the first step is */
    const int64_t *order;    /* (epochs, S), or NULL */
    const double *rates;     /* (steps, T) */
    double *losses;          /* (steps,) */
    double *penalties;       /* (steps,) */
    void *predictions;       /* (S, C), where outputs are all that is asked for: nothing goes back, nothing is updated */
    /* the records of its epochs, or NULL */
    int64_t *epoch_steps;    /* (E,) */
    double *epoch_losses;    /* (E,) */
    double *epoch_counts;    /* (E,) */
    double *epoch_penalties; /* (E,) */
    double *epoch_metrics;   /* (E,) */
    double *epoch_weights;   /* (E,) */
    double *squares;         /* (E, T) */
    uint8_t *alive;          /* (E, U) */
} Run;

#endif
