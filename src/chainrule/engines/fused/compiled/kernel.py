"""The compiled loop: a block of steps, each forward, backward and update, for any network that a program describes.

A network is a table of operations (see `program`), each with the addresses of the compiled functions that carry it out:
the same pair as everywhere, forward and backward, and the gradients of the parameters by themselves. What a step
computes lies in flat arrays: A outputs and D gradients (rows of samples), P parameters and state, G gradients, M and V
the optimizer's slots, T targets.
"""

from __future__ import annotations

import math

from ..layout import (
    AREA,
    BACKWARD,
    BATCH,
    CLASSES,
    CLIP_NORM,
    CLIP_VALUE,
    COLUMNS,
    FIRST,
    FORWARD,
    GATHER,
    GRADIENTS,
    INPUTS,
    L1_RATE,
    L2_RATE,
    LABELLED,
    LIMITED,
    LINE,
    LOSS,
    MEAN,
    OFF,
    ON,
    OPS,
    OUTPUT,
    PER_EPOCH,
    PREDICT,
    RATE,
    RATES,
    SAMPLES,
    SEGMENT,
    SEGMENT_SETTINGS,
    SEGMENTS,
    SHARED,
    SHUFFLED,
    SIZE,
    START,
    STATE_END,
    STEP,
    STEPS,
    STILL,
    STOP,
    STRIDE,
    TARGETS,
    TILE,
    UPDATE,
    WEIGHTED,
    X_BY_SAMPLES,
    YIELD,
)  # fmt: skip
from .calls import call, measure
from .functions import inner
from .threads import barrier
from .vectors import apart, lanes, load, number_like, offset, store

__all__ = ["block"]

_CHUNK = 16384  # parameters updated while their gradients are in the cache
_SUMS = 8  # what a thread tells the others: loss, penalty, Σg² and trouble, for steps of even and of odd number


@inner
def _forward(plan, ops, numbers, step, first, width, samples, P, A):
    apart()
    for o in range(plan[OPS]):
        op = offset(ops, o * COLUMNS)
        if op[FORWARD]:
            call(op[FORWARD], (op, offset(numbers, 2 * o), plan, step, first, width, samples, P, A))


@inner
def _backward(plan, ops, numbers, first, width, samples, P, A, D):
    apart()
    for o in range(plan[OPS] - 1, -1, -1):
        op = offset(ops, o * COLUMNS)
        if op[BACKWARD]:
            call(op[BACKWARD], (op, offset(numbers, 2 * o), plan, first, width, samples, P, A, D))


@inner
def _gradients(plan, ops, low, high, adds, width, G, A, D):
    """dL/d(parameter) for the parameters from `low` to `high`, written to G or added to it."""
    apart()
    for o in range(plan[OPS] - 1, -1, -1):
        op = offset(ops, o * COLUMNS)
        if op[GRADIENTS]:
            call(op[GRADIENTS], (op, plan, low, high, adds, width, G, A, D))


@inner
def _row(plan, order, epoch, sample):
    return order[epoch * plan[SAMPLES] + sample] if plan[SHUFFLED] else sample


@inner
def _copy(source, target, count):
    whole = count // lanes(source) * lanes(source)
    for i in range(0, whole, lanes(source)):
        store(target, i, load(source, i))
    for i in range(whole, count):
        target[i] = source[i]


