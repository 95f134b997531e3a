"""Lines that people write in a backward pass, each with its value: the right one is what a report suggests.

Forms are compared with the numeric derivative; of the layer only its arrays are known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..measuring.comparison import Comparison
from ..measuring.setting import Setting

__all__ = ["Form", "matrices", "names_of", "one_hot", "products", "right_form", "right_line"]

Floats = NDArray[np.float64]

_LARGEST = 64  # matrices up to this size take part in the search for products


class Form(NamedTuple):
    """A line of code and what it gives."""

    code: str
    value: Floats


def right_line(settings: Sequence[Comparison]) -> str:
    """The line that gives the right gradient in every setting, in the style of the object's author; "" without one."""
    subject = settings[0].setting.subject
    name = "inputs" if list(subject.inputs) == [settings[0].name] and subject.style.own else settings[0].name
    right = [{form.code for form in _right_forms(m)} for m in settings]
    fullest = max(settings, key=lambda m: len(m.flats))
    code = next((form.code for form in _right_forms(fullest) if all(form.code in codes for codes in right)), None)
    return "" if code is None else subject.style.line(name, code)


def right_form(measured: Comparison) -> Form | None:
    """The first form whose value equals the derivative in this setting."""
    return next(_right_forms(measured), None)


def _right_forms(measured: Comparison) -> Iterator[Form]:
    shape = measured.value.shape
    size = max(float(np.max(np.abs(measured.expected), initial=0.0)), 1e-300)
    for form in _forms(measured):
        if form.value.shape != shape or not np.isfinite(form.value).all():
            continue
        if (np.abs(form.value.reshape(-1)[measured.flats] - measured.expected) <= 1e-6 * size).all():
            yield form


def _forms(m: Comparison) -> Iterator[Form]:
    with np.errstate(all="ignore"):
        if m.setting.subject.is_loss:
            yield from _loss_forms(m)
        elif m.name in m.setting.subject.inputs:
            yield from _input_forms(m)
        yield from _sums(m)
        yield from products(m)


def names_of(setting: Setting) -> tuple[str, str, str]:
    """What the object's code calls its inputs, output and upstream gradient."""
    style, subject = setting.subject.style, setting.subject
    inputs = style.inputs if style.own == "" and subject.upstream else _kept(setting, "inputs")
    return inputs, _kept(setting, "output"), style.dvalues


def _kept(setting: Setting, usual: str) -> str:
    """What the object calls its inputs, or its output: the usual name, or another one that it keeps them under."""
    own, memory = setting.subject.style.own, setting.memory
    array = next(iter(setting.values.values())) if usual == "inputs" else setting.output
    same = [name for name, held in memory.items() if held.shape == array.shape and np.array_equal(held, array)]
    return f"{own}{usual if usual in memory or not same else same[0]}"


def _input_forms(m: Comparison) -> Iterator[Form]:
    s = m.setting
    module = s.subject.style.module
    x, y, d = m.value, s.output, s.dvalues
    x_, y_, d_ = names_of(s)
    if x.shape != y.shape:
        return
    yield Form(d_, d)
    yield Form(f"{module}.where({x_} > 0, {d_}, 0)", np.where(x > 0, d, 0.0))
    yield Form(f"{d_} * (1 - {y_}) * {y_}", d * (1 - y) * y)
    yield Form(f"{d_} * (1 - {y_} ** 2)", d * (1 - y * y))
    yield Form(f"{d_} * {y_}", d * y)
    yield Form(f"{d_} * 2 * {x_}", d * 2 * x)
    yield Form(f"{d_} * {module}.sign({x_})", d * np.sign(x))
    yield Form(f"{d_} / {x_}", d / x)
    yield Form(f"{d_} / (1 + {module}.exp(-{x_}))", d / (1 + np.exp(-x)))
    if y.ndim > 1:
        inner = f"{module}.sum({d_} * {y_}, axis=-1, keepdims=True)"
        yield Form(f"{y_} * ({d_} - {inner})", y * (d - np.sum(d * y, axis=-1, keepdims=True)))
        total = f"{module}.sum({d_}, axis=-1, keepdims=True)"
        yield Form(f"{d_} - {module}.exp({y_}) * {total}", d - np.exp(y) * np.sum(d, axis=-1, keepdims=True))
    for name, array in _named_arrays(s):
        if array.shape == d.shape or array.ndim == 0:
            yield Form(f"{d_} * {name}", d * array)


def _named_arrays(s: Setting) -> Iterator[tuple[str, Floats]]:
    """The parameters, then the object's other arrays, by their names in its code."""
    own = s.subject.style.own
    for name in s.subject.parameters:
        yield f"{own}{name}", s.values[name]
    skip = ("inputs", "output", "dinputs")
    for name, array in s.memory.items():
        last = name.rpartition(".")[2]
        if last not in skip and not last.startswith("d") and array.dtype.kind == "f":
            yield f"{own}{name}", array


