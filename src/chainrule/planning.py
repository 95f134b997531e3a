"""A call of `fit` as a plan: whatever form its data have, and what its settings stand for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .engines.contract import encode
from .errors import ConfigurationError
from .recipe import batch_size_for, epochs_for, held_out_of, stopping
from .training.batches import Batches, are_batches, require_batches_alone
from .training.callback import Callback, as_callbacks
from .training.learner import Learner
from .training.measuring import Held, HeldBatches
from .training.plan import Plan
from .training.requested import Requested
from .training.settling import Settling

__all__ = ["request_of"]


def request_of(
    model: Learner, X: Any, y: Any, sample_weights: Any, validation_data: Any, part: float, callbacks: Any, **of: Any
) -> Requested:
    """What a call asks for; `of` are the other settings of `Model.fit` by name. Raises `ConfigurationError` and
    `DataError` and its kinds."""
    validation = _held(model, validation_data)
    if y is None or are_batches(X, False):
        given = {"y": y, "sample_weights": sample_weights, "validation_split": part or None}
        require_batches_alone("fit", X, given)
        plan = _of_batches(model, X, validation, **of)
        return Requested(plan, part, None, as_callbacks(callbacks))
    return _of_arrays(model, X, y, sample_weights, validation, part, as_callbacks(callbacks), **of)


def _held(model: Learner, data: Any) -> Held | HeldBatches | None:
    """Samples to measure on: a pair (X, y), with or without what each counts, or batches of them."""
    if data is None:
        return None
    if are_batches(data):
        return HeldBatches(Batches(data, model, name="validation_data"))
    if not isinstance(data, Sequence) or len(data) not in (2, 3):
        raise ConfigurationError("fit: validation_data must be a pair, (X, y), (X, y, sample_weights), or batches.")
    inputs, targets = model.checked(*data)
    return Held.of(model.run, inputs, targets, None if len(data) == 2 else np.asarray(data[2]).reshape(-1))


def _of_batches(
    model: Learner,
    given: Any,
    validation: Held | HeldBatches | None,
    *,
    epochs: Any,
    batch_size: Any,
    shuffle: bool,
    class_weights: Any,
    **of: Any,
) -> Plan:
    """The plan for batches, whose order and size are their own."""
    if epochs == "auto":
        raise ConfigurationError("fit: epochs='auto' needs all samples, and batches come one by one.")
    return Plan.of_batches(model, given, class_weights, validation=validation, epochs=epochs, **of)


def _of_arrays(
    model: Learner,
    X: Any,
    y: Any,
    sample_weights: Any,
    validation: Held | HeldBatches | None,
    part: float,
    callbacks: tuple[Callback, ...],
    *,
    epochs: Any,
    batch_size: Any,
    steps_per_epoch: int | None,
    class_weights: Mapping[int, float] | Sequence[float] | str | None,
    **of: Any,
) -> Requested:
    """The plan for all samples, by the recipe where a setting is "auto"."""
    if steps_per_epoch is not None:
        raise ConfigurationError("fit: steps_per_epoch belongs to batches; X and y have as many as batch_size says.")
    inputs, targets = model.checked(X, y, sample_weights)
    samples, loss = len(inputs), model.loss
    weights = None if sample_weights is None else np.asarray(sample_weights, dtype=np.float64).reshape(-1)
    if batch_size == "auto":
        batch_size = batch_size_for(samples)
    if epochs == "auto":
        epochs = epochs_for(samples, batch_size)
        part = part or (0.0 if validation is not None else held_out_of(samples))
        callbacks = (*callbacks, stopping(validates=validation is not None or bool(part)))
        callbacks += (Settling(),) if part else ()
    outputs = model.network.output_shape(inputs.shape[1:])[0]
    encoded = encode(loss, targets, outputs, inputs.dtype, weights)
    plan = Plan(inputs, targets, encoded, epochs, batch_size, sample_weights=weights, validation=validation, **of)
    plan = plan.weighted(class_weights, loss, outputs, model.names())
    return Requested(plan, part, weights, callbacks)
