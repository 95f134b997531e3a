"""Classes that cannot work are refused when they are created; what only a call can show, at the first call."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from chainrule import Declared, Dense, Layer, Loss, Optimizer, Penalty, Sequential, Zeros
from chainrule.errors import ChainruleError, DefinitionError
from chainrule.layer import Context


def forward_only() -> Any:
    class Half(Layer):
        def pure_forward(self, xp, inputs):
            return inputs


def backward_only() -> Any:
    class Half(Layer):
        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)


def unknown_in_forward() -> Any:
    class Scaled(Layer):
        parameters = ("factor",)

        def pure_forward(self, xp, inputs, faktor):
            return inputs * faktor

        def pure_backward(self, xp, dvalues, factor):
            return dict(dinputs=dvalues * factor, dfactor=0)


def unknown_in_backward() -> Any:
    class Scaled(Layer):
        parameters = ("factor",)
        keeps = ("root",)

        def pure_forward(self, xp, inputs, factor):
            return inputs * factor, {"root": factor}

        def pure_backward(self, xp, dvalues, inputs, roots):
            return dict(dinputs=dvalues, dfactor=0)


def output_in_forward() -> Any:
    class Circular(Layer):
        def pure_forward(self, xp, inputs, output):
            return inputs

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)


def no_namespace() -> Any:
    class Bare(Layer):
        def pure_forward(self, inputs):
            return inputs

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)


def backward_without_dvalues() -> Any:
    class Bare(Layer):
        def pure_forward(self, xp, inputs):
            return inputs

        def pure_backward(self, xp, inputs):
            return dict(dinputs=inputs)


def any_arguments() -> Any:
    class Loose(Layer):
        def pure_forward(self, xp, *arrays):
            return arrays[0]

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)


def any_keywords() -> Any:
    class Loose(Layer):
        def pure_forward(self, xp, inputs):
            return inputs

        def pure_backward(self, xp, dvalues, **arrays):
            return dict(dinputs=dvalues)


def keyword_only() -> Any:
    class Keyword(Layer):
        def pure_forward(self, xp, inputs, *, training):
            return inputs

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)


def loss_that_reads_inputs() -> Any:
    class Wrong(Loss):
        def pure_forward(self, xp, inputs, targets):
            return inputs

        def pure_backward(self, xp, dvalues, predictions):
            return dict(dpredictions=dvalues)


def penalty_that_reads_weights() -> Any:
    class Wrong(Penalty):
        def pure_forward(self, xp, weights):
            return weights

        def pure_backward(self, xp, dvalues, parameter):
            return dict(dparameter=dvalues)


def optimizer_without_rate() -> Any:
    class Wrong(Optimizer):
        def pure_update(self, xp, step, parameter, gradient):
            return parameter - gradient, {}


AT_CREATION: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "forward without backward": (forward_only, ("Half", "half of the pair", "pure_backward")),
    "backward without forward": (backward_only, ("Half", "half of the pair", "pure_forward")),
    "an unknown name in forward": (
        unknown_in_forward,
        ("Scaled.pure_forward", "'faktor'", "inputs, factor, training, noise"),
    ),
    "an unknown name in backward": (
        unknown_in_backward,
        ("Scaled.pure_backward", "'roots'", "inputs, output, factor, training, noise, root"),
    ),
    "forward reading its own output": (output_in_forward, ("Circular.pure_forward", "'output'")),
    "forward without xp": (no_namespace, ("Bare.pure_forward", "(inputs)", "(self, xp, ...)")),
    "backward without dvalues": (backward_without_dvalues, ("Bare.pure_backward", "(self, xp, dvalues, ...)")),
    "any number of arguments": (any_arguments, ("Loose.pure_forward", "*", "name each array")),
    "any keywords": (any_keywords, ("Loose.pure_backward", "*", "name each array")),
    "a keyword-only name": (keyword_only, ("Keyword.pure_forward", "training")),
    "a loss that reads inputs": (loss_that_reads_inputs, ("Wrong.pure_forward", "'inputs'", "predictions, targets")),
    "a penalty that reads weights": (penalty_that_reads_weights, ("Wrong.pure_forward", "'weights'", "parameter")),
    "an optimizer without a rate": (optimizer_without_rate, ("Wrong.pure_update", "rate")),
}


class Identity(Layer):
    """A layer that works; the rows below break one thing each."""

    def pure_forward(self, xp, inputs):
        return inputs

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=dvalues)


class NoGradient(Identity):
    parameters = ("factor",)

    def declare(self):
        return {"factor": Declared((1, 1), Zeros())}


class Surplus(Identity):
    def pure_backward(self, xp, dvalues):
        return dict(dinputs=dvalues, dother=dvalues)


class BareArray(Identity):
    def pure_backward(self, xp, dvalues):
        return dvalues


class Forgetful(Identity):
    keeps = ("root",)


class OtherKeep(Identity):
    keeps = ("root",)

    def pure_forward(self, xp, inputs):
        return inputs, {"roots": inputs}


class Undeclared(Identity):
    parameters = ("factor",)

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=dvalues, dfactor=np.zeros((1, 1)))


class WrongStart(Undeclared):
    def declare(self):
        return {"factor": Declared((2, 1), lambda rng, shape: np.zeros(shape[::-1]))}


def run(layer: Layer) -> Any:
    inputs, values = np.ones((2, 2)), {"factor": np.ones((1, 1))} if layer.parameters else {}
    _, kept, _ = layer.forward_pass(np, inputs, values, Context())
    return layer.backward_pass(np, inputs, kept, values, Context())


AT_THE_FIRST_CALL: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "a parameter without a gradient": (
        lambda: run(NoGradient()),
        ("NoGradient.pure_backward", "['dinputs']", "dict(dinputs=..., dfactor=...)"),
    ),
    "a gradient too many": (lambda: run(Surplus()), ("Surplus.pure_backward", "dother", "dict(dinputs=...)")),
    "an array instead of named gradients": (lambda: run(BareArray()), ("BareArray.pure_backward", "ndarray", "dict(")),
    "a declared array that is not kept": (
        lambda: run(Forgetful()),
        ("Forgetful.pure_forward", "{name: array}", "root"),
    ),
    "another array kept": (lambda: run(OtherKeep()), ("OtherKeep.pure_forward", "['roots']", "['root']")),
    "a parameter that is not declared": (
        lambda: Undeclared().initial_parameters(),
        ("Undeclared.declare", "[]", "['factor']"),
    ),
    "an undeclared parameter in a network": (lambda: Sequential(Undeclared()), ("Undeclared.declare", "['factor']")),
    "an initializer of another shape": (
        lambda: WrongStart().initial_parameters(),
        ("WrongStart.factor", "(1, 2)", "(2, 1)"),
    ),
    "a layer without a pair": (
        lambda: Layer().forward_pass(np, np.ones((1, 1)), {}, Context()),
        ("Layer has no pure_forward",),
    ),
    "an optimizer without a rule": (
        lambda: Optimizer().update(np, 0, {"w": np.ones(1)}, {"w": np.ones(1)}, {}),
        ("Optimizer has no pure_update",),
    ),
}


@pytest.mark.parametrize(
    ("attempt", "fragments"),
    [*AT_CREATION.values(), *AT_THE_FIRST_CALL.values()],
    ids=[*AT_CREATION, *AT_THE_FIRST_CALL],
)
def test_a_definition_that_cannot_work_is_refused(attempt: Callable[[], Any], fragments: tuple[str, ...]) -> None:
    with pytest.raises(DefinitionError) as caught:
        attempt()
    message = str(caught.value)
    assert [f for f in fragments if f not in message] == [], message
    assert "\n" not in message and isinstance(caught.value, ChainruleError)


def test_what_is_read_follows_from_the_signatures() -> None:
    assert Dense.forward_reads == ("inputs", "weights", "biases")
    assert Dense.backward_reads == ("inputs", "weights")


def test_a_class_in_between_may_leave_the_pair_to_its_subclasses() -> None:
    class Base(Layer):
        """Nothing but a common base."""

    class Doubled(Base):
        def pure_forward(self, xp, inputs):
            return 2 * inputs

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=2 * dvalues)

    layer = Doubled()
    assert layer.forward(np.ones((1, 1))).item() == 2.0 and layer.backward(np.ones((1, 1))).item() == 2.0


def test_a_subclass_may_write_one_half_anew() -> None:
    class Straight(Identity):
        def pure_forward(self, xp, inputs):
            return xp.sign(inputs)

    assert Straight().forward(np.array([[-3.0]])).item() == -1.0


def test_an_optimizer_reads_its_slots_from_the_rule() -> None:
    class Averaged(Optimizer):
        def pure_update(self, xp, step, rate, parameter, gradient, mean):
            mean = 0.5 * mean + 0.5 * gradient
            return parameter - rate * mean, dict(mean=mean)

    optimizer = Averaged(1.0)
    slots = optimizer.initial_slots(np, {"w": np.zeros(1)})
    parameters, slots = optimizer.update(np, 0, {"w": np.zeros(1)}, {"w": np.ones(1)}, slots)
    assert parameters["w"].item() == -0.5 and slots["w.mean"].item() == 0.5


def test_a_pair_that_was_not_written_says_so_when_it_is_called() -> None:
    for method, arguments in (("pure_forward", (np, 1.0)), ("pure_backward", (np, 1.0, 1.0))):
        with pytest.raises(DefinitionError, match=rf"^Layer has no {method}\.$"):
            getattr(Layer(), method)(*arguments)


def test_a_class_beside_the_layer_receives_the_options_of_the_class() -> None:
    class Titled:
        title = ""

        def __init_subclass__(cls, title: str = "", **options: Any) -> None:
            super().__init_subclass__(**options)
            cls.title = title

    class Same(Layer, Titled, title="the same"):
        def pure_forward(self, xp, inputs):
            return inputs

        def pure_backward(self, xp, dvalues):
            return dict(dinputs=dvalues)

    assert Same.title == "the same"


def test_a_loss_receives_what_its_forward_pass_kept() -> None:
    class Kept(Loss):
        keeps = ("error",)

        def pure_forward(self, xp, predictions, targets):
            error = predictions - targets
            return xp.sum(error * error, axis=1), {"error": error}

        def pure_backward(self, xp, dvalues, error):
            return dict(dpredictions=2 * error * dvalues)

    losses, kept = Kept().forward_pass(np, np.array([[3.0]]), np.array([[1.0]]))
    assert losses == [4.0] and list(kept) == ["error"]
    assert Kept().backward_pass(np, np.ones((1, 1)), kept) == [[4.0]]


@pytest.mark.parametrize("returned", [[1.0, {"gate": 1.0}], (1.0, {"gate": 1.0}, 2.0), (1.0, [1.0]), 1.0])
def test_extra_arrays_are_returned_as_a_pair_of_the_output_and_a_dict(returned: Any) -> None:
    class Gate(Layer):
        keeps = ("gate",)

        def pure_forward(self, xp, inputs):
            return returned

        def pure_backward(self, xp, dvalues, gate):
            return dict(dinputs=dvalues * gate)

    with pytest.raises(DefinitionError, match=r"must return \(output, \{name: array\}\)"):
        Gate().forward(np.ones((2, 2)))


@pytest.mark.parametrize("extra", [{"gate": 1.0, "other": 2.0}, {"other": 2.0}, {}])
def test_the_extra_arrays_are_those_that_the_class_declares(extra: dict[str, float]) -> None:
    class Gate(Layer):
        keeps = ("gate",)

        def pure_forward(self, xp, inputs):
            return inputs, extra

        def pure_backward(self, xp, dvalues, gate):
            return dict(dinputs=dvalues * gate)

    with pytest.raises(DefinitionError, match=r"returned the extra arrays .* the class declares \['gate'\]"):
        Gate().forward(np.ones((2, 2)))
