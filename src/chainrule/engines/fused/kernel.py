"""The compiled function: a block of steps, each forward, backward and update, for any network that a program describes.

It is compiled once for float32 and once for float64, not for each network: a network is a table of operations (see
`program`) that a loop goes through. What a step computes lies in flat arrays: A outputs and D gradients (rows of
samples), P parameters and state, G gradients (one part for each thread), M and V the optimizer's slots, T targets.
"""

from __future__ import annotations

import math

from .dense import ADDED, MASKED, PLAIN, RECTIFIED, correlate, correlate_blas, multiply, multiply_blas
from .functions import inner
from .layers import (
    activate,
    activate_back,
    add_part,
    add_part_back,
    batch_norm,
    batch_norm_back,
    dropout,
    layer_norm,
    layer_norm_back,
    log_softmax,
    log_softmax_back,
    product,
    product_back,
    softmax,
    softmax_back,
)  # fmt: skip
from .losses import evaluate
from .threads import barrier
from .update import gather_gradient, update
from .vectors import apart

# What an operation does
DENSE, ACTIVATE, SOFTMAX, LOG_SOFTMAX, LAYER_NORM, BATCH_NORM, DROPOUT, PART, PRODUCT = range(9)
# The columns of an operation: rows of inputs, outputs and of what it keeps; sizes; where its parameters begin; ...
(KIND, IN, OUT, KEPT, FEATURES, OUTPUTS, PARAMETERS, STATE, VARIANT, FORWARD, BACKWARD, TRAINS, PASSES, ADDS, BLAS,
 BY_SAMPLES, OTHER) = range(17)  # fmt: skip
COLUMNS = 17
# What a step needs to know beside its arrays, as whole numbers and as floating-point numbers
(STEP, STEPS, FIRST, PER_EPOCH, BATCH, SAMPLES, INPUTS, CLASSES, SIZE, STRIDE, TILE, SHUFFLED, PREDICT, LOSS, MEAN,
 GEMM, WIDE, YIELD, SEED, X_ROW, X_BY_SAMPLES, Z_ROW, LABELLED, WEIGHTED, LIMITED, PARTS,
 STILL) = range(27)  # fmt: skip
SETTINGS = 27
LOSS_NUMBER, LOSS_TOP, ON, OFF, CLIP_NORM, CLIP_VALUE = range(6)
# A segment of the parameters: where it begins and ends, how it is updated, its column of the rates
START, STOP, RULE, RATE = range(4)
_CHUNK = 16384  # parameters updated while their gradients are in the cache


@inner
def _forward(plan, ops, numbers, step, first, P, A, base, width, samples):
    apart()
    stride = plan[STRIDE]
    for o in range(ops.shape[0]):
        if ops[o, FORWARD] == 0:
            continue
        kind, x, y, kept = ops[o, KIND], base + ops[o, IN], base + ops[o, OUT], base + ops[o, KEPT]
        features, p = ops[o, FEATURES], ops[o, PARAMETERS]
        if kind == DENSE:
            how = RECTIFIED if ops[o, VARIANT] else PLAIN
            rows, terms = ops[o, OUTPUTS], features + 1
            if ops[o, BLAS]:
                multiply_blas(
                    plan[GEMM], plan[WIDE] != 0, P, p, False, rows, terms, A, x, ops[o, BY_SAMPLES] != 0, A, y, A,
                    stride, width, how,
                )  # fmt: skip
            else:
                multiply(P, p, 1, rows, rows, terms, A, x, A, y, A, stride, width, how)
        elif kind == ACTIVATE:
            activate(ops[o, VARIANT], numbers[o, 0], A, x, y, features, stride, width)
        elif kind == SOFTMAX:
            softmax(A, x, y, features, stride, width)
        elif kind == LOG_SOFTMAX:
            log_softmax(A, x, y, features, stride, width)
        elif kind == LAYER_NORM:
            layer_norm(P, p, numbers[o, 0], A, x, y, kept, features, stride, width)
        elif kind == BATCH_NORM:
            batch_norm(
                P, p, ops[o, STATE], numbers[o, 0], numbers[o, 1], ops[o, VARIANT] != 0, A, x, y, kept, features,
                stride, width, samples,
            )  # fmt: skip
        elif kind == DROPOUT:
            dropout(plan[SEED], step, ops[o, STATE], numbers[o, 0], first, A, x, y, kept, features, stride, width)
        elif kind == PART:
            add_part(A, x, y, features, stride, width, ops[o, VARIANT] != 0)
        else:
            product(A, x, base + ops[o, OTHER], y, features, stride, width)