@inner
def _gather(plan, numbers, X, targets, labels, weights, order, epoch, start, first, samples, width, total, A, T):
    """Inputs, targets and shares of the samples from `start` on, in rows of samples.

    The last vector is filled up with copies of the last sample, whose share is 0.
    """
    apart()
    features, outputs, stride = plan[INPUTS], plan[CLASSES], plan[STRIDE]
    on, off = number_like(A, numbers[ON]), number_like(A, numbers[OFF])
    one, nothing = number_like(A, 1.0), number_like(A, 0.0)
    for s in range(width):
        row = _row(plan, order, epoch, start + min(s, samples - 1))
        source = offset(X, row * features)
        if plan[X_BY_SAMPLES]:
            place = offset(A, first * features + s * (features + 1))
            _copy(source, place, features)
            place[features] = one
        else:
            for f in range(features):
                A[f * stride + s] = source[f]
        if plan[LABELLED]:
            for c in range(outputs):
                T[c * stride + s] = on if labels[row] == c else off
        else:
            for c in range(outputs):
                T[c * stride + s] = targets[row * outputs + c]
        share = 1.0 / total
        if plan[WEIGHTED]:
            share = weights[row] / total
        T[outputs * stride + s] = share if s < samples else nothing


@inner
def _total(plan, weights, order, epoch, start, samples):
    """What the weights of a batch are divided by."""
    apart()
    if not plan[MEAN]:
        return 1.0
    if not plan[WEIGHTED]:
        return 1.0 * samples
    total = 0.0
    for s in range(samples):
        total += weights[_row(plan, order, epoch, start + s)]
    return total if total != 0.0 else 1.0


@inner
def _show(plan, Z, samples, predictions):
    """Write predictions, (samples, C)."""
    apart()
    outputs, stride = plan[CLASSES], plan[STRIDE]
    for s in range(samples):
        for c in range(outputs):
            predictions[s * outputs + c] = Z[c * stride + s]


@inner
def _filled(samples):
    """As many samples as whole vectors hold."""
    return (samples + LINE - 1) // LINE * LINE


