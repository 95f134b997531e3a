"""The same object or functions with other settings, each as a subject of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from ...errors import ConfigurationError
from .base import Subject
from .plans import Passes, Recipe
from .signatures import source_of
from .sources import mentions
from .variations import counts_in, remade, said, variations_of

__all__ = ["varied"]

Subjects = Callable[[Any, Any, Mapping[str, Any]], Iterator[Subject]]


def varied(item: Any, inputs: Any, fixed: Mapping[str, Any], subjects: Subjects) -> Iterator[Subject]:
    """A subject for each setting in which it runs; `subjects` makes those of an item with inputs and settings.

    `fixed` is what functions were handed that is no array: where it was guessed, other counts are tried too.
    """
    guessed = counts_in(fixed) if inputs is None and _functions(item) else {}
    for changed, other, named in (*([(guessed, item, {})] if guessed else []), *_items(item)):
        try:
            for subject in subjects(other, guessed if changed is guessed else inputs, named):
                if subject.updates and not _asks_for(subject, changed):
                    continue  # a setting of its step is not compared
                setting = said(changed)
                title = f"{subject.title} with {setting}"
                yield replace(subject, title=title, setting=setting, settings=1, notes=(), variations=None)
        except (ConfigurationError, TypeError, ValueError, IndexError, AttributeError, KeyError):
            continue  # it does not run so


def _asks_for(subject: Subject, changed: Mapping[str, Any]) -> bool:
    """Whether forward asks for one of the settings."""
    plan: Recipe | None = getattr(subject.create(), "plan", None)
    if plan is None or plan.call.functions:
        return True
    return mentions(
        source_of(plan.call.of(plan.call.value, plan.call.item)), [form for n in changed for form in (n, f"_{n}")]
    )


def _items(item: Any) -> Iterator[tuple[dict[str, Any], Any, dict[str, Any]]]:
    """What changed, the item with it or without, and what is still to be changed when it is called."""
    functions = _functions(item)
    if functions:
        source = "".join(map(source_of, functions))
        yield from ((changed, item, changed) for changed in variations_of(functions[0], source))
    elif isinstance(item, type):
        yield from ((changed, item, changed) for changed in variations_of(item, _source(item)))
    elif hasattr(type(item), "__dict__") and not isinstance(item, Passes):
        for changed in variations_of(type(item), _source(type(item))):
            if all(hasattr(item, name) or hasattr(item, f"_{name}") for name in changed):
                other = remade(item, changed)
                if other is not None:
                    yield changed, other, {}


def _functions(item: Any) -> list[Callable[..., Any]]:
    if isinstance(item, tuple | list):
        return [each for each in item if hasattr(each, "__code__")]
    if isinstance(item, Passes):
        return [each for each in (item.value, item.gradient) if hasattr(each, "__code__")]
    return [item] if hasattr(item, "__code__") else []


def _source(kind: type) -> str:
    return "\n".join(source_of(base) for base in kind.__mro__[:-1])
