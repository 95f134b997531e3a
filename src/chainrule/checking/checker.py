"""`check`: compares every gradient with the derivative of forward, and looks for faults that gradients do not show."""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..errors import ChainruleError, ConfigurationError, GradientMismatch
from .comparisons import behaviour, edges, gradients
from .comparisons.handmade import handmade
from .comparisons.settings import in_other_settings
from .findings import Checked, Finding
from .measuring.bench import Bench, Broken, refuse_ours
from .measuring.comparison import Tolerance
from .mending.explained import both_or_neither, explained, told_once
from .purpose import told_as_declared
from .report import Report, joined
from .streams import streams_kept
from .subjects import Subject, subjects_of

__all__ = ["CHECKS", "check", "require_known"]

# What is checked beside the gradients themselves, by name.
CHECKS: dict[str, Callable[[Bench], Iterator[Finding]]] = {
    "kinks": edges.kinks,
    "clipping": edges.clipping,
    "mutation": behaviour.mutation,
    "earlier_calls": behaviour.earlier_calls,
    "batch": behaviour.independence,
    "switch": behaviour.switches,
    "dtype": behaviour.dtypes,
}


_LONG = 1.0  # seconds, after which a way to run an item is not sought anew for each line that is tried


def check(
    item: Any,
    inputs: Any = None,
    targets: Any = None,
    *,
    arguments: tuple[Any, ...] = (),
    reduction: str = "mean",
    rtol: float = 1e-5,
    atol: float = 1e-8,
    at_kinks: str = "zero",
    only: tuple[str, ...] = (),
    on_purpose: bool | str | None = None,
    numeric: Callable[..., Any] | None = None,
    seed: int = 0,
    raises: bool = False,
) -> Report:
    """Compare every gradient of a backward pass with the derivative of its forward pass; say what the mistake is.

    `item` is a layer, loss, penalty, graph or model of this library; an object or class written the book's way, with
    `forward(inputs)` and `backward(dvalues)`; a loss with `forward(y_pred, y_true)` and `backward(dvalues, y_true)`;
    a pair of functions `(forward, backward)`; a `torch.nn.Module` or `torch.autograd.Function`. It is copied and never
    changed. `inputs` is a batch (a tuple of batches for a join, a dict by name for functions), the shape of one, such
    as `(5, 4)`, or left out; `targets` likewise for a loss. A class is constructed with `arguments`.

    In float64, two entries agree if |received - expected| <= rtol · the larger + atol · the array's largest, plus the
    error bound of the numeric derivative. Arrays of up to 64 entries are compared entry by entry, larger ones along
    random directions, each of which moves every entry, and where these disagree entry by entry. If a loss returns one
    number per sample, `reduction` says whether its gradient is that of their "mean" or their "sum". At a kink with a
    flat side, such as that of max(x, 0) at 0, the gradient must be 0, or with `at_kinks="any"` any slope between the
    two sides. `only` names some of the checks: "gradients" and those in `chainrule.checking.CHECKS`.

    With `on_purpose` (True, or a reason), under the decorator `chainrule.checking.on_purpose`, or where a comment in
    the backward pass says `# on purpose`, a gradient that is not the derivative is declared: a note, no error, named in
    `.declared` and not among what was compared. With `on_purpose=False` no declaration counts. `numeric` is a numeric
    check of one's own, `numeric(f, x)`, for the gradient of a number f(x): where it disagrees with gradients that are
    right, a note says why. With `raises`, a failing check raises `GradientMismatch`.

    Raises `ConfigurationError` for an item that cannot be checked, or where no inputs can be found on which it runs.

    >>> class Layer_Double:
    ...     def forward(self, inputs):
    ...         self.output = 2 * inputs
    ...     def backward(self, dvalues):
    ...         self.dinputs = -2 * dvalues
    >>> report = check(Layer_Double(), np.array([[1.0, 3.0]]))
    >>> report.passed, report.mistakes
    (False, ('wrong_sign',))
    """
    require_known(reduction, at_kinks, only)
    started = time.perf_counter()
    if not all(isinstance(each, Real) and 0 <= each < math.inf for each in (rtol, atol)):
        raise ConfigurationError(
            f"check: rtol and atol must be finite numbers of at least 0, not {rtol!r} and {atol!r}."
        )
    if not isinstance(seed, Integral) or seed < 0:
        raise ConfigurationError(f"check: seed must be a whole number of at least 0, not {seed!r}.")
    tolerance = Tolerance(float(rtol), float(atol))

    def errors(known: list[Subject]) -> list[Finding]:
        """What is wrong now, with a line in place that is being tried; `known` is checked where it was long sought."""
        found: list[Finding] = []
        for subject in known or _subjects(item, inputs, targets, arguments, reduction, on_purpose):
            bench = Bench(subject, tolerance, seed, at_kinks)
            found += _with_settings(bench, _check_one(bench, only), only)[1].errors
        return found

    reports = []
    with streams_kept(), np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        began = time.thread_time()
        for subject in _subjects(item, inputs, targets, arguments, reduction, on_purpose):
            known = [subject] if time.thread_time() - began > _LONG else []
            bench = Bench(subject, tolerance, seed, at_kinks)
            one = _check_one(bench, only, numeric)
            bench, one = _with_settings(bench, one, only)
            again = functools.partial(errors, known)
            if not one.passed:
                mended = both_or_neither(bench, explained(bench, one.findings, again))
                one = replace(one, findings=tuple(told_once(mended)))
            reports.append(one)
            began = time.thread_time()
    report = _as_one(item, reports, time.perf_counter() - started)
    if raises and not report.passed:
        raise GradientMismatch(str(report), report)
    return report


