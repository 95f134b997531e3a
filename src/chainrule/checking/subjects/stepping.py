"""Methods that train: forward pass, gradients and step in one. One round of them is taken for a backward pass."""

from __future__ import annotations

import contextlib
import inspect
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..equality import equal
from ..streams import seed_streams
from .names import RATES, TARGETS
from .objects import arrays_of, attributes_of, copied
from .plans import Passes
from .signatures import parameters_of, required_of, returned_names, source_of

__all__ = ["Round", "RoundLoss", "steps_of"]

_SEED, _SAMPLES, _FEATURES = 1, 5, 4
_ONCE = re.compile(r"(?i)step|batch|update|back_?prop")  # the name of what goes once through the samples
_SLOPES = re.compile(r"(?i)^(d_?[wb]\d?|d_?(weights?|bias(es)?)|\w*grad(ient)?s?|\w*delta\w*)$")
_TRAINS = re.compile(
    r"(?i)^_?(fit(_model)?|(partial|batch)_fit|train\w*|learn|train_step|step|gradient_(descent|step)|update(_\w+)?|"
    r"optimi[sz]e|backprop\w*|back_?prop\w*|sgd)$"
)
_PREDICTS = re.compile(
    r"(?i)^_?(forward\w*|feed_?forward|predict(_proba\w*)?|__call__|run|query|output|compute_output|activate|hypothesis|net_input|decision_function|"
    r"infer(ence)?|propagate)$"
)
_COSTS = re.compile(r"(?i)^_?((compute|calc(ulate)?|get)_?)?(the_)?(loss|cost|error|objective)(_(function|fn))?$")
_ROUNDS = re.compile(
    r"(?i)^(n_?|num_?|max_?|no_of_)?(epochs?|iter(ation)?s?|steps|rounds|updates)$|^(n|num|max)_?(of_)?(epochs?|iter\w*)$"
)
_BATCHES = re.compile(r"(?i)^(mini_?)?batch_?size$|^bs$")
_LOSS = re.compile(r"(?i)(^|_)(loss|cost|error|objective|mse|bce|cross_?entropy)$")
_INPUTS = re.compile(r"^(X\w*|x\w*|inputs?|input_\w+|features|data|samples?|inputs_list|train_x|a|images?)$")


def steps_of(kind: type, item: Any, methods: list[str]) -> Iterator[Passes]:
    """The methods that train on inputs and targets, each with what gives the value: its own loss, or a prediction."""
    values = [name for name in methods if _PREDICTS.match(name) and len(_required(kind, name)) == 1]
    costs = [name for name in methods if _COSTS.match(name)]
    for name in (name for name in methods if _TRAINS.match(name)):
        required = _required(kind, name)
        inputs = [each for each in required if each.lower() not in TARGETS and _INPUTS.match(each)]
        targets = [each for each in required if each.lower() in TARGETS]
        others = [each for each in required if each not in (*inputs, *targets)]
        if len(inputs) != 1 or len(targets) != 1 or not all(_ROUNDS.match(o) or o.lower() in RATES for o in others):
            continue
        if not _ends(kind, name):
            continue
        step, made = _begun(item, name)
        if _LOSS.search((*returned_names(getattr(kind, name)), "")[0]):
            yield Passes(kind.__name__, made, RoundLoss(step), step)
        for cost in costs:
            if required[:2] == _required(kind, cost):
                yield Passes(kind.__name__, made, cost, step)
        for value in sorted(values, key=lambda each: each == "predict"):
            yield Passes(kind.__name__, made, value, step)


def _ends(kind: type, name: str) -> bool:
    """Whether a method takes steps along a gradient, and it is known how many: it is told, or goes once."""
    source = "".join(source_of(base) for base in kind.__mro__[:-1])
    held = re.findall(r"\bself\.(\w+)", source)
    if not any(word.lower() in RATES or _SLOPES.search(word) for word in re.findall(r"\w+", source)):
        return False
    told = any(_ROUNDS.match(each) for each in (*parameters_of(getattr(kind, name)), *held))
    loops = r"\bwhile\b" if told or _ONCE.search(name) else r"\b(while|for)\b"
    return re.search(loops, source_of(getattr(kind, name))) is None