@inner
def _backward(plan, ops, numbers, P, G, g, A, D, base, width, samples):
    apart()
    stride = plan[STRIDE]
    for o in range(ops.shape[0] - 1, -1, -1):
        if ops[o, BACKWARD] == 0:
            continue
        kind, x, y, kept = ops[o, KIND], base + ops[o, IN], base + ops[o, OUT], base + ops[o, KEPT]
        features, p = ops[o, FEATURES], ops[o, PARAMETERS]
        trains, passes, adds = ops[o, TRAINS] != 0, ops[o, PASSES] != 0, ops[o, ADDS] != 0
        if kind == DENSE:
            rows = ops[o, OUTPUTS]
            how = ADDED if adds else MASKED if ops[o, OTHER] else PLAIN
            if ops[o, BLAS]:
                by_samples = ops[o, BY_SAMPLES] != 0
                if trains:
                    correlate_blas(
                        plan[GEMM], plan[WIDE] != 0, G, g + p, features + 1, rows, A, x, by_samples, D, y, stride, width
                    )
                if passes:
                    multiply_blas(
                        plan[GEMM], plan[WIDE] != 0, P, p, True, features, rows, D, y, False, D, x, A, stride, width,
                        how,
                    )  # fmt: skip
            else:
                if trains:
                    correlate(G, g + p, features + 1, rows, A, x, D, y, stride, width)
                if passes:
                    multiply(P, p, rows, 1, features, rows, D, y, D, x, A, stride, width, how)
        elif kind == ACTIVATE:
            activate_back(ops[o, VARIANT], numbers[o, 0], A, D, x, y, features, stride, width, adds)
        elif kind == SOFTMAX:
            softmax_back(A, D, x, y, features, stride, width, adds)
        elif kind == LOG_SOFTMAX:
            log_softmax_back(A, D, x, y, features, stride, width, adds)
        elif kind == LAYER_NORM:
            layer_norm_back(P, p, G, g, A, D, x, y, kept, features, stride, width, trains, passes, adds)
        elif kind == BATCH_NORM:
            batch_norm_back(
                P,
                p,
                G,
                g,
                A,
                D,
                x,
                y,
                kept,
                features,
                stride,
                width,
                samples,
                ops[o, VARIANT] != 0,
                trains,
                passes,
                adds,
            )
        elif kind == DROPOUT:
            product_back(A, D, x, kept, y, features, stride, width, adds)
        elif kind == PART:
            if passes:
                add_part_back(D, x, y, features, stride, width, adds)
        else:
            if passes:
                product_back(A, D, x, base + ops[o, OTHER], y, features, stride, width, adds)
            if trains:  # here: whether the other factor has a gradient
                product_back(A, D, base + ops[o, OTHER], x, y, features, stride, width, ops[o, STATE] != 0)


@inner
def _row(plan, order, epoch, sample):
    return order[epoch * plan[SAMPLES] + sample] if plan[SHUFFLED] else sample


@inner
def _gather(plan, numbers, X, targets, labels, weights, order, epoch, start, samples, width, total, A, x, T, t):
    """Inputs, targets and shares of the samples from `start` on, in rows of samples.

    The last vector is filled up with copies of the last sample, whose share is 0.
    """
    apart()
    features, outputs, stride = plan[INPUTS], plan[CLASSES], plan[STRIDE]
    on, off = numbers[ON], numbers[OFF]
    for s in range(width):
        row = _row(plan, order, epoch, start + min(s, samples - 1))
        if plan[X_BY_SAMPLES]:
            place = x + s * (features + 1)
            for f in range(features):
                A[place + f] = X[row * features + f]
            A[place + features] = 1
        else:
            for f in range(features):
                A[x + f * stride + s] = X[row * features + f]
        if plan[LABELLED]:
            for c in range(outputs):
                T[t + c * stride + s] = on if labels[row] == c else off
        else:
            for c in range(outputs):
                T[t + c * stride + s] = targets[row * outputs + c]
        share = 1.0 / total
        if plan[WEIGHTED]:
            share = weights[row] / total
        T[t + outputs * stride + s] = share if s < samples else 0.0


@inner
def _total(plan, weights, order, epoch, start, samples):
    """What the weights of a batch are divided by."""
    if not plan[MEAN]:
        return 1.0
    if not plan[WEIGHTED]:
        return 1.0 * samples
    total = 0.0
    for s in range(samples):
        total += weights[_row(plan, order, epoch, start + s)]
    return total if total != 0.0 else 1.0


@inner
def _show(plan, A, z, samples, predictions, at):
    """Write predictions, (samples, C)."""
    apart()
    outputs, stride = plan[CLASSES], plan[STRIDE]
    for s in range(samples):
        for c in range(outputs):
            predictions[(at + s) * outputs + c] = A[z + c * stride + s]


