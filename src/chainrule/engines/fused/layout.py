"""Where the compiled functions find what they read: the columns of the tables that describe a run.

Whole numbers, settings and addresses lie in `plan` (one for the run), in `ops` (a row for each operation) and in
`segments` (a row for each run of parameters that are updated alike). Places in A and D count entries.
"""

from __future__ import annotations

__all__: list[str] = []

LINE = 16  # entries of the longest vector, to which samples are filled up
# An operation: the addresses of its functions (0 where there is nothing to do), then places and sizes
(FORWARD, BACKWARD, GRADIENTS, X, Y, KEPT, FEATURES, OUTPUTS, PARAMETERS, STATE, VARIANT, ADDS, BY_SAMPLES, OTHER,
 ADDS_OTHER, PASSES, PASSES_OTHER, NODE) = range(18)  # fmt: skip
COLUMNS = 18
# The run
(STEP, STEPS, FIRST, PER_EPOCH, BATCH, SAMPLES, INPUTS, CLASSES, SIZE, STATE_END, STRIDE, TILE, SHUFFLED, PREDICT, LOSS,
 MEAN, GEMM, WIDE, YIELD, SEED, X_BY_SAMPLES, OUTPUT, LABELLED, WEIGHTED, LIMITED, SHARED, AREA, TARGETS, STILL, OPS,
 SEGMENTS, RATES, GATHER) = range(33)  # fmt: skip
SETTINGS = 33
LOSS_NUMBER, LOSS_TOP, ON, OFF, CLIP_NORM, CLIP_VALUE = range(6)
NUMBERS = 6
# A segment of the parameters: where it begins and ends, the address of its update, its column of the rates
START, STOP, UPDATE, RATE = range(4)
SEGMENT = 4
# Its settings
DECAY, FIRST_RATE, SECOND_RATE, EPSILON, L1_RATE, L2_RATE = range(6)
SEGMENT_SETTINGS = 6
# What threads count at a barrier: counters of 8 bytes on cache lines of their own, the first one not 0 where a thread
# will never come
SPACING, ABORT = 16, 0
