"""Code that runs in another process, as a subject: it answers forward and backward, and all comparing is done here.

Nothing that the other process says is believed: what it describes is held to bounds, and every number is compared here.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigurationError
from ..subjects import Instance, Point, Style, Subject
from ..subjects.base import Arrays, Brought
from ..subjects.regularized import book_penalty
from .frames import Channel, Ended, decoded, encoded

__all__ = ["Remote", "RemoteItem", "shown"]

_ENTRIES = 2_000_000  # of all arrays of a subject
_LONGEST = 600  # characters of a message
_SUBJECTS = 64
_SLACK = 0.01
_LEAST = 2  # settings beside its own
_DOMAINS = ("numbers", "positive", "probabilities")
_KNOWN = {"ValueError", "TypeError", "IndexError", "KeyError", "AttributeError", "ZeroDivisionError", "RuntimeError",
          "NotImplementedError", "OverflowError", "AssertionError", "NameError", "MemoryError"}  # fmt: skip


def shown(text: Any, longest: int = _LONGEST) -> str:
    """Text from the other process, for one line of a terminal: nothing in it moves a cursor or breaks a line.

    >>> shown("a" + chr(27) + "[2Jb" + chr(10) + "c")
    'a [2Jb c'
    """
    plain = "".join(c if c.isprintable() else " " for c in str(text)[: 4 * longest])
    plain = " ".join(plain.split())
    return plain if len(plain) <= longest else plain[: longest - 1] + "…"


class RemoteError(Exception):
    """An error that was raised in the other process; `theirs` where in a line of the submission."""

    theirs = True


def _raise(raised: Any) -> None:
    name, text, theirs = str(raised["type"]), shown(raised["text"]), raised["theirs"] is True
    kind = getattr(builtins, name) if name in _KNOWN else Exception
    bases = (RemoteError,) if kind is Exception else (RemoteError, kind)
    made = type(shown(name, 60), bases, {"theirs": theirs, "__str__": lambda self: text})
    raise made(text)


class Remote:
    """The other process."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.made = 0
        self.unused: list[int] = []  # instances that nobody has any more
        self.begin()

    def begin(self) -> None:
        """Forget what was noticed of an earlier class."""
        self.calls = 0.0  # how many times as often as forward backward has called what forward calls, at most

    def ask(self, what: str, **message: Any) -> Any:
        """The answer to one question. Raises what was raised there, and `Ended` where no answer comes."""
        unused, self.unused = self.unused, []
        try:
            sent = encoded({"ask": what, "unused": unused, **message})
        except ValueError as error:
            raise ConfigurationError(f"check: {error}.") from None
        self.channel.send(sent)
        answer = decoded(*self.channel.receive())
        if not isinstance(answer, dict):
            raise Ended("garbage")
        if "refused" in answer:
            raise ConfigurationError(shown(answer["refused"]))
        raised = answer.get("raised")
        if isinstance(raised, dict) and set(raised) == {"type", "text", "theirs"}:
            _raise(raised)
        if "answer" not in answer:
            raise Ended("garbage")
        return answer["answer"]


class RemoteItem(Brought):
    """One class or pair of functions of a submission, by its name."""

    def __init__(self, remote: Remote, name: str) -> None:
        self.remote, self.name = remote, name
        self.on_purpose = False  # whether its author says that a gradient is not meant to be the derivative

    def subjects(self, **options: Any) -> Iterator[Subject]:
        """What there is to check in it, as the other process describes it."""
        described = self.remote.ask("subjects", name=self.name, options=options)
        if not isinstance(described, list) or not 0 < len(described) <= _SUBJECTS:
            raise Ended("garbage")
        for number, description in enumerate(described):
            try:
                self.on_purpose |= bool(description["on_purpose"])
                yield _subject(self.remote, [self.name, number], description)
            except (KeyError, TypeError, ValueError, AttributeError):
                raise Ended("garbage") from None


def _subject(remote: Remote, which: list[Any], d: dict[str, Any]) -> Subject:
    """A subject as described, held to bounds: it may be harder to pass than said there, never easier."""
    inputs, parameters = _floats(d["inputs"]), _floats(d["parameters"])
    if not inputs and not parameters:
        raise ValueError("nothing to take a gradient by")
    every = [*inputs.values(), *parameters.values(), *d["targets"], *d["fixed"].values()]
    if sum(each.size for each in every if isinstance(each, np.ndarray)) > _ENTRIES:
        raise ConfigurationError(f"check: more than {_ENTRIES:,} entries are too many.")
    groups = d["groups"]
    subject = Subject(
        title=shown(d["title"], 80),
        create=lambda: RemoteInstance(remote, subject, which),
        inputs=inputs,
        parameters=parameters,
        targets=tuple(d["targets"]),
        redraw_targets=_redraw_targets(remote, which) if d["redraws_targets"] is True else None,
        modes={2: (True, False)}.get(len(d["modes"]), (True,)),
        is_loss=d["is_loss"] is True,
        uncompared=tuple(shown(name, 80) for name in d["uncompared"]),
        settings=max(int(d["settings"]), _LEAST),
        upstream=d["upstream"] is not False,
        domain=_DOMAINS[_DOMAINS.index(d["domain"])],
        style=Style(**{key: shown(value, 200) for key, value in d["style"].items()}),
        given=d["given"] is True,
        fixed=dict(d["fixed"]),
        groups=None if groups is None else tuple(tuple((str(n), int(axis)) for n, axis in group) for group in groups),
        redraw_fixed=_redraw_fixed(remote, which) if d["redraws_fixed"] is True else None,
        updates=d["updates"] is True,
        any_rank=d["any_rank"] is True,
        undefined=d["undefined"] is True,
        slack=min(max(float(d["slack"]), 0.0), _SLACK),
        notes=tuple(shown(note) for note in d["notes"]),
        mixes=d["mixes"] if d["mixes"] in (True, False) else None,
        elsewhere=True,
    )
    return subject


