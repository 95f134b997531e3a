"""What a loss is: a pair of functions, and the reading of its targets.

The loss of a batch is the weighted mean L = Σ_b w_b·ℓ_b / Σ_b w_b (`reduction="mean"`) or the sum Σ_b w_b·ℓ_b, with
w_b = 1 unless samples or classes have weights. So dL/dℓ_b = w_b / Σw, or w_b: that is the `dvalues` with which a loss's
`pure_backward` is called, and the only place where anything is divided by the batch size.

`prepare` turns what users pass (class indices, one-hot rows, a vector) into the array that the pair reads, and refuses
what cannot be right. In every shape comment B = samples, C = classes, O = outputs. The pairs are in `losses`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .arrays import plain_array
from .errors import ConfigurationError, DataError, NonFiniteError, ShapeError
from .layer import Array, Arrays
from .limits import require_number
from .pair import Pair
from .weighting import checked_class_weights, checked_weights

__all__ = ["Loss"]


@dataclass(frozen=True, kw_only=True)
class Loss(Pair):
    """A pair: `pure_forward` gives one loss for each sample, (B,), `pure_backward` dL/d(predictions).

    Targets are values of the predictions' shape unless a
    subclass says otherwise in `_encode`. `reduction` is "mean" or "sum".
    """

    sources: ClassVar[tuple[str, ...]] = ("predictions",)
    result: ClassVar[str] = "losses"
    context: ClassVar[tuple[str, ...]] = ("targets",)
    # What the predictions must be: "probabilities", "independent probabilities", "scores" or "independent scores"; None
    # is anything. See `compatibility`. A class that writes the pair anew declares it anew.
    takes: ClassVar[str | None] = None
    metric: ClassVar[str] = "mean_absolute_error"  # what to report beside the loss, by its name in chainrule.metrics

    reduction: str = "mean"

    def __post_init__(self) -> None:
        if self.reduction not in ("mean", "sum"):
            raise ConfigurationError(f"{self.name}: reduction must be 'mean' or 'sum', not {self.reduction!r}.")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "pure_forward" in vars(cls) and "takes" not in vars(cls):
            cls.takes = None

    @property
    def name(self) -> str:
        """The name that error messages and tables show."""
        return type(self).__name__

    def forward_pass(self, xp: Any, predictions: Array, targets: Array) -> tuple[Array, Arrays]:
        """One loss for each sample (B,), and what backward will read."""
        available = {"predictions": predictions, "targets": targets}
        losses, extra = self.run_forward(xp, available)
        available |= {"losses": losses, **extra}
        return losses, {name: available[name] for name in self.backward_reads}

    def backward_pass(self, xp: Any, dvalues: Array, kept: Arrays) -> Array:
        """dL/d(predictions), from dL/d(losses) as a column (B, 1)."""
        return self.run_backward(xp, dvalues, kept)["predictions"]

    def forward(self, predictions: ArrayLike, targets: ArrayLike, sample_weights: ArrayLike | None = None) -> float:
        """The loss of a batch, L = Σ_b share_b · ℓ_b, from predictions (B, C) and targets as `fit` takes them.

        Raises `DataError` and its kinds for targets that do not fit.

        >>> from chainrule import MeanSquaredError
        >>> MeanSquaredError().forward([[1.0], [4.0]], [3.0, 5.0])                        # ((1-3)² + (4-5)²) / 2
        2.5
        """
        given, prepared, shares = self._prepared(predictions, targets, sample_weights)
        return float(np.sum(shares[:, 0] * self.forward_pass(np, given, prepared)[0]))

    def backward(
        self, predictions: ArrayLike, targets: ArrayLike, sample_weights: ArrayLike | None = None
    ) -> NDArray[Any]:
        """dL/d(predictions), (B, C): the `dvalues` of the network's last layer.

        >>> from chainrule import MeanSquaredError
        >>> MeanSquaredError().backward([[1.0], [4.0]], [3.0, 5.0])                       # 2·(1-3)/2 and 2·(4-5)/2
        array([[-2.],
               [-1.]])
        """
        given, prepared, shares = self._prepared(predictions, targets, sample_weights)
        kept = self.forward_pass(np, given, prepared)[1]
        return np.asarray(self.backward_pass(np, shares, kept))

    def _prepared(self, predictions: ArrayLike, targets: ArrayLike, sample_weights: ArrayLike | None) -> Any:
        given = plain_array(predictions, f"{self.name}: predictions")
        given = given if given.dtype.kind == "f" else given.astype(np.float64)
        return given, *self.prepare(targets, given.shape, sample_weights, given.dtype)

    # What the predictions say

    def probabilities(self, xp: Any, predictions: Array) -> Array:
        """The probability of each class, from the predictions. Raises `ConfigurationError` where there is none."""
        raise ConfigurationError(f"{self.name} compares values: it has no probabilities; use predict().")

    def decide(self, xp: Any, predictions: Array) -> Array:
        """The class, or the value, that the predictions stand for."""
        return predictions

    def prepare(
        self,
        targets: ArrayLike,
        shape: tuple[int, ...],
        sample_weights: ArrayLike | None = None,
        dtype: Any = np.float64,
        *,
        weightless: bool = False,
    ) -> tuple[NDArray[Any], NDArray[Any]]:
        """The targets as the pair reads them, and the column (B, 1) of dL/d(losses), for predictions of `shape`.

        Raises `DataError` for an empty batch, lengths that differ, targets or weights that cannot be right; weights
        that are all 0 are refused unless `weightless`.

        >>> from chainrule import SoftmaxCrossentropy
        >>> targets, shares = SoftmaxCrossentropy().prepare([2, 0], (2, 3))
        >>> targets, shares
        (array([[0., 0., 1.],
               [1., 0., 0.]]), array([[0.5],
               [0.5]]))
        """
        array = self._of_length(targets, shape)
        where = f"{self.name}: sample_weights"
        weights = np.ones(shape[0]) if sample_weights is None else checked_weights(sample_weights, shape[0], where)
        encoded, factors = self._encode(array, shape)
        if factors is not None:
            weights = weights * factors
        total = weights.sum()
        if weightless and total == 0:
            total = 1.0  # a batch that does not count: every share is 0
        if not total > 0:
            raise DataError(f"{self.name}: the weights of the batch add up to {total:g}; at least one must be above 0.")
        shares = weights / total if self.reduction == "mean" else weights
        return _cast(encoded, dtype, f"{self.name}: y"), shares.reshape(-1, 1).astype(dtype, copy=False)

    def encoded(self, targets: ArrayLike, shape: tuple[int, ...], dtype: Any = np.float64) -> NDArray[Any]:
        """The targets as the pair reads them, those of `prepare`, whatever the samples count."""
        return _cast(self._encode(self._of_length(targets, shape), shape)[0], dtype, f"{self.name}: y")

    def _of_length(self, targets: ArrayLike, shape: tuple[int, ...]) -> NDArray[Any]:
        """The targets as an array with an entry for each of the predictions of `shape`."""
        array = plain_array(targets, f"{self.name}: y")
        if len(shape) != 2:
            raise ShapeError(
                f"{self.name}: expected predictions of shape (B, C), a column for each class or value, received "
                f"{shape}; put Flatten() before the last layer, or reshape(-1, 1)."
            )
        if shape[0] == 0:
            raise DataError(f"{self.name}: the batch is empty; a loss needs at least one sample.")
        if array.ndim == 0 or len(array) != shape[0]:
            count = "one number" if array.ndim == 0 else f"{len(array)} targets"
            raise ShapeError(
                f"{self.name}: received {shape[0]} samples of X but {count} in y; pass one for each sample."
            )
        return array

    @property
    def classifies(self) -> bool:
        """Whether the targets are classes, or answers of yes and no; else they are values."""
        return self.metric == "accuracy"

    def labels(self, targets: NDArray[Any]) -> NDArray[Any]:
        """The targets as `decide` gives predictions: class indices, or values."""
        return targets[:, 0] if targets.ndim == 2 and targets.shape[1] == 1 else targets

    def sample_totals(self, targets: NDArray[Any], sample_weights: NDArray[Any] | None) -> NDArray[np.float64] | None:
        """What each sample counts, w_b (B,), of targets that `prepare` accepts; None where all count the same."""
        return None if sample_weights is None else np.asarray(sample_weights, dtype=np.float64)

    def _encode(self, targets: NDArray[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        """The targets as an array of the predictions' `shape`, and a weight for each sample, or None.

        Here the targets are values: (B, O), or (B,) where O is 1.
        """
        values = targets.reshape(-1, 1) if targets.ndim == 1 and shape[1:] == (1,) else targets
        if values.shape != shape:
            outputs = values.shape[-1] if values.ndim > 1 else 1
            neurons = f"give the last layer {outputs} {'neuron' if outputs == 1 else 'neurons'}, or " if outputs else ""
            raise ShapeError(
                f"{self.name}: expected targets of shape {shape}, as the predictions, received {targets.shape}; "
                f"{neurons}reshape y."
            )
        return _finite(values, f"{self.name}: y"), None


@dataclass(frozen=True, kw_only=True)
class ClassLoss(Loss):
    """Losses of one class out of C: targets are class indices (B,) or rows of probabilities (B, C).

    `label_smoothing` s replaces a target y by (1 - s)·y + s / C. `class_weights` are (C,): a sample counts what its
    class does, the smoothed part of its target included, w_b = Σ_c y_bc · weight_c with y before smoothing. (PyTorch
    weighs every class of the smoothed target by its own weight; without smoothing the two are the same.)
    """

    metric: ClassVar[str] = "accuracy"
    label_smoothing: float = 0.0
    class_weights: Sequence[float] | None = None

    def probabilities(self, xp: Any, predictions: Array) -> Array:
        return predictions  # (B,C)

    def decide(self, xp: Any, predictions: Array) -> Array:
        return xp.argmax(predictions, axis=1)  # (B,C) -> (B,)

    def labels(self, targets: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(targets.argmax(axis=1)) if targets.ndim == 2 else targets  # (B,C) -> (B,)

    def sample_totals(self, targets: NDArray[Any], sample_weights: NDArray[Any] | None) -> NDArray[np.float64] | None:
        if self.class_weights is None:
            return super().sample_totals(targets, sample_weights)
        factors = np.asarray(self.class_weights)  # (C,)
        own = targets @ factors if targets.ndim == 2 else factors[targets]  # (B,)
        return np.asarray(own if sample_weights is None else own * sample_weights, dtype=np.float64)

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "label_smoothing", at_least=0, below=1)
        if self.class_weights is not None:
            object.__setattr__(self, "class_weights", checked_class_weights(self.class_weights, self.name))

    def _encode(self, targets: NDArray[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        classes, factors = shape[1], None
        one_hot = self._rows(targets, classes) if targets.ndim == 2 else self._indices(targets, classes)
        if self.class_weights is not None:
            if len(self.class_weights) != classes:
                raise ConfigurationError(
                    f"{self.name}: {len(self.class_weights)} class weights for {classes} classes; give one for each."
                )
            factors = one_hot @ np.asarray(self.class_weights)  # (B,C)(C,) -> (B,)
        if self.label_smoothing:
            one_hot = (1 - self.label_smoothing) * one_hot + self.label_smoothing / classes  # (B,C)
        return one_hot, factors

    def _indices(self, targets: NDArray[Any], classes: int) -> NDArray[Any]:
        if targets.ndim != 1:
            raise ShapeError(
                f"{self.name}: expected class indices of shape (B,) or rows of shape (B, {classes}), "
                f"received {targets.shape}."
            )
        if targets.dtype.kind not in "iu":
            raise DataError(f"{self.name}: class indices must be integers, {_as_classes(targets)}.")
        wrong = (targets.astype(np.uint64) >= classes).nonzero()[0]  # below 0 is beyond all of them
        if len(wrong):
            raise DataError(
                f"{self.name}: class indices must lie in 0..{classes - 1} for {classes} outputs; y[{wrong[0]}] is "
                f"{targets[wrong[0]]} ({len(wrong)} of {len(targets)} are outside). {_into_range(targets, classes)}."
            )
        # few long rows are compared in a fraction of the time that many short ones take
        found = np.arange(classes)[:, None] == targets  # (C,1) == (B,) -> (C,B)
        return np.ascontiguousarray(found.T)  # (B,C)

    def _rows(self, targets: NDArray[Any], classes: int) -> NDArray[Any]:
        if targets.shape[1] != classes:
            columns = targets.shape[1]
            fix = "write y.ravel()" if columns == 1 else f"give the last layer {columns} neurons"
            fix = fix if columns else "y has no columns; pass class indices or one-hot rows"
            raise ShapeError(
                f"{self.name}: expected one-hot targets of shape (B, {classes}), received {targets.shape}; {fix}."
            )
        rows = _finite(targets, f"{self.name}: y")
        sums = rows.sum(axis=1)
        wrong = np.flatnonzero((np.abs(sums - 1) > 1e-5) | (rows < 0).any(axis=1))
        if len(wrong):
            raise DataError(
                f"{self.name}: each one-hot row must hold numbers of at least 0 that add up to 1; row {wrong[0]} adds "
                f"up to {sums[wrong[0]]:g} and its smallest number is {rows[wrong[0]].min():g}."
            )
        return rows


@dataclass(frozen=True, kw_only=True)
class BinaryLoss(Loss):
    """Losses of O yes-or-no questions: targets from 0 to 1."""

    metric: ClassVar[str] = "accuracy"
    label_smoothing: float = 0.0

    def probabilities(self, xp: Any, predictions: Array) -> Array:
        return predictions  # (B,O), the probability of yes

    def labels(self, targets: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(super().labels(targets) > 0.5, dtype=np.int64)  # (B,) or (B,O), as `decide`

    def decide(self, xp: Any, predictions: Array) -> Array:
        yes = xp.astype(self.probabilities(xp, predictions) > 0.5, xp.int64)  # (B,O)
        return yes[:, 0] if yes.shape[1] == 1 else yes

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "label_smoothing", at_least=0, below=1)

    def _encode(self, targets: NDArray[Any], shape: tuple[int, ...]) -> tuple[NDArray[Any], NDArray[Any] | None]:
        values, _ = super()._encode(targets, shape)
        outside = (values < 0) | (values > 1)
        if outside.any():
            raise DataError(
                f"{self.name}: targets must lie between 0 and 1, received {values[outside][0]:g}; "
                "code the two classes as 0 and 1."
            )
        return values * (1 - self.label_smoothing) + 0.5 * self.label_smoothing, None


@dataclass(frozen=True, kw_only=True)
class Clipped(Loss):
    """Probabilities are clipped to [clip, 1 - clip] before a logarithm or a division, in both passes."""

    clip: float = 1e-7

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number(self, "clip", above=0, below=0.5)

    def clipped(self, xp: Any, predictions: Array) -> Array:
        """The predictions between `clip` and the largest number below 1 - `clip`."""
        top = 1 - max(self.clip, float(xp.finfo(predictions.dtype).eps) / 2)  # the largest number below 1, or less
        above = xp.where(predictions < self.clip, self.clip, predictions)  # ...
        return xp.where(above > top, top, above)  # ...


def _as_classes(targets: NDArray[Any]) -> str:
    """What was received in place of whole numbers, and how to make them classes."""
    received, kind = f"received dtype {targets.dtype}", targets.dtype.kind
    number_them = "number the classes: classes, y = np.unique(labels, return_inverse=True)"
    if kind == "b":
        return f"{received}; write y.astype(int)"
    if kind != "f":
        return f"{received}; {number_them}"
    broken = np.flatnonzero(~(np.isfinite(targets) & (targets == np.floor(targets))))
    if len(broken):
        return f"and y[{broken[0]}] is {targets[broken[0]]:g}; predict values with MeanSquaredError(), or {number_them}"
    return f"{received}; write y.astype(int)"


def _into_range(targets: NDArray[Any], classes: int) -> str:
    """What to write where class indices are outside; more neurons only where they are about as many."""
    different = np.unique(targets).tolist()
    low, high = different[0], different[-1]
    if high - low < classes:
        return f"Count the classes from 0, as in y {'-' if low > 0 else '+'} {abs(low)}"
    if low >= 0 and high < 1000:  # not a year, nor a number of an article
        return f"Count the classes from 0, or give the last layer {high + 1} neurons"
    return "Number the classes from 0: classes, y = np.unique(y, return_inverse=True)"


def _cast(values: NDArray[Any], dtype: Any, where: str) -> NDArray[Any]:
    """The values in another dtype. Raises `NonFiniteError` for a number beyond its range."""
    if values.dtype.kind == "b":
        return values.astype(dtype)
    with np.errstate(over="ignore"):
        cast = values.astype(dtype, copy=False)
    if cast.dtype.itemsize < values.dtype.itemsize and not np.isfinite(cast).all():
        index = tuple(int(i) for i in np.argwhere(~np.isfinite(cast))[0])
        raise NonFiniteError(f"{where} holds {values[index]:g} at index {index}, too large for {cast.dtype}; scale y.")
    return cast


def _finite(array: NDArray[Any], where: str) -> NDArray[Any]:
    """The array as floats; raises where an entry is NaN, infinite or no number."""
    if array.dtype.kind not in "fiub":
        raise DataError(f"{where} must hold numbers, received dtype {array.dtype}.")
    values = array if array.dtype.kind == "f" else array.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.all():
        index = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise NonFiniteError(f"{where} holds {values[index]} at index {index}; remove or replace such entries.")
    return values