def _with_settings(bench: Bench, report: Report, only: tuple[str, ...]) -> tuple[Bench, Report]:
    """What is right by default in other settings as well: the first in which it is wrong takes its place."""
    if not report.passed or only or bench.subject.on_purpose or bench.subject.variations is None:
        return bench, report
    return in_other_settings(bench, report, lambda other: _check_one(other, ("gradients",)))


def _subjects(
    item: Any, inputs: Any, targets: Any, arguments: tuple[Any, ...], reduction: str, on_purpose: bool | str | None
) -> Iterator[Subject]:
    try:
        yield from subjects_of(item, inputs, targets, arguments=arguments, reduction=reduction, on_purpose=on_purpose)
    except (TypeError, ValueError, IndexError, AttributeError, KeyError) as error:
        if isinstance(error, ChainruleError):
            raise
        what = item.__name__ if isinstance(item, type) else type(item).__name__
        raise ConfigurationError(
            f"check: {what} cannot be run on what was passed ({type(error).__name__}: {error}). Pass a batch of inputs "
            "that it takes, such as an array of shape (5, 4)."
        ) from error


def require_known(reduction: str = "mean", at_kinks: str = "zero", only: tuple[str, ...] = ()) -> None:
    """Raises `ConfigurationError` for a value that these options of `check` do not have."""
    if reduction not in ("mean", "sum"):
        raise ConfigurationError(f"check: reduction must be 'mean' or 'sum', not {reduction!r}.")
    if at_kinks not in ("zero", "any"):
        raise ConfigurationError(f"check: at_kinks must be 'zero' or 'any', not {at_kinks!r}.")
    for name in only:
        if name not in ("gradients", *CHECKS):
            raise ConfigurationError(f"check: only names {name!r}; known: gradients, {', '.join(CHECKS)}.")


def _check_one(bench: Bench, only: tuple[str, ...], numeric: Callable[..., Any] | None = None) -> Report:
    findings: list[Finding] = []
    arrays: list[Checked] = []
    try:
        bench.settle()
        if not only or "gradients" in only:
            found, arrays = gradients.compare(bench)
            findings += found
        for name, run in CHECKS.items():
            if not only or name in only:
                findings += _run(run, bench, findings)
    except Broken as broken:
        findings.append(broken.finding)
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:  # on its own inputs it runs, on inputs moved a little it does not
        refuse_ours(error, bench.subject.title)
        says = f"It raises {type(error).__name__} on inputs close to its own, so that they cannot be moved: {error}."
        findings.append(bench.error("raises", "", says, "raises_when_moved"))
    if numeric is not None and not any(finding.severity == "error" for finding in findings):
        findings += handmade(bench, numeric)
    findings += [bench.note("guess", "", says, "guessed") for says in bench.subject.notes]
    if bench.subject.on_purpose:
        findings, arrays = told_as_declared(findings, arrays, bench.subject.on_purpose)
    tolerance = bench.tolerance
    return Report(
        bench.subject.title, tuple(arrays), _by_severity(findings), tolerance.rtol, tolerance.atol, bench.seed
    )


def _run(run: Callable[[Bench], Iterator[Finding]], bench: Bench, before: list[Finding]) -> list[Finding]:
    """What one check finds; an exception that was already reported is not reported again."""
    try:
        return list(run(bench))
    except Broken as broken:
        return [] if any(f.kind == "raises" for f in before) else [broken.finding]
    except ConfigurationError:
        raise
    except (Exception, SystemExit) as error:  # the object is not ours: anything may come
        refuse_ours(error, bench.subject.title)
        if any(finding.severity == "error" or finding.kind == "raises" for finding in before):
            return []
        return [bench.error("raises", "", f"It raises {type(error).__name__}: {error}.", "raises")]


def _by_severity(findings: list[Finding]) -> tuple[Finding, ...]:
    """Errors first and causes before consequences; a batch finding is dropped where the gradient itself is wrong."""
    order = ("error", "warning", "note")
    causes = ("parameter_changed", "inputs_overwritten", "not_deterministic")
    wrong = {finding.array for finding in findings if finding.kind == "gradient"}
    kept = [finding for finding in findings if not (finding.kind == "batch" and finding.array in wrong)]
    return tuple(sorted(kept, key=lambda f: (order.index(f.severity), f.mistake not in causes)))


def _as_one(item: Any, reports: list[Report], seconds: float) -> Report:
    """One report of all parts; errors of the whole network are dropped where one of its nodes is wrong already."""
    whole = joined(reports)
    title = whole.subject if len(reports) == 1 else type(item).__name__
    findings = list(whole.findings)
    if any(finding.severity == "error" and finding.where != reports[-1].subject for finding in findings):
        findings = [f for f in findings if f.where != reports[-1].subject or f.severity != "error" or len(reports) == 1]
    return Report(title, whole.arrays, _by_severity(findings), whole.rtol, whole.atol, whole.seed, seconds)