def _floats(arrays: dict[str, Any]) -> Arrays:
    found = {str(name): np.asarray(value) for name, value in arrays.items()}
    if any(value.dtype != np.float64 for value in found.values()):
        raise ValueError("no floats")
    return found


def _redraw_targets(remote: Remote, which: list[Any]) -> Callable[[np.random.Generator, Point], tuple[Any, ...]]:
    def redraw(rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
        found = remote.ask("targets", which=which, seed=int(rng.integers(2**62)), point=_sent(point))
        return found if isinstance(found, tuple) else ()

    return redraw


def _redraw_fixed(remote: Remote, which: list[Any]) -> Callable[[np.random.Generator, str, tuple[int, ...]], Any]:
    def redraw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> Any:
        return remote.ask("fixed", which=which, seed=int(rng.integers(2**62)), name=name, shape=shape)

    return redraw


def _sent(point: Point) -> dict[str, Any]:
    return {
        "values": dict(point.values), "targets": point.targets, "training": bool(point.training), "label": point.label,
        "first_row": int(point.first_row), "fixed": dict(point.fixed), "sizes": tuple(map(int, point.sizes)),
    }  # fmt: skip


class RemoteInstance(Instance):
    """One object in use, in the other process."""

    def __init__(self, remote: Remote, subject: Subject, which: list[Any]) -> None:
        self.remote, self.subject, self.which = remote, subject, which
        remote.made += 1
        self.number, self.restarts, self.seeded = remote.made, False, False
        self.point: Point | None = None

    def __del__(self) -> None:
        self.remote.unused.append(self.number)

    def _ask(self, what: str, **message: Any) -> Any:
        return self.remote.ask(what, which=self.which, instance=self.number, **message)

    def restart(self) -> None:
        """With the next forward."""
        self.restarts = True

    def seed(self, seed: int) -> None:
        """With the next forward, there: the other process chooses its seed."""
        self.seeded = True

    def forward(self, point: Point) -> NDArray[Any]:
        """The output; what forward overwrote there is overwritten here."""
        answer = self._ask("forward", point=_sent(point), restarts=self.restarts, seeded=self.seeded)
        self.restarts = self.seeded = False
        self.point = point
        self._overwrite(answer["overwritten"])
        if not isinstance(answer["output"], np.ndarray | np.generic):
            raise Ended("garbage")
        return np.asarray(answer["output"])

    def backward(self, dvalues: NDArray[Any]) -> dict[str, Any]:
        """The gradients, by name."""
        answer = self._ask("backward", dvalues=dvalues)
        self._overwrite(answer["overwritten"])
        changed = answer["dvalues"]
        if isinstance(changed, np.ndarray) and changed.shape == dvalues.shape:
            dvalues[...] = changed
        self.remote.calls = max(self.remote.calls, float(answer["calls"]))
        if not isinstance(answer["gradients"], dict):
            raise Ended("garbage")
        return {str(name): _received(value) for name, value in answer["gradients"].items()}

    def _overwrite(self, overwritten: dict[str, dict[str, Any]]) -> None:
        assert self.point is not None
        arrays: dict[str, Mapping[str, Any]] = {
            "values": self.point.values,
            "fixed": self.point.fixed,
            "": {"targets": self.point.targets},
        }
        for group, held in arrays.items():
            for name, changed in overwritten.get(group, {}).items():
                before = held[name]
                if np.shape(before) == np.shape(changed):
                    before[...] = changed

    def parameters(self) -> Arrays:
        """The parameters that the object holds now."""
        return _arrays(self._ask("parameters"))

    def memory(self) -> Arrays:
        """Every other array that the object holds."""
        return _arrays(self._ask("memory"))

    def penalty(self) -> tuple[float, Arrays]:
        """The regularization that its backward adds itself, computed here from its strengths."""
        strengths = self._ask("regularized")
        if self.point is None or not isinstance(strengths, dict):
            return 0.0, {}
        chosen = {
            name: (float(l1), float(l2))
            for name, (l1, l2) in strengths.items()
            if name in self.point.values and math.isfinite(l1) and math.isfinite(l2)
        }
        return book_penalty(chosen, self.point.values)


def _arrays(found: Any) -> Arrays:
    if not isinstance(found, dict):
        raise Ended("garbage")
    return {str(name): value for name, value in found.items() if isinstance(value, np.ndarray)}


def _received(value: Any) -> Any:
    """A gradient: an array, or in place of what is none something that says of which type it is."""
    if isinstance(value, np.ndarray | np.generic | float | int):
        return value
    name = value.get("of type", "object") if isinstance(value, dict) else type(value).__name__
    return type(shown(name, 60), (), {})()
