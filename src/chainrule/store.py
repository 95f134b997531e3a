"""The one home of parameters and state: the attributes of the layer that declares them.

Whatever else shows an array (a tied layer, a graph, `model.parameters`, an engine between two blocks) is a view of that
attribute: it reads it there and writes it there.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from .forking import forkable

__all__ = ["ASSIGNED", "ArrayView", "Store", "being_fitted", "let_change"]

Array = Any
Place = tuple["Store", str]  # a layer and the name of one of its arrays

SEED = 0  # what is read before anything was set is drawn from this seed, the same in every process

# No reader sees some arrays before a block of steps and others after it
_SETTLING = forkable(threading.RLock())
_BUSY: dict[int, Any] = {}  # the layers that a run is training, by identity
# How many settings of layers have been assigned in this process: as long as it stays, none has changed
ASSIGNED = [0]
_WORDS = {"requires_grad": "trainable", "kernel": "weights", "weight": "weights", "bias": "biases"}


class Store:
    """What every layer is: the owner of its arrays, each of the declared shape, set or drawn.

    An array that was never set is drawn at its first use: by a model from the model's seed, else from seed 0, together
    with everything else in the network around it, so that the order of reading changes no number.

    >>> from chainrule import Dense, MeanSquaredError, Model
    >>> layer = Dense(2, 1)
    >>> layer.weights = [[2.0], [3.0]]
    >>> model = Model([layer], loss=MeanSquaredError())
    >>> model.parameters["dense_0.weights"] = [[4.0], [5.0]]
    >>> layer.weights, model.predict([[1.0, 1.0]])
    (array([[4.],
           [5.]], dtype=float32), array([[9.]], dtype=float32))
    >>> layer.wieghts = 0
    Traceback (most recent call last):
    chainrule.errors.UnknownNameError: There is no parameter or setting of Dense named 'wieghts'. Did you mean
    'weights'? Known: 'bias', 'biases', 'initializer', 'n_inputs', 'n_neurons', 'penalties', 'trainable', 'weights'.
    """

    parameters: ClassVar[tuple[str, ...]]
    state: ClassVar[tuple[str, ...]]
    # Whether only known names may be assigned: so it is for the library's own layers, and not for a user's subclasses.
    closed: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.closed = vars(cls).get("closed", cls.__module__.startswith(f"{__package__}.layers."))

    # Reading and writing attributes

    def __getattr__(self, name: str) -> Any:
        # Reached only for an attribute that is not there: an array that is tied, or was never set.
        if name not in self.parameters and name not in self.state:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        owner, local = self.home(name)
        if local not in vars(owner):
            owner._root().draw_missing()
        return vars(owner)[local]

    def __setattr__(self, name: str, value: Any) -> None:
        cls = type(self)
        if name in self.parameters or name in self.state:
            self.hold(name, value)
        elif cls.closed and not (name.startswith("_") or hasattr(cls, name) or name in cls.assignable()):
            settings = getattr(cls, "__dataclass_fields__", ())
            known = sorted({*self.parameters, *self.state, *settings, "trainable"})
            raise UnknownNameError(f"parameter or setting of {cls.__name__}", name, known, meant=_WORDS.get(name))
        else:
            object.__setattr__(self, name, value)
            ASSIGNED[0] += 1

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        ASSIGNED[0] += 1

    @classmethod
    def assignable(cls) -> frozenset[str]:
        """What may be assigned beside the attributes of the class: settings, and what a pass leaves behind."""
        return frozenset(getattr(cls, "__dataclass_fields__", ()))

    def home(self, name: str) -> Place:
        """Where an array lives: here, or with the layer that it is tied to."""
        tied = vars(self).get("_tied", {}).get(name)
        return (self, name) if tied is None else tied[0].home(tied[1])

    def hold(self, name: str, value: Any) -> None:
        """Take over the value of a parameter or a state array. Raises `ShapeError`, `DataError`."""
        owner, local = self.home(name)
        changed_in_place = value is vars(owner).get(local)
        vars(owner)[local] = value if changed_in_place else owner._fitting(local, value)
        owner._drawn.pop(local, None)

    def _fitting(self, name: str, value: Any) -> Array:
        """A copy of the value in the shape and the dtype of the array called `name`."""
        where, shape = f"{type(self).__name__}.{name}", self.declare()[name].shape
        dtype = vars(self).get("_dtype")
        if hasattr(value, "shape") and not isinstance(value, np.ndarray | np.generic) and dtype is None:
            array = value  # of another library: the stateful view runs on any namespace
        else:
            try:
                array = np.array(value)
            except ValueError as error:
                raise ShapeError(f"{where}: the rows have different lengths ({error}).") from None
            if array.dtype.kind not in "fciub":
                raise DataError(f"{where} must hold numbers, received dtype {array.dtype}.")
            if array.dtype.kind in "iub":
                array = array.astype(np.float64)
            if dtype is not None:
                if array.dtype.kind == "c":
                    raise DataError(f"{where} must hold {dtype} numbers, received complex ones.")
                array = array.astype(dtype)
        if tuple(array.shape) != tuple(shape):
            raise ShapeError(f"{where}: expected shape {tuple(shape)}, received {tuple(array.shape)}.")
        return array

    # Drawing

    @property
    def _drawn(self) -> dict[str, int]:
        """The arrays that were drawn only because somebody read them, with a checksum of what was drawn."""
        return vars(self).setdefault("_read_first", {})  # type: ignore[no-any-return]

    def _root(self) -> Store:
        """The outermost graph around this layer, itself where there is none."""
        around = vars(self).get("_around")
        graph = None if around is None else around()
        return self if graph is None else graph._root()

    def places(self) -> dict[str, Place]:
        """The home of every parameter and state array, by the name under which the network knows it."""
        return {name: (self, name) for name in (*self.parameters, *self.state)}

    def _homes(self) -> Iterator[tuple[str, Place]]:
        for name, (layer, local) in self.places().items():
            yield name, layer.home(local)

    def draw_missing(self) -> None:
        """Draw from seed 0 what was neither set nor drawn."""
        with _SETTLING:
            missing = {n: (layer, local) for n, (layer, local) in self._homes() if local not in vars(layer)}
            fresh = self.initial_parameters(SEED) | self.initial_state() if missing else {}
            for name, (layer, local) in missing.items():
                vars(layer)[local] = fresh[name].astype(vars(layer).get("_dtype", fresh[name].dtype), copy=False)
                layer._drawn[local] = _checksum(vars(layer)[local])

    def settle(self, seed: int, dtype: DTypeLike) -> None:
        """Give every array this dtype from now on, and draw from the seed what nobody has set.

        Raises `ConfigurationError` where a layer is part of a model of another dtype.
        """
        kind = np.dtype(dtype)
        with _SETTLING:
            self._require_free(kind)
            values = self.initial_parameters(seed, kind) | self.initial_state(kind)
            for name, (layer, local) in self._homes():
                held, drawn = vars(layer).get(local), layer._drawn.get(local)
                if held is not None and drawn != _checksum(held):
                    values[name] = np.array(held, dtype=kind)
            self.take(values, kind)

    def take(self, values: Mapping[str, Array], dtype: DTypeLike) -> None:
        """Hold these arrays, all that there are, and give every array this dtype from now on."""
        with _SETTLING:
            self.put(values)
            for layer, _ in self.places().values():
                vars(layer)["_dtype"] = np.dtype(dtype)

    def _require_free(self, dtype: np.dtype[Any]) -> None:
        for name, (layer, _) in self._homes():
            own = vars(layer).get("_dtype", dtype)
            if own != dtype:
                raise ConfigurationError(
                    f"{name} belongs to a {own} model, and this one is {dtype}: make a new layer, or write "
                    f'dtype="{own}".'
                )

    # All arrays together

    def values(self) -> dict[str, Array]:
        """Parameters and state as they stand, by name."""
        with _SETTLING:
            return {name: getattr(layer, local) for name, (layer, local) in self.places().items()}

    def held(self) -> dict[str, Array]:
        """The arrays that are set or drawn already, by name."""
        return {name: vars(layer)[local] for name, (layer, local) in self._homes() if local in vars(layer)}

    def put(self, values: Mapping[str, Array]) -> None:
        """Put arrays that fit in the place of those there are, all at once; they are not copied."""
        with _SETTLING:
            places = self.places()
            for name, array in values.items():
                layer, local = places[name][0].home(places[name][1])
                vars(layer)[local] = array
                layer._drawn.pop(local, None)

    def surround(self, layer: Store) -> None:
        """Be the network around a layer."""
        vars(layer)["_around"] = weakref.ref(self)

    def tie(self, name: str, owner: Store, local: str) -> None:
        """Let one of this layer's parameters be that of another layer.

        Raises `ConfigurationError` where both were set, to different numbers.
        """
        owner, local = owner.home(local)
        held, drawn = vars(self).pop(name, None), self._drawn.pop(name, None)
        if held is not None and drawn is None:
            other = vars(owner).get(local)
            if other is None:
                owner.hold(local, held)
            elif not np.array_equal(held, other):
                raise ConfigurationError(
                    f"{type(self).__name__}.{name} and {type(owner).__name__}.{local} are tied and were set to "
                    "different numbers: set one of them."
                )
        vars(self).setdefault("_tied", {})[name] = (owner, local)

    # Declared by layers

    def declare(self) -> Mapping[str, Any]:
        """Shape and initializer of every array, by name."""
        raise AssertionError

    def initial_parameters(self, rng: Any = None, dtype: DTypeLike = np.float64) -> dict[str, NDArray[Any]]:
        """New parameters drawn from `rng`."""
        raise AssertionError

    def initial_state(self, dtype: DTypeLike = np.float64) -> dict[str, NDArray[Any]]:
        """The state before the first step."""
        raise AssertionError


def _checksum(array: NDArray[Any]) -> int:
    return zlib.crc32(np.ascontiguousarray(array).tobytes())


@contextlib.contextmanager
def being_fitted(network: Store) -> Iterator[None]:
    """Inside, the network's layers are trained by this run alone, and their arrays can be replaced but not changed in
    place: a step that an engine holds in a form of its own would not see it.

    Raises `ConfigurationError` where another run is training one of the layers.
    """
    layers = {id(layer): (name, layer) for name, (layer, _) in network.places().items()}
    with _SETTLING:
        for key, (name, _) in layers.items():
            if key in _BUSY:
                raise ConfigurationError(
                    f"fit: {name} is being trained by another call of fit, in another thread or around this one. Wait "
                    "for its end, or train a copy: copy.deepcopy(model)."
                )
        _BUSY.update({key: layer for key, (_, layer) in layers.items()})
    try:
        yield
    finally:
        let_change(network.values(), True)
        with _SETTLING:
            for key in layers:
                del _BUSY[key]


def let_change(arrays: Mapping[str, Any], writeable: bool) -> None:
    """Let arrays be changed in place, or not; those of other libraries are as they are."""
    for array in arrays.values():
        try:  # `suppress` takes longer than all else here, and every block comes here
            array.flags.writeable = writeable
        except (AttributeError, ValueError):
            continue


class ArrayView(Mapping[str, Any]):
    """Parameters (or state) by dotted name, read and written where they live.

    Assigning checks name, shape and dtype, and reaches predictions, gradients, explanations and the next step alike.
    `dict(model.parameters)` is what they are now; arrays of a later step are other ones.

    >>> from chainrule import Dense, MeanSquaredError, Model
    >>> model = Model([Dense(1, 1)], loss=MeanSquaredError())
    >>> model.parameters["dense_0.weights"] = 2.0
    Traceback (most recent call last):
    chainrule.errors.ShapeError: dense_0.weights: expected shape (1, 1), received ().
    >>> model.parameters["dense_0.weight"]
    Traceback (most recent call last):
    chainrule.errors.UnknownNameError: There is no parameter named 'dense_0.weight'. Did you mean 'dense_0.weights'?
    Known: 'dense_0.weights', 'dense_0.biases'.
    """

    def __init__(self, kind: str, network: Store, names: tuple[str, ...]) -> None:
        self._kind, self._network, self._names = kind, network, names

    def _place(self, name: str) -> Place:
        if name not in self._names:
            raise UnknownNameError(self._kind, name, self._names)
        return self._network.places()[name]

    def __getitem__(self, name: str) -> Any:
        layer, local = self._place(name)
        return getattr(layer, local)

    def __setitem__(self, name: str, value: Any) -> None:
        layer, local = self._place(name)
        try:
            layer.hold(local, value)
        except DataError as error:  # under the name that the user wrote
            raise type(error)(str(error).replace(f"{type(layer).__name__}.{local}", name, 1)) from None

    def update(self, arrays: Mapping[str, Any]) -> None:
        """Assign several, all or none of them."""
        before = dict(self)
        try:
            for name, value in arrays.items():
                self[name] = value
        except Exception:
            self._network.put(before)
            raise

    def copy(self) -> dict[str, Any]:
        """A dict of copies, which stay as they are."""
        return {name: array.copy() for name, array in self.items()}

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __or__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**self, **other}

    def __ror__(self, other: Mapping[str, Any]) -> dict[str, Any]:
        return {**other, **self}

    def __repr__(self) -> str:
        shown = (f"  {name!r}: {array.dtype} {tuple(array.shape)}," for name, array in self.items())
        return "\n".join([f"{len(self)} {self._kind}s {{", *shown, "}"])