@inner
def _share_of(total, thread, threads):
    """Where the samples of a thread begin, of `total`; parts begin at whole vectors."""
    return min(total, _filled(total * thread // threads))


@inner
def _sum(partial, threads, column):
    total = 0.0
    for thread in range(threads):
        total += partial[thread * _SUMS + column]
    return total


@inner
def _update(plan, numbers, segments, settings, rates, power, scale, parts, P, G, M, V, first, last, found):
    """Move the parameters from `first` to `last`; returns 0, or NaN where one of them is not finite."""
    apart()
    bad = 0.0
    for n in range(plan[SEGMENTS]):
        segment, own = offset(segments, n * SEGMENT), offset(settings, n * SEGMENT_SETTINGS)
        begin, end, rate = max(first, segment[START]), min(last, segment[STOP]), rates[segment[RATE]]
        gathers = not plan[LIMITED] and (parts > 1 or own[L1_RATE] != 0 or own[L2_RATE] != 0)
        for start in range(begin, end, _CHUNK):
            stop = min(start + _CHUNK, end)
            if gathers:
                call(plan[GATHER], (own, math.inf, parts, plan[SIZE], P, G, start, stop, found))
            moved = (own, rate, power, numbers[CLIP_VALUE], scale, P, G, M, V, start, stop)
            bad += measure(segment[UPDATE], moved)
    return bad


@inner
def _limit(plan, numbers, segments, settings, parts, P, G, first, last, found):
    """Add up the gradients from `first` to `last`, their penalties and their Σg²."""
    apart()
    for n in range(plan[SEGMENTS]):
        segment, own = offset(segments, n * SEGMENT), offset(settings, n * SEGMENT_SETTINGS)
        begin, end = max(first, segment[START]), min(last, segment[STOP])
        if begin < end:
            call(plan[GATHER], (own, numbers[CLIP_VALUE], parts, plan[SIZE], P, G, begin, end, found))


def block(
    thread, threads, plan, numbers, ops, op_numbers, segments, settings, cuts, X, targets, labels, weights, P, G, M, V,
    A, D, T, counters, partial, rates, order, losses, penalties, predictions,
):  # fmt: skip
    """Carry out plan[STEPS] steps; returns how many of them met finite numbers only.

    Every thread calls it with its own number and takes its share of the samples forward and backward. Then it moves
    its part of the parameters, from `cuts[thread]` on. With plan[SHARED] all samples lie side by side, and a thread
    computes the gradient of its parameters from all of them; otherwise each has an area of its own, which it fills
    tile by tile, and a gradient of all parameters, of which the parts are added up. `partial` is where the threads
    tell each other their sums.
    """
    batch, size, stride, outputs = plan[BATCH], plan[SIZE], plan[STRIDE], plan[CLASSES]
    shared, parts = plan[SHARED], 1 if plan[SHARED] else threads
    first_parameter, last_parameter = cuts[thread], cuts[thread + 1]
    area, targets_area = offset(A, thread * plan[AREA]), offset(T, thread * plan[TARGETS])
    slopes, gradient = offset(D, thread * plan[AREA]), offset(G, 0 if shared else thread * size)
    turn, seen, loaded = 0, 0, False
    for step in range(plan[STEPS]):
        epoch, number = divmod(plan[FIRST] + step, plan[PER_EPOCH])
        begin = number * batch
        count = min(batch, plan[SAMPLES] - begin)
        low, high = _share_of(count, thread, threads), _share_of(count, thread + 1, threads)
        side = offset(partial, 4 * (step % 2))  # a thread that is ahead writes on the other side
        own = offset(side, thread * _SUMS)
        own[0], own[1], own[2], own[3] = 0.0, 0.0, 0.0, 0.0
        total = 0.0 if loaded else _total(plan, weights, order, epoch, begin, count)
        for start in range(low, high, plan[TILE]):
            samples = min(plan[TILE], high - start)
            width = _filled(samples)
            column = start if shared else 0
            a, d, t = offset(area, column), offset(slopes, column), offset(targets_area, column)
            z, dz = offset(a, plan[OUTPUT] * stride), offset(d, plan[OUTPUT] * stride)
            if not loaded:
                _gather(
                    plan, numbers, X, targets, labels, weights, order, epoch, begin + start, column, samples, width,
                    total, a, t,
                )  # fmt: skip
                loaded = plan[STILL] != 0
            _forward(plan, ops, op_numbers, plan[STEP] + step, start, width, samples, P, a)
            own[0] += measure(plan[LOSS], (numbers, plan, z, dz, t, width))
            if plan[PREDICT]:
                _show(plan, z, samples, offset(predictions, (seen + start) * outputs))
            _backward(plan, ops, op_numbers, start, width, samples, P, a, d)
            if not shared:
                _gradients(plan, ops, 0, size, 1 if start > low else 0, width, gradient, a, d)
        if low == high and not shared:
            for i in range(size):
                gradient[i] = 0
        seen += count
        turn += 1
        if not barrier(counters, thread, threads, turn, plan[YIELD]):
            return -1
        # This thread's part of the parameters
        if shared:
            _gradients(plan, ops, first_parameter, last_parameter, 0, _filled(count), G, A, D)
        scale = 1.0
        if plan[LIMITED]:
            _limit(plan, numbers, segments, settings, parts, P, G, first_parameter, last_parameter, offset(own, 1))
            turn += 1
            if not barrier(counters, thread, threads, turn, plan[YIELD]):
                return -1
            norm = math.sqrt(_sum(side, threads, 2))
            if norm > numbers[CLIP_NORM]:
                scale = numbers[CLIP_NORM] / norm
        bad = _update(
            plan, numbers, segments, settings, offset(rates, step * plan[RATES]), 1.0 * (plan[STEP] + step + 1), scale,
            parts, P, G, M, V, first_parameter, last_parameter, offset(own, 1),
        )  # fmt: skip
        if thread == 0:
            for i in range(size, plan[STATE_END]):
                bad += P[i] * 0.0
        own[3] = bad
        turn += 1
        if not barrier(counters, thread, threads, turn, plan[YIELD]):
            return -1
        loss, penalty, bad = _sum(side, threads, 0), _sum(side, threads, 1), _sum(side, threads, 3)
        if thread == 0:
            losses[step], penalties[step] = loss, penalty
        if not math.isfinite(loss + penalty + bad):
            return step
    return plan[STEPS]