def _sums(m: Comparison) -> Iterator[Form]:
    s = m.setting
    module = s.subject.style.module
    d, (_, _, d_) = s.dvalues, names_of(s)
    if m.name not in s.subject.parameters or d.ndim < 2:
        return
    axis = "dim=0, keepdim=True" if module == "torch" else "axis=0, keepdims=True"
    flat = "dim=0" if module == "torch" else "axis=0"
    factors = [("", np.ones_like(d)), *((f" * {name}", a) for name, a in _factors(s) if a.shape == d.shape)]
    for code, factor in factors:
        yield Form(f"{module}.sum({d_}{code}, {axis})", np.sum(d * factor, axis=0, keepdims=True))
        yield Form(f"{module}.sum({d_}{code}, {flat})", np.sum(d * factor, axis=0))
        yield Form(f"{module}.sum({d_}{code})", np.sum(d * factor).reshape(m.value.shape if m.value.size == 1 else ()))


def _factors(s: Setting) -> Iterator[tuple[str, Floats]]:
    x_, _, _ = names_of(s)
    yield x_, next(iter(s.values.values()))
    yield from _named_arrays(s)


def _loss_forms(m: Comparison) -> Iterator[Form]:
    s = m.setting
    module, d_, t_ = s.subject.style.module, s.subject.style.dvalues, s.subject.style.targets
    p, t = m.value, one_hot(s)
    if t is None or p.ndim != 2:
        return
    samples, outputs = p.shape
    share = np.reshape(s.dvalues, (-1, 1)) if s.subject.upstream else np.full((1, 1), 1 / samples)
    per = f" * {d_}" if s.subject.upstream else f" / len({d_})"
    p_ = "predictions" if s.subject.upstream else d_
    t_ = "targets" if s.subject.upstream else t_
    softmax = np.exp(p - p.max(axis=1, keepdims=True))
    softmax = softmax / softmax.sum(axis=1, keepdims=True)
    sigmoid = 1 / (1 + np.exp(-p))
    yield Form(f"-{t_} / {p_}{per}", -t / p * share)
    activated = "output" in s.memory and np.shape(s.memory["output"]) == p.shape
    probabilities = "probabilities" if s.subject.upstream else d_ if activated else f"softmax({p_})"
    yield Form(f"({probabilities} - {t_}){per}", (softmax - t) * share)
    yield Form(
        f"-({t_} / {p_} - (1 - {t_}) / (1 - {p_})) / {p_}.shape[-1]{per}",
        -(t / p - (1 - t) / (1 - p)) / outputs * share,
    )
    yield Form(f"(sigmoid({p_}) - {t_}) / {p_}.shape[-1]{per}", (sigmoid - t) / outputs * share)
    yield Form(f"2 * ({p_} - {t_}) / {p_}.shape[-1]{per}", 2 * (p - t) / outputs * share)
    yield Form(f"2 * ({p_} - {t_}){per}", 2 * (p - t) * share)
    yield Form(f"({p_} - {t_}){per}", (p - t) * share)
    yield Form(f"{module}.sign({p_} - {t_}) / {p_}.shape[-1]{per}", np.sign(p - t) / outputs * share)
    yield Form(f"{module}.sign({p_} - {t_}){per}", np.sign(p - t) * share)


def one_hot(setting: Setting) -> Floats | None:
    """The targets in the predictions' shape; None where they do not fit."""
    predictions = next(iter(setting.values.values()))
    targets = np.asarray(setting.point.targets)
    if predictions.ndim == 2 and targets.ndim == 1 and targets.dtype.kind in "iu":
        return np.asarray(np.eye(predictions.shape[1])[targets])
    if targets.shape == predictions.shape:
        return targets.astype(np.float64)
    if targets.size == predictions.size:
        return targets.reshape(predictions.shape).astype(np.float64)
    return None


def matrices(setting: Setting) -> dict[str, Floats]:
    """Every matrix that could be a factor of a product, by its name in the object's code."""
    x_, y_, d_ = names_of(setting)
    found: dict[str, Floats] = {d_: setting.dvalues, x_: next(iter(setting.values.values()))}
    found |= dict(_named_arrays(setting))
    found[y_] = setting.output
    fitting = {name: a for name, a in found.items() if a.ndim == 2 and max(a.shape, default=0) <= _LARGEST}
    return dict(list(fitting.items())[:8])


def products(m: Comparison) -> Iterator[Form]:
    """Products of two of the matrices, transposed or not, that have the shape of the array."""
    dot = m.setting.subject.style.dot
    known = matrices(m.setting)
    sides = [(name, a) for name, a in known.items()] + [(f"{name}.T", a.T) for name, a in known.items()]
    for left, a in sides:
        for right, b in sides:
            if a.shape[1] == b.shape[0] and (a.shape[0], b.shape[1]) == m.value.shape and left != right:
                yield Form(f"{dot}({left}, {right})", a @ b)
