"""The one idea: a pair of pure functions side by side, each of which names what it reads.

`pure_forward(xp, inputs, ...)` computes a value; `pure_backward(xp, dvalues, ...)` receives dL/d(that value) and
returns dL/d(everything that forward differentiably read). Both take their arrays by name from their own signatures, so
that what must be kept between the two passes follows from the second signature. `xp` is an array-API namespace: numpy,
jax.numpy, array_api_strict, `chainrule.book.arithmetic`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from .errors import DefinitionError

__all__ = ["Pair"]


class Pair:
    """Two pure functions whose parameter names say what they read; the base of layers, losses and penalties.

    A subclass that reads a name which does not exist fails when it is created:

    >>> from chainrule.layer import Layer
    >>> class Doubled(Layer):
    ...     def pure_forward(self, xp, inputs): return 2 * inputs
    ...     def pure_backward(self, xp, dvalues, inptus): return dict(dinputs=2 * dvalues)
    Traceback (most recent call last):
    chainrule.errors.DefinitionError: Doubled.pure_backward reads 'inptus', which does not exist. It can read: inputs,
    output, training, noise.
    """

    # What forward differentiates with respect to, its result, and the other names that the two may read.
    sources: ClassVar[tuple[str, ...]] = ()
    result: ClassVar[str] = "output"
    context: ClassVar[tuple[str, ...]] = ()
    # Extra arrays that forward returns, `return output, {"name": array}`, because backward reads them.
    keeps: ClassVar[tuple[str, ...]] = ()
    # How formulas write a setting or an array, where not by its own name: {"slope": "a"}.
    letters: ClassVar[Mapping[str, str]] = MappingProxyType({})

    absent: Mapping[str, None] = MappingProxyType({})  # what the class reads and this object does not have

    forward_reads: ClassVar[tuple[str, ...]] = ()
    backward_reads: ClassVar[tuple[str, ...]] = ()
    _extras: ClassVar[tuple[str, ...]] = ()
    _gradients: ClassVar[dict[str, str]] = {}  # what backward returns, and whose gradient it is

    def pure_forward(self, xp: Any, *reads: Any, **_: Any) -> Any:  # `**_`: type checkers let overrides name arrays
        """The value, or (value, extra arrays by name) where the class declares `keeps` or `state`."""
        raise DefinitionError(f"{type(self).__name__} has no pure_forward.")

    def pure_backward(self, xp: Any, dvalues: Any, *reads: Any, **_: Any) -> Any:
        """dL/d(source) for each source under the name `d<source>`, given `dvalues` = dL/d(value)."""
        raise DefinitionError(f"{type(self).__name__} has no pure_backward.")

    @classmethod
    def extras(cls) -> tuple[str, ...]:
        """The names of the extra arrays that forward returns beside its value."""
        return cls.keeps

    @classmethod
    def differentiated(cls) -> tuple[str, ...]:
        """The names whose gradients backward returns."""
        return cls.sources

    @classmethod
    def _readable(cls) -> tuple[str, ...]:
        return (*cls.differentiated(), *cls.context)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        written = [cls.pure_forward is not Pair.pure_forward, cls.pure_backward is not Pair.pure_backward]
        if not any(written):
            return  # an abstract class in between
        if not all(written):
            missing = "pure_backward" if written[0] else "pure_forward"
            raise DefinitionError(f"{cls.__name__} has only half of the pair: write {missing} beside the other.")
        cls.forward_reads = cls._signature("pure_forward", ("xp",), cls._readable())
        available = (*cls.sources, cls.result, *cls._readable()[len(cls.sources) :], *cls.keeps)
        cls.backward_reads = cls._signature("pure_backward", ("xp", "dvalues"), available)
        cls._extras, cls._gradients = cls.extras(), {"d" + source: source for source in cls.differentiated()}

    @classmethod
    def _signature(cls, method: str, leading: tuple[str, ...], available: tuple[str, ...]) -> tuple[str, ...]:
        code = inspect.unwrap(getattr(cls, method)).__code__
        names = code.co_varnames[1 : code.co_argcount]
        where = f"{cls.__name__}.{method}"
        if names[: len(leading)] != leading:
            raise DefinitionError(
                f"{where} takes ({', '.join(names)}): write ({', '.join(('self', *leading))}, ...) instead."
            )
        if code.co_flags & (inspect.CO_VARARGS | inspect.CO_VARKEYWORDS):
            raise DefinitionError(f"{where} takes * or ** arguments: name each array that it reads instead.")
        if code.co_kwonlyargcount:
            only = ", ".join(code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])
            raise DefinitionError(f"{where} takes {only} by keyword only: leave out the * before it.")
        for name in names[len(leading) :]:
            if name not in available:
                raise DefinitionError(
                    f"{where} reads {name!r}, which does not exist. It can read: {', '.join(available)}."
                )
        return tuple(names[len(leading) :])

    def run_forward(self, xp: Any, available: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        """Call `pure_forward` with what it names: (value, extra arrays)."""
        reads = {**available, **self.absent} if self.absent else available
        return self.value_and_extras(self.pure_forward(xp, *[reads[name] for name in self.forward_reads]))

    def value_and_extras(self, result: Any) -> tuple[Any, dict[str, Any]]:
        """What `pure_forward` returned, taken apart and checked."""
        expected = self._extras
        if not expected:
            return result, {}
        if not (isinstance(result, tuple) and len(result) == 2 and isinstance(result[1], dict)):
            raise DefinitionError(
                f"{type(self).__name__}.pure_forward must return (output, {{name: array}}), "
                f"because the class declares {', '.join(expected)}."
            )
        value, extra = result
        if not set(extra) <= set(expected) or not set(self.keeps) <= set(extra):
            raise DefinitionError(
                f"{type(self).__name__}.pure_forward returned the extra arrays {sorted(extra)}; "
                f"the class declares {sorted(expected)}."
            )
        return value, extra

    def run_backward(self, xp: Any, dvalues: Any, available: Mapping[str, Any]) -> dict[str, Any]:
        """Call `pure_backward` with what it names: the gradients, keyed by the names of their sources."""
        reads = {**available, **self.absent} if self.absent else available
        gradients = self.pure_backward(xp, dvalues, *[reads[name] for name in self.backward_reads])
        if not isinstance(gradients, dict) or gradients.keys() != self._gradients.keys():
            received = sorted(gradients) if isinstance(gradients, dict) else type(gradients).__name__
            raise DefinitionError(
                f"{type(self).__name__}.pure_backward returned {received}; "
                f"write return dict({', '.join(f'{name}=...' for name in self._gradients)})."
            )
        return {source: gradients[name] for name, source in self._gradients.items() if source not in self.absent}