def _begun(item: Any, name: str) -> tuple[Round, Any]:
    """The step, and the object with the parameters that the method makes before its first round, or as it is.

    These are no longer made anew: they may have other values.
    """
    if isinstance(item, type) or any(value.dtype.kind == "f" for _, value in arrays_of(item)):
        return Round(name), item
    rng = np.random.default_rng(_SEED)
    for shape in (_SAMPLES,), (_SAMPLES, 1):
        begun = []
        for _ in range(2):  # what differs with the data is no parameter
            twin, counts = copied(item), Counter[str]()
            given = rng.normal(size=(_SAMPLES, _FEATURES)), rng.integers(0, 2, shape).astype(float)
            with contextlib.suppress(Exception, SystemExit), _assigning(twin, counts):
                seed_streams(_SEED)
                Round(name).on(twin, 0)(*given)
                begun.append((twin, counts))
        if len(begun) == 2:
            (first, counts), (second, _) = begun
            own = {n: v for n, v in attributes_of(first) if n in counts and _may_be_parameter(n, v)}
            kept = [n for n, v in own.items() if equal(np.asarray(v), np.asarray(getattr(second, n)))]
            for each in kept:
                setattr(first, each, rng.normal(size=np.shape(own[each])) if np.ndim(own[each]) else 0.25)
            if any(np.ndim(own[each]) for each in kept):
                return Round(name, tuple((each, counts[each]) for each in kept)), first
    return Round(name), item


def _may_be_parameter(name: str, value: Any) -> bool:
    if _ROUNDS.match(name):
        return False
    numbers = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return numbers or isinstance(value, float) or (type(value) is int and value == 0)


@contextlib.contextmanager
def _assigning(item: Any, counts: Counter[str], left: dict[str, int] | None = None) -> Iterator[None]:
    """Count how often attributes are given a value; the first times that are `left` have no effect."""
    kind, first = type(item), dict(left or {})

    def assign(self: Any, name: str, value: Any) -> None:
        counts[name] += 1
        if counts[name] > first.get(name, 0):
            kind.__setattr__(self, name, value)  # type: ignore[call-arg]

    own = {"__setattr__": assign, "__slots__": (), "__module__": kind.__module__}
    item.__class__ = type(kind.__name__, (kind,), own)
    try:
        yield
    finally:
        item.__class__ = kind


def _required(kind: type, name: str) -> list[str]:
    try:
        return [each for each in required_of(getattr(kind, name)) if each != "self"]
    except (TypeError, ValueError):
        return []


@dataclass(frozen=True)
class Round:
    """One round of a method that trains, over all samples at once."""

    method: str
    begins: tuple[tuple[str, int], ...] = ()  # the parameters that it makes anew, and how often it gives them a value

    @property
    def __name__(self) -> str:
        return self.method

    def mentions_loss(self, item: Any) -> bool:
        """Whether the method computes something that it calls a loss."""
        given = re.findall(r"(?m)^\s*(?:self\.)?(\w+)\s*=[^=]", source_of(getattr(type(item), self.method)))
        return any(_LOSS.search(name) for name in given)

    def on(self, item: Any, rounds: int = 1) -> Callable[..., Any]:
        """The round of one object: it takes what the method takes but for the numbers of rounds and of samples."""
        method = getattr(item, self.method)
        known = parameters_of(method)
        counts = [name for name in known if _ROUNDS.match(name) or _BATCHES.match(name)]
        kept = [p for name, p in inspect.signature(method).parameters.items() if name not in counts]

        def step(*arguments: Any) -> Any:
            many = len(arguments[0]) if arguments else 1
            _set_rounds(item, rounds, many)
            named = dict(zip((p.name for p in kept), arguments, strict=False))
            named |= {name: rounds if _ROUNDS.match(name) else many for name in counts}
            quiet = contextlib.redirect_stdout(io.StringIO())
            with quiet, _assigning(item, Counter(), dict(self.begins)) if self.begins else contextlib.nullcontext():
                return getattr(item, self.method)(**named)

        step.__name__ = self.method
        step.__signature__ = inspect.Signature(kept)  # type: ignore[attr-defined]
        step.__wrapped__ = getattr(method, "__func__", method)  # type: ignore[attr-defined]
        return step


@dataclass(frozen=True)
class RoundLoss:
    """The loss that a step gives, taken on a copy, so that the object itself is not moved."""

    step: Round

    @property
    def __name__(self) -> str:
        return self.step.method

    @property
    def of_one_step(self) -> bool:
        """Whether the name says that it is the loss of one step, and not what is told of a whole run."""
        return _ONCE.search(self.step.method) is not None

    def on(self, item: Any) -> Callable[..., Any]:
        """The loss of one object."""
        step = self.step.on(item)

        def loss(*arguments: Any) -> Any:
            given = self.step.on(copied(item))(*arguments)
            return given[0] if isinstance(given, tuple) else given

        loss.__name__ = self.step.method
        loss.__signature__ = inspect.signature(step)  # type: ignore[attr-defined]
        loss.__wrapped__ = step.__wrapped__  # type: ignore[attr-defined]
        return loss


def _set_rounds(item: Any, rounds: int, many: int) -> None:
    """Let an object that holds how often and on how many samples it trains do it once, on all."""
    for name, value in list(attributes_of(item)):
        if type(value) is int and (_ROUNDS.match(name) or _BATCHES.match(name)):
            setattr(item, name, rounds if _ROUNDS.match(name) else many)