@inner
def _share_of(total, thread, threads):
    """Where the part of a thread begins, of `total` entries; parts begin at whole vectors."""
    return min(total, (total * thread // threads + 15) // 16 * 16)


@inner
def _sum(partial, threads, column):
    total = 0.0
    for thread in range(threads):
        total += partial[thread, column]
    return total


def block(
    thread, threads, plan, numbers, ops, op_numbers, segments, settings, rates, X, targets, labels, weights, order,
    P, G, M, V, A, D, T, losses, penalties, predictions, counters, partial,
):  # fmt: skip
    """Carry out plan[STEPS] steps; returns how many of them met finite numbers only.

    Every thread calls it with its own number: each takes its share of the samples forward and backward, then its share
    of the parameters. `partial` (threads, 8) is where they tell each other their sums.
    """
    steps, batch, per_epoch, size = plan[STEPS], plan[BATCH], plan[PER_EPOCH], plan[SIZE]
    stride, outputs, parts = plan[STRIDE], plan[CLASSES], plan[PARTS]
    base, g = thread * (A.size // threads), thread * size
    t, z = thread * (T.size // threads), base + plan[Z_ROW]
    turn, seen, loaded = 0, 0, False
    for step in range(steps):
        epoch, number = divmod(plan[FIRST] + step, per_epoch)
        begin = number * batch
        count = min(batch, plan[SAMPLES] - begin)
        low, high = _share_of(count, thread, threads), _share_of(count, thread + 1, threads)
        for i in range(g, g + size):
            G[i] = 0
        loss = 0.0
        total = 0.0 if loaded else _total(plan, weights, order, epoch, begin, count)
        for start in range(low, high, plan[TILE]):
            samples = min(plan[TILE], high - start)
            width = (samples + 15) // 16 * 16
            if not loaded:
                _gather(
                    plan, numbers, X, targets, labels, weights, order, epoch, begin + start, samples, width, total, A,
                    base + plan[X_ROW], T, t,
                )  # fmt: skip
                loaded = plan[STILL] != 0
            _forward(plan, ops, op_numbers, plan[STEP] + step, start, P, A, base, width, samples)
            loss += evaluate(plan[LOSS], numbers[LOSS_NUMBER], numbers[LOSS_TOP], A, D, z, T, t, outputs, stride, width)
            if plan[PREDICT]:
                _show(plan, A, z, samples, predictions, seen + start)
            _backward(plan, ops, op_numbers, P, G, g, A, D, base, width, samples)
        seen += count
        side = 4 * (step % 2)  # a thread that is ahead writes on the other side
        partial[thread, side] = loss
        turn += 1
        if not barrier(counters, thread, threads, turn, plan[YIELD]):
            return -1
        # The update: this thread's share of the parameters
        first, last = _share_of(size, thread, threads), _share_of(size, thread + 1, threads)
        scale, penalty, squares, bad = 1.0, 0.0, 0.0, 0.0
        if plan[LIMITED]:
            for n in range(segments.shape[0]):
                start, stop = max(first, segments[n, START]), min(last, segments[n, STOP])
                if start < stop:
                    one, other = gather_gradient(settings, n, numbers[CLIP_VALUE], P, G, parts, size, start, stop)
                    penalty += one
                    squares += other
            partial[thread, side + 1] = squares
            turn += 1
            if not barrier(counters, thread, threads, turn, plan[YIELD]):
                return -1
            norm = math.sqrt(_sum(partial, threads, side + 1))
            if norm > numbers[CLIP_NORM]:
                scale = numbers[CLIP_NORM] / norm
        for n in range(segments.shape[0]):
            rule, rate = segments[n, RULE], rates[step, segments[n, RATE]]
            power = 1.0 * (plan[STEP] + step + 1)
            one, two = 1.0, 1.0
            if rule >= 5:  # Adam and AdamW
                one, two = 1 / (1 - settings[n, 1] ** power), 1 / (1 - settings[n, 2] ** power)
            begin_at, end_at = max(first, segments[n, START]), min(last, segments[n, STOP])
            for start in range(begin_at, end_at, _CHUNK):
                stop = min(start + _CHUNK, end_at)
                if not plan[LIMITED] and (parts > 1 or settings[n, 4] != 0 or settings[n, 5] != 0):
                    penalty += gather_gradient(settings, n, math.inf, P, G, parts, size, start, stop)[0]
                bad += update(rule, rate, one, two, settings, n, numbers[CLIP_VALUE], scale, P, G, M, V, start, stop)
        if thread == 0:
            for i in range(size, P.size):
                bad += P[i] * 0.0  # frozen parameters and state
        partial[thread, side + 2], partial[thread, side + 3] = penalty, bad
        turn += 1
        if not barrier(counters, thread, threads, turn, plan[YIELD]):
            return -1
        loss = _sum(partial, threads, side)
        penalty, bad = _sum(partial, threads, side + 2), _sum(partial, threads, side + 3)
        if thread == 0:
            losses[step], penalties[step] = loss, penalty
        if not math.isfinite(loss + penalty + bad):
            return step
    return steps
