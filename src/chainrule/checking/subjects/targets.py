"""Targets for other inputs, in every form that a loss takes alike."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

import numpy as np

from ..streams import seed_streams
from .base import Group, Point
from .compared import draw, redrawn_like
from .names import LIKE_WEIGHTS, role_of
from .plans import leaf
from .reading import Reading, compared_shape
from .running import WrittenInstance

__all__ = ["Redraw", "counts_classes"]

_SEED = 1


def counts_classes(reading: Reading, first: str) -> bool:
    """Whether the last axis of the predictions counts the classes."""
    value: Any = reading.point.values.get(first, reading.draft.fixed.get(first))
    return reading.plan.call.gradient is not None and np.shape(value)[-1:] == (reading.draft.below,)


class Redraw:
    """Targets for other inputs, in every form that the loss takes alike."""

    def __init__(self, reading: Reading, targets: Any, groups: tuple[Group, ...], point: Point) -> None:
        self.reading, self.groups, self.point = reading, groups, point
        self.given = targets is not None or reading.form == ("given",)
        forms = reading.form
        self.forms = forms[:1] if self.given or not forms else (*forms[:1], *self._alike(forms))

    def _alike(self, forms: tuple[str, ...]) -> list[str]:
        """The other forms, where the loss of the same targets is the same."""
        found, first = [], self.point.targets
        for form in forms[1:]:
            shape = compared_shape(self.reading.draft, self.point.values)
            with contextlib.suppress(Exception, SystemExit):
                other = first.argmax(-1) if form == "classes" else np.eye(shape[-1])[first] if first.ndim == 1 else None
                losses = [self._loss(t) for t in (first, other)]
                if other is not None and np.isclose(losses[0], losses[1], rtol=1e-9):
                    found.append(form)
        return found

    def _loss(self, targets: Any) -> float:
        instance = WrittenInstance(self.reading.plan)
        seed_streams(_SEED)
        return float(np.sum(instance.forward(replace(self.point.copied(), targets=targets))))

    def first(self) -> tuple[Any, ...]:
        """The targets of the subject's own batch, in each form."""
        targets = self.point.targets
        shape = compared_shape(self.reading.draft, self.point.values)
        others = [targets.argmax(-1) if f == "classes" else np.eye(shape[-1])[targets] for f in self.forms[1:]]
        return (targets, *others)

    def __call__(self, rng: np.random.Generator, point: Point) -> tuple[Any, ...]:
        """Targets for a point of other sizes, in each form."""
        sizes = point.sizes
        new = {p: size for group, size in zip(self.groups, sizes, strict=False) for p in group}
        own = self.point.targets
        if own is None:
            return ()
        like = tuple(new.get(("targets", axis), size) for axis, size in enumerate(np.shape(own)))
        if self.given:
            return (redrawn_like(rng, own, like),) if np.ndim(own) else (own,)
        compared = compared_shape(self.reading.draft, self.point.values)
        classes = self.reading.draft.below or (compared[-1] if len(compared) > 1 else 2)
        shape = compared
        held = {
            paths[0] for paths in self.reading.plan.parameters
        }  # one of these may have the targets' shape by chance
        free = {k: v for k, v in point.values.items() if k not in held and role_of(leaf(k)) not in LIKE_WEIGHTS}
        predicted = next((v for k, v in free.items() if self.point.values[k].shape == compared), None)
        if predicted is not None:
            shape = predicted.shape
            classes = shape[-1] if classes == compared[-1] else classes
        elif self.forms[0] != "classes":
            shape = like
        of = like if self.forms[0] == "classes" else ()
        return tuple(
            draw(form, rng, shape, classes, of if form == self.forms[0] else shape[:-1]) for form in self.forms
        )
