"""Faults that gradients alone do not show: overwritten arrays, stale caches, lost dtypes, leaks between modes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..equality import equal
from ..findings import Finding, tolerance
from ..measuring.bench import Bench
from ..measuring.setting import Setting
from ..subjects import Instance, Point, groups_of

__all__ = ["dtypes", "earlier_calls", "independence", "mutation", "switches"]

Floats = NDArray[Any]


def mutation(bench: Bench) -> Iterator[Finding]:
    """Neither pass may change its inputs, targets, dvalues or parameters."""
    point, _ = bench.two_points()
    instance = bench.subject.create()
    given = {name: value.copy() for name, value in point.values.items()}
    fixed = point.copied().fixed
    targets = np.array(point.targets) if point.targets is not None else None
    output = bench.forward(instance, replace(point, values=given))
    dvalues = bench.dvalues(output)
    held = dvalues.copy()
    after_forward = {name: value.copy() for name, value in instance.parameters().items()}
    yield from _overwritten(bench, "forward", point, given, targets, point.targets, after_forward)
    before = {name: value.copy() for name, value in given.items()}
    instance.backward(held)
    if not equal(held, dvalues):
        says = "backward overwrites dvalues, which belongs to the layer above: work on a copy, dvalues.copy()."
        yield bench.error("mutation", "dvalues", says, "dvalues_overwritten")
    for name, value in fixed.items():
        if isinstance(value, np.ndarray) and not equal(point.fixed[name], value):
            says = f"The passes overwrite {name}, which belongs to the caller: work on a copy."
            yield bench.error("mutation", name, says, "inputs_overwritten")
    moved = replace(point, values=before)
    now = {name: value for name, value in instance.parameters().items() if not equal(value, after_forward[name])}
    yield from _overwritten(bench, "backward", moved, given, targets, point.targets, {})
    for name in now if not bench.subject.updates else ():
        says = f"backward changes the parameter {name}: only the optimizer may."
        yield bench.error("mutation", name, says, "parameter_changed")


def _overwritten(
    bench: Bench,
    method: str,
    before: Point,
    after: dict[str, Floats],
    targets: Any,
    targets_now: Any,
    held: dict[str, Floats],
) -> Iterator[Finding]:
    for name, value in before.values.items():
        parameter = name in bench.subject.parameters
        if not equal(after[name], value) or (name in held and not equal(held[name], value)):
            says = (
                f"{method} changes the parameter {name}: only the optimizer may."
                if parameter
                else f"{method} overwrites its {name}, which belong to the layer below: work on a copy."
            )
            yield bench.error("mutation", name, says, "parameter_changed" if parameter else "inputs_overwritten")
    if targets is not None and not equal(np.asarray(targets_now), targets):
        yield bench.error("mutation", "targets", f"{method} overwrites the targets.", "inputs_overwritten")


def earlier_calls(bench: Bench) -> Iterator[Finding]:
    """A pass must give the same result whatever passes came before it."""
    own, second = bench.two_points()
    reference = bench.subject.create()
    output = bench.forward(reference, second)
    dvalues = bench.dvalues(output)
    expected = reference.backward(dvalues.copy())
    kinds = ("forward",) if bench.subject.steps else ("forward", "forward and backward")
    orders = [(first, calls) for calls in kinds for first in (own, bench.like(second))]
    for first, calls in orders:
        instance = bench.subject.create()
        earlier = bench.forward(instance, first)
        before: dict[str, Any] = {}
        if calls != "forward":
            before = _copies(instance.backward(bench.dvalues(earlier)))
        try:
            again = bench.forward(instance, second)
            received = _copies(instance.backward(dvalues.copy()))
        except Exception as error:  # the object is not ours: anything may come
            says = f"A second pass fails after {calls} on another batch: {type(error).__name__}: {error}."
            mistake = "accumulated" if calls != "forward" else "stale_cache"
            yield bench.error("earlier_calls", "", says, mistake)
            return
        if not _close(again, output):
            says = f"forward depends on an earlier call: after {calls} on another batch its output is different."
            yield bench.error("earlier_calls", "output", says, "stale_cache")
            return
        differences = list(_differences(bench, calls, expected, received, before))
        yield from differences
        if differences:
            return


def _differences(
    bench: Bench, calls: str, expected: dict[str, Any], received: dict[str, Any], before: dict[str, Any]
) -> Iterator[Finding]:
    for name, right in expected.items():
        now = received.get(name)
        if now is None or _close(now, right):
            continue
        added = name in before and np.shape(before[name]) == np.shape(right) and _close(now, right + before[name])
        array = bench.label(name)
        if added:
            line = _set_anew(bench, name)
            says = f"{array} is added to what an earlier call left in it: start anew at each backward."
            yield bench.error("earlier_calls", array, says, "accumulated", write=line)
        else:
            says = (
                f"{array} depends on an earlier call: after {calls} on another batch, then both on this one, "
                "it is different. What backward reads must be stored anew at each forward."
            )
            yield bench.error("earlier_calls", array, says, "stale_cache")


def _set_anew(bench: Bench, name: str) -> str:
    """The line that sets a gradient instead of adding to it, under the name that the object keeps it by."""
    plan = getattr(bench.subject.create(), "plan", None)
    place = plan.sources.get(name) if plan is not None else None
    stored = place.path if place is not None and place.kind == "stored" else name
    if "." in stored or "[" in stored:
        return ""
    return f"{bench.line(name, '...') if stored == name else f'self.{stored} = ...'}  # = instead of +="


def dtypes(bench: Bench) -> Iterator[Finding]:
    """float32 must stay float32, and float64 must not lose precision."""
    if bench.subject.plain:
        return
    point, _ = bench.two_points()
    try:
        output, gradients, dvalues = _pass_in_single(bench, point)
    except Exception:  # an object that does not run in float32 is reported for what it does in float64
        return
    results = {"output": output, **gradients} if bench.subject.upstream else gradients
    wide = [name for name, g in results.items() if _kind(g) == np.float64]
    whole = [
        name for name, g in {"output": output, **gradients}.items() if getattr(g, "dtype", output.dtype).kind in "iub"
    ]
    for name in whole:
        says = f"{bench.label(name)} has a dtype of whole numbers: it must be of floats."
        yield bench.error("dtype", bench.label(name), says, "integer_gradient")
    if wide and dvalues.dtype == np.float32:
        listed = ", ".join(bench.label(name) for name in wide)
        says = f"float32 in, float64 out: {listed}. Somewhere an array is made without dtype=inputs.dtype."
        yield bench.warning("dtype", bench.label(wide[0]), says, "dtype_widened")
    if bench.noise > 1e-10:
        digits = max(int(-np.log10(bench.noise)), 1)
        says = (
            f"forward rounds to about {digits} digits (float32 inside), so that gradients could be compared to "
            f"{tolerance(float(f'{bench.reached:.0e}'))} only. This is rounding, not a mistake in backward."
        )
        yield bench.note("dtype", "output", says, "float32_rounding")
    elif output.dtype == np.float32:
        exact = bench.setting(point)
        narrow = [n for n, g in exact.gradients.items() if _kind(g) in (np.float32, np.float16)]
        if narrow:
            says = f"float64 in, {_kind(exact.gradients[narrow[0]])} out: {', '.join(map(bench.label, narrow))}."
            yield bench.warning("dtype", bench.label(narrow[0]), says, "float32_rounding")


def _pass_in_single(bench: Bench, point: Point) -> tuple[Floats, dict[str, Any], Floats]:
    instance, dtype = bench.subject.create(), np.float32
    instance.hold_single()
    targets = point.targets
    if targets is not None and np.asarray(targets).dtype.kind == "f":
        targets = np.asarray(targets).astype(dtype)
    values = {name: value.astype(dtype) for name, value in point.values.items()}
    arrays = {n: v for n, v in point.fixed.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"}
    fixed = {**point.copied().fixed, **{name: value.astype(dtype) for name, value in arrays.items()}}
    output = bench.forward(instance, replace(point, values=values, targets=targets, fixed=fixed))
    dvalues = bench.dvalues(output).astype(dtype)
    return output, instance.backward(dvalues), dvalues


def _kind(array: Any) -> Any:
    return getattr(array, "dtype", np.dtype(object)).type


def independence(bench: Bench) -> Iterator[Finding]:
    """Where samples do not affect each other, the gradient of a batch must be the sum over its samples."""
    _, point = bench.two_points()
    groups = groups_of(bench.subject)
    if not groups or any(axis for _, axis in groups[0]) or bench.subject.seeded:
        return
    whole = bench.setting(point)
    sharing = {name for name, _ in groups[0]}
    samples = whole.samples
    reduced = bench.subject.upstream and whole.output.shape[:1] != (samples,)
    if samples < 2 or reduced:
        return
    rows = [_of_row(bench, whole, row, sharing) for row in range(samples)]
    share = _share(whole, [output for output, _ in rows])
    if share is None:
        yield from _mixing(bench)
        return
    for name, gradient in whole.gradients.items():
        parts = [share * gradients[name] for _, gradients in rows if name in gradients]
        received = np.asarray(gradient, dtype=np.float64) - whole.penalty.get(name, 0.0)
        if len(parts) < samples:
            continue
        together = np.concatenate(parts) if name in sharing and parts[0].ndim else np.sum(parts, axis=0)
        rounding = 1e-10 * max(float(np.max(np.abs(part), initial=0.0)) for part in parts) + 1e-12
        if together.shape == received.shape and not _close(received, together, 1e-7, rounding):
            says = (
                f"{bench.label(name)} of a batch is not the sum over its samples, although each sample's output is its "
                "own: something in backward depends on how many samples there are."
            )
            yield bench.error("batch", bench.label(name), says, "batch_inconsistent")


def _of_row(bench: Bench, whole: Setting, row: int, sharing: set[str]) -> tuple[Floats, dict[str, Floats]]:
    """The output and gradients of one sample alone, with its part of the upstream gradient."""
    instance = bench.subject.create()
    output = bench.forward(instance, _row(whole.point, row, sharing))
    dvalues = whole.dvalues[row : row + 1] if bench.subject.upstream else np.ones(output.shape)
    gradients = instance.backward(dvalues.copy())
    penalty = instance.penalty()[1]
    return output, {n: np.asarray(g, dtype=np.float64) - penalty.get(n, 0.0) for n, g in gradients.items()}


def _share(whole: Setting, outputs: list[Floats]) -> float | None:
    """How much each sample counts in the batch: 1, or 1/B for a mean; None where samples affect each other."""
    if whole.subject.upstream:
        same = all(o.shape[1:] == whole.output.shape[1:] for o in outputs)
        return 1.0 if same and _close(np.concatenate(outputs), whole.output) else None
    if _close(np.mean(outputs), whole.output):
        return 1 / len(outputs)
    return 1.0 if _close(np.sum(outputs), whole.output) else None


def _row(point: Point, row: int, sharing: set[str]) -> Point:
    """One sample of a batch, with its part of every array that has the samples along its first axis."""

    def part(name: str, array: Any) -> Any:
        return array[row : row + 1] if name in sharing else array

    values = {name: part(name, value) for name, value in point.values.items()}
    fixed = {name: part(name, value) for name, value in point.fixed.items()}
    split = point.targets is not None and (not point.sizes or "targets" in sharing or np.ndim(point.targets) > 0)
    targets = np.asarray(point.targets)[row : row + 1] if split else point.targets
    return replace(point, values=values, fixed=fixed, targets=targets, first_row=row, sizes=(1, *point.sizes[1:]))


def _mixing(bench: Bench) -> Iterator[Finding]:
    if bench.subject.mixes is False:
        says = "A sample's output depends on the other samples of its batch: declare mixes_samples = True."
        yield bench.error("batch", "output", says, "mixes_samples")


def switches(bench: Bench) -> Iterator[Finding]:
    """Inference must be repeatable, change nothing, and not use gradients left over from a training pass."""
    if len(bench.subject.modes) < 2 and not bench.subject.undefined:
        return
    first, second = (replace(point, training=False) for point in bench.two_points())
    instance = bench.subject.create()
    try:
        instance.forward(second)
    except Exception:  # its statistics may begin with the first training pass
        instance = bench.subject.create()
        bench.forward(instance, replace(bench.like(second), training=True))
    before = np.array(instance.forward(second))  # not seeded: inference must draw nothing
    moves = not _close(np.array(instance.forward(second)), before)
    again = np.array(bench.forward(instance, second))  # seeded: with the same random numbers
    if moves and _close(np.array(bench.forward(instance, second)), again):
        yield bench.error("switch", "output", "Inference is random: noise belongs to training.", "random_inference")
        return
    bench.forward(instance, first)
    if moves or not _close(np.array(instance.forward(second)), before):
        says = "Inference changes what later passes give: running statistics may move in training only."
        yield bench.error("switch", "output", says, "inference_changes_state")
        return
    if bench.subject.undefined:
        return
    bench.forward(instance, replace(bench.like(second), training=True))
    yield from _leaks(bench, instance, second)


def _leaks(bench: Bench, instance: Instance, point: Point) -> Iterator[Finding]:
    """After a training pass, backward in inference must still match forward in inference."""
    output = bench.forward(instance, point)
    dvalues = bench.dvalues(output)
    try:
        gradients = instance.backward(dvalues.copy())
    except Exception as error:  # the object is not ours: anything may come
        says = f"backward in inference fails once a training pass came before it: {type(error).__name__}: {error}."
        yield bench.error("switch", "", says, "training_leaks")
        return
    for name in bench.subject.inputs:
        received = np.asarray(gradients.get(name, np.nan), dtype=np.float64)
        direction = np.random.default_rng(0).normal(size=point.values[name].shape)
        if received.shape != direction.shape:
            continue
        step = max(1e-5, float(bench.noise ** (1 / 3)))
        ends = []
        for t in (step, -step):
            moved = point.with_values({name: point.values[name] + t * direction})
            ends.append(bench.forward(instance, moved))
        slope = float(np.sum(dvalues * (ends[0] - ends[1]))) / (2 * step)
        terms = received * direction
        rounding = 10 * bench.noise / step * float(np.sum(np.abs(dvalues * output)))
        if abs(float(terms.sum()) - slope) > 1e-4 * float(np.linalg.norm(terms)) + 1e-3 * abs(slope) + rounding:
            says = (
                f"{bench.label(name)} in inference is not the derivative of inference once a training pass came before "
                "it: what that pass stored (a mask, statistics) is still used, or what inference computes is derived "
                "wrongly."
            )
            yield bench.error("switch", bench.label(name), says, "training_leaks")


# Comparing


def _copies(gradients: dict[str, Any]) -> dict[str, Any]:
    return {name: np.array(gradient) for name, gradient in gradients.items()}


def _close(a: Any, b: Any, rtol: float = 1e-9, atol: float = 1e-300) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    size = max(float(np.max(np.abs(b), initial=0.0)), float(np.max(np.abs(a), initial=0.0)))
    return bool((np.abs(a - b) <= rtol * size + atol).all()) or equal(a, b)
