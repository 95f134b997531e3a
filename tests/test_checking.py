"""check: planted faults are caught and named, correct objects are left alone, whatever they are written as."""

from __future__ import annotations

import copy
import html.parser
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings

import chainrule
from chainrule import (
    BatchNorm,
    Dense,
    Graph,
    Layer,
    Loss,
    Model,
    ReLU,
    Report,
    Sequential,
    Sigmoid,
    SoftmaxCrossentropy,
    Tanh,
    book,
    check,
)
from chainrule.checking import CHECKS
from chainrule.checking.comparisons import gradients
from chainrule.checking.measuring import measure, nudge
from chainrule.checking.mending.explained import _VAGUE
from chainrule.errors import ConfigurationError, GradientMismatch
from chainrule.testing import check_layer, parametrize_with_checks
from correct import Drawn, correct
from faults import (
    CORRECT,
    FAULTS,
    AtZero,
    BookCategoricalCrossentropy,
    BookDense,
    BookReLU,
    Fault,
    NativeDense,
    NativeReLU,
    Updating,
    affine_backward,
    affine_forward,
)
from styles import SIGN, STYLES

every_fault = pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
# Mistakes that only the search for a line finds, or to which the line that it finds may give another name.
NAMED_BY_LINES = {*_VAGUE, "constant_factor", "regularization_factor", "batch_mean_doubled", "wrong_axis"}


def assert_caught(fault: Fault) -> Report:
    report = check(fault.make(), **fault.options)
    assert not report.passed, "not caught"
    assert report.errors[0].mistake == fault.mistake, str(report)
    return report


# Planted faults


@every_fault
def test_a_planted_fault_is_caught_and_named_first(fault: Fault, request: pytest.FixtureRequest) -> None:
    if fault.mistake not in NAMED_BY_LINES:
        request.getfixturevalue("brief_search")
    assert_caught(fault)


def test_the_catalogue_is_as_large_as_promised() -> None:
    assert len(FAULTS) >= 80
    assert len({fault.mistake for fault in FAULTS.values()}) >= 35


@pytest.mark.parametrize("name", ["dense-sign", "relu-inverted", "softmax-loss-no-mean", "large-one-entry"])
def test_this_battery_fails_when_the_checker_always_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control: with a comparison that finds nothing, the test above must fail."""
    real = measure.measure

    def blind(*arguments: Any, **named: Any) -> Any:
        result = real(*arguments, **named)
        result.wrong[:] = False
        return result

    monkeypatch.setattr(gradients, "measure", blind)
    monkeypatch.setattr("chainrule.checking.checker.CHECKS", {})
    with pytest.raises(AssertionError, match="not caught"):
        assert_caught(FAULTS[name])


@pytest.mark.parametrize(("factor", "place"), [(1.0005, (412, 77)), (0.9995, (0, 0)), (-1.0, (783, 127))])
def test_one_wrong_entry_of_a_hundred_thousand_is_found(factor: float, place: tuple[int, int]) -> None:
    class Off(Dense):
        def pure_backward(self, xp, dvalues, inputs, weights):
            result = super().pure_backward(xp, dvalues, inputs, weights)
            result["dweights"][place] *= factor
            return result

    report = check(Off(784, 128), (32, 784), only=("gradients",))
    assert report.errors[0].mistake == "one_entry"
    assert report.errors[0].samples[0].index == place
    assert report.errors[0].samples[0].received == pytest.approx(factor * report.errors[0].samples[0].expected)


def test_the_line_to_write_is_written_as_the_author_writes() -> None:
    def line(name: str) -> str:
        return check(FAULTS[name].make(), **FAULTS[name].options).errors[0].diagnoses[0].write

    assert line("dense-missing-transpose") == "self.dinputs = np.dot(dvalues, self.weights.T)"
    assert line("dense-mean-biases") == "self.dbiases = np.sum(dvalues, axis=0, keepdims=True)"
    assert line("native-mean-weights") == "dweights=xp.matmul(inputs.T, dvalues),"
    assert line("functions-mean-biases") == "return dout @ w.T, x.T @ dout, dout.sum(axis=0)"
    assert line("sigmoid-at-input") == "self.dinputs = dvalues * (1 - self.output) * self.output"
    assert line("crossentropy-no-mean") == "self.dinputs = gradient(dvalues, rows) / len(rows)"


def test_two_mistakes_in_one_class_are_two_findings() -> None:
    class Layer_Dense(BookDense):
        def backward(self, dvalues):
            self.dweights = np.dot(self.inputs.T, dvalues)
            self.dbiases = np.mean(dvalues, axis=0, keepdims=True)
            self.dinputs = np.dot(dvalues, self.weights)

    report = check(Layer_Dense(4, 3))
    assert [(e.array, e.mistake) for e in report.errors] == [
        ("dinputs", "missing_transpose"),
        ("dbiases", "mean_for_sum"),
    ]


def test_a_wrong_sign_and_a_missing_batch_mean_at_once() -> None:
    class Both(BookCategoricalCrossentropy):
        def backward(self, dvalues, y_true):
            super().backward(dvalues, y_true)
            self.dinputs = -len(dvalues) * self.dinputs

    best = check(Both()).errors[0].diagnoses[0]
    assert best.mistake == "batch_mean_missing" and "minus" in best.says


def test_the_classes_of_the_notes_divide_by_an_unclipped_probability() -> None:
    class Notes(BookCategoricalCrossentropy):
        def backward(self, dvalues, y_true):
            labels = len(dvalues[0])
            if len(y_true.shape) == 1:
                y_true = np.eye(labels)[y_true]
            self.dinputs = -y_true / dvalues
            self.dinputs = self.dinputs / len(dvalues)

    assert check(Notes()).mistakes == ("clip_in_forward_only",)


def test_rounding_is_said_to_be_rounding_and_no_mistake() -> None:
    class Rounded(BookDense):
        def forward(self, inputs):
            self.inputs = inputs
            product = np.dot(inputs, self.weights)
            rounded = product if product.dtype.kind == "c" else np.float32(product).astype(inputs.dtype)
            self.output = rounded + self.biases

    report = check(Rounded(4, 3))
    assert report.passed
    assert [finding.mistake for finding in report.findings] == ["float32_rounding"]


def test_at_kinks_any_accepts_either_side() -> None:
    assert check(AtZero()).mistakes == ("gate_at_zero",)
    assert check(AtZero(), at_kinks="any").passed


AT_ZERO = {  # slopes at exactly 0 that are no max(x, 0): the frameworks' own, and those of sums of kinks
    "square or leaky": (lambda x: np.where(x > 0, x * x, 0.1 * x), lambda x: np.where(x > 0, 2 * x, 0.1)),
    "square or line": (lambda x: np.where(x > 0, x * x, x), lambda x: np.where(x > 0, 2 * x, 1.0)),
    "clamp": (lambda x: np.clip(x, 0, 1), lambda x: ((x >= 0) & (x <= 1)) * 1.0),
    "the negative part": (lambda x: np.minimum(x, 0), lambda x: (x <= 0) * 1.0),
    "two gates": (lambda x: np.maximum(x, 0) - 2 * np.maximum(-x, 0), lambda x: 1.0 * (x > 0) + 2.0 * (x < 0)),
}


@pytest.mark.parametrize("name", AT_ZERO)
def test_a_slope_at_zero_is_accused_only_of_a_gate(name: str) -> None:
    function, derivative = AT_ZERO[name]

    class Own:
        def forward(self, inputs):
            self.inputs = inputs
            self.output = function(inputs)

        def backward(self, dvalues):
            self.dinputs = dvalues * derivative(self.inputs.real)

    report = check(Own())
    assert report.passed, report


# Correct objects


@pytest.mark.parametrize("make", CORRECT.values(), ids=CORRECT)
def test_a_correct_object_of_the_catalogue_passes(make: Any) -> None:
    report = check(make())
    assert report.passed, str(report)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(correct())
def test_nothing_is_found_wrong_with_a_correct_object(drawn: Drawn) -> None:
    report = drawn.report()
    if report is None:
        reject()
    assert report.passed, f"{drawn.item!r}\n{report}"


BOOK = {
    "dense": lambda: book.Layer_Dense(4, 3),
    "regularized": lambda: book.Layer_Dense(4, 3, weight_regularizer_l1=0.01, weight_regularizer_l2=0.1),
    "dropout": lambda: book.Layer_Dropout(0.3),
    "relu": book.Activation_ReLU,
    "softmax": book.Activation_Softmax,
    "sigmoid": book.Activation_Sigmoid,
    "crossentropy": book.Loss_CategoricalCrossentropy,
    "binary": book.Loss_BinaryCrossentropy,
    "squared": book.Loss_MeanSquaredError,
    "absolute": book.Loss_MeanAbsoluteError,
    "combined": book.Activation_Softmax_Loss_CategoricalCrossentropy,
}


@pytest.mark.parametrize("make", BOOK.values(), ids=BOOK)
def test_the_classes_of_the_book_module_pass(make: Any) -> None:
    report = check(make())
    assert report.passed, str(report)


# What is checked stays as it is


def test_the_object_and_the_arrays_are_left_alone() -> None:
    layer, inputs = Updating(4, 3), np.random.default_rng(0).normal(size=(6, 4))
    before, given_inputs = copy.deepcopy(vars(layer)), inputs.copy()
    check(layer, inputs)
    assert vars(layer).keys() == before.keys()
    assert all(np.array_equal(vars(layer)[name], value) for name, value in before.items())
    np.testing.assert_array_equal(inputs, given_inputs)


def test_the_random_streams_go_on_as_if_nothing_had_been_drawn() -> None:
    np.random.seed(5)  # noqa: NPY002
    expected = np.random.RandomState(5).random_sample()
    check(CORRECT["dropout"]())
    assert np.random.random_sample() == expected  # noqa: NPY002


def test_the_same_seed_gives_the_same_report() -> None:
    one, other = (check(FAULTS["dense-one-row"].make()) for _ in range(2))
    assert one == other
    assert str(check(BookReLU(), seed=1)).count("seed 1")


# What can be checked


class Doubling(Layer):
    def pure_forward(self, xp, inputs):
        return 2 * inputs

    def pure_backward(self, xp, dvalues):
        return dict(dinputs=3 * dvalues)


def test_a_wrong_node_of_a_model_is_named_and_the_rest_is_not() -> None:
    model = Model([Dense(4, 5), NativeReLU(), Dense(5, 3), ReLU()], loss=SoftmaxCrossentropy())
    report = check(model, np.random.default_rng(0).normal(size=(6, 4)), np.array([0, 1, 2, 0, 1, 2]))
    assert {finding.where for finding in report.errors} == {"native_relu_0 (NativeReLU)"}
    assert report.errors[0].mistake == "gate_inverted"


def test_a_correct_model_passes_whole_with_every_parameter_compared() -> None:
    model = Model([Dense(4, 5), BatchNorm(5), Tanh(), Dense(5, 3)], loss=SoftmaxCrossentropy(), dtype="float32")
    report = check(model)
    assert report.passed, str(report)
    whole = {array.array for array in report.arrays if array.where == "the whole model"}
    assert whole == {"dinputs", *(f"d{name}" for name in model.parameters)}


def test_a_graph_inside_a_graph_is_checked_node_by_node() -> None:
    inner = Sequential(Dense(4, 4), Doubling())
    report = check(Graph([("inner", inner, "inputs"), ("last", Sigmoid(), "inner")]))
    assert [finding.where for finding in report.errors] == ["inner.doubling_0 (Doubling)"]
    assert report.mistakes == ("constant_factor",)


def test_a_pair_of_functions_with_a_cache_a_dict_or_a_single_gradient() -> None:
    arrays = {"x": np.ones((5, 4)), "w": np.ones((4, 3)), "b": np.ones(3)}
    report = check((affine_forward, affine_backward), arrays)
    assert [(e.array, e.mistake) for e in report.errors] == [("db", "mean_for_sum")]

    def square(x):
        return x * x

    def square_backward(dvalues, x):
        return 2 * x * dvalues

    assert check((square, square_backward)).passed
    assert check((square, lambda dvalues, x: {"dx": 2 * x * dvalues}), np.ones((3, 2))).passed
    assert check((square, lambda dvalues, x: x * dvalues)).mistakes == ("constant_factor",)


def test_a_join_written_the_book_s_way() -> None:
    class Product:
        def forward(self, left, right):
            self.left, self.right = left, right
            self.output = left * right

        def backward(self, dvalues):
            self.dleft, self.dright = dvalues * self.right, dvalues * self.left

    class Wrong(Product):
        def backward(self, dvalues):
            self.dleft, self.dright = dvalues * self.right, dvalues * self.right

    assert check(Product()).passed
    assert [finding.array for finding in check(Wrong()).errors] == ["dright"]


def test_a_class_is_constructed_from_the_names_of_its_arguments() -> None:
    assert check(BookDense).passed
    assert check(BookDense, arguments=(2, 5)).arrays[0].shape == (5, 2)
    assert check(BookDense, (6, 7)).arrays[0].shape == (6, 7)


def test_a_loss_that_means_the_sum() -> None:
    class Summed(BookCategoricalCrossentropy):
        def backward(self, dvalues, y_true):
            super().backward(dvalues, y_true)
            self.dinputs = self.dinputs * len(dvalues)

    assert check(Summed(), reduction="sum").passed
    assert check(Summed()).mistakes == ("batch_mean_missing",)


def test_a_loss_class_of_the_library_s_own_kind() -> None:
    class Cubed(Loss):
        def pure_forward(self, xp, predictions, targets):
            return xp.mean((predictions - targets) * (predictions - targets) * predictions, axis=-1)

        def pure_backward(self, xp, dvalues, predictions, targets):
            e = predictions - targets
            return dict(dpredictions=(2 * e * predictions + e * e) / predictions.shape[-1] * dvalues)

    assert check(Cubed()).passed


@pytest.mark.beyond_dev
def test_pytorch_functions_and_modules() -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed: its functions are not checked")

    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return (x @ w) ** 2

        @staticmethod
        def backward(ctx, grad_output):
            x, w = ctx.saved_tensors
            local = grad_output * 2 * (x @ w)
            return local @ w.T, x.T @ local / x.shape[0]

    class Module(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.first = torch.nn.Linear(4, 3)
            self.weight = torch.nn.Parameter(torch.ones(3, 2))

        def forward(self, x):
            return Square.apply(self.first(x), self.weight)

    report = check(Square, (np.ones((5, 4)), np.ones((4, 3))))
    assert [(e.array, e.mistake) for e in report.errors] == [("dw", "batch_mean_doubled")]
    assert [e.array for e in check(Module()).errors] == ["dweight"]
    plain = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.ReLU(), torch.nn.BatchNorm1d(5), torch.nn.Linear(5, 2))
    assert check(plain).passed


BAD = {
    "not a layer": (lambda: check(3), "has no backward pass that can be checked"),
    "half a pair": (lambda: check(lambda x: x), "has no backward pass that can be checked"),
    "functions of a dict": (
        lambda: check((affine_forward, affine_backward), {"q": np.ones(3)}),
        "takes x, w, b, not 'q'",
    ),
    "a constructor that fails": (lambda: check(BookDense, arguments=("a", 3)), "arguments=(4, 3)"),
    "inputs that do not fit": (lambda: check(BookDense(4, 3), np.ones((5, 7))), "Pass inputs that it takes"),
    "unknown reduction": (lambda: check(BookReLU(), reduction="median"), "reduction must be"),
    "unknown kinks": (lambda: check(BookReLU(), at_kinks="left"), "at_kinks must be"),
    "unknown check": (lambda: check(BookReLU(), only=("speed",)), "known: gradients, kinks"),
}


@pytest.mark.parametrize(("call", "says"), BAD.values(), ids=BAD)
def test_what_cannot_be_checked_is_said_in_one_line(call: Any, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        call()
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_object_that_raises_is_reported_and_not_raised() -> None:
    class Raising(BookReLU):
        def backward(self, dvalues):
            raise RuntimeError("not written yet")

    report = check(Raising())
    assert report.mistakes == ("backward_raises",)
    assert "not written yet" in str(report)


# The report


def test_a_report_says_array_entry_numbers_and_shows_a_picture() -> None:
    text = str(check(FAULTS["dense-one-row"].make(), only=("gradients",)))
    assert "dweights is wrong in 3 of 12 entries" in text
    assert "✗ ✗ ✗" in text and "· · ·" in text
    assert "One row alone is wrong, row 1." in text
    assert "- return changed" in text and "+ return array" in text  # in what plants the fault


def test_a_report_fits_a_narrow_terminal() -> None:
    from chainrule.checking.render import as_text

    report = check(FAULTS["large-one-entry"].make())
    assert max(map(len, as_text(report, width=60).splitlines())) <= 60


class Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.closed: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.attributes += attrs
        if tag not in ("meta", "br"):
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.closed.append(tag)


def test_a_page_is_whole_and_needs_no_script_and_no_network() -> None:
    page = check(FAULTS["dense-one-column"].make()).to_html()
    tags = Tags()
    tags.feed(page)
    assert sorted(tags.opened) == sorted(tags.closed)
    assert "script" not in tags.opened and "link" not in tags.opened
    assert not any(name in ("src", "href") for name, _ in tags.attributes)
    assert page.count('class="wrong"') == 4


def test_a_page_shows_names_as_they_are() -> None:
    kind = type("<b>Dense</b>", (BookDense,), {})
    assert "<b>Dense" not in check(kind(4, 3)).to_html()


def test_a_report_is_json() -> None:
    report = check(FAULTS["relu-inverted"].make())
    read = json.loads(json.dumps(report.to_json()))
    assert read["passed"] is False
    assert read["findings"][0]["diagnoses"][0]["mistake"] == "gate_inverted"
    assert read["arrays"][0]["array"] == "dinputs"


# In a test suite


def test_check_layer_raises_an_assertion_error_with_the_whole_report() -> None:
    assert check_layer(Dense(4, 3)).passed
    with pytest.raises(GradientMismatch, match="batch size") as caught:
        check_layer(NativeDense(4, 3))
    assert isinstance(caught.value, AssertionError)
    assert caught.value.report.mistakes == ("batch_mean_doubled",)


@parametrize_with_checks([Dense(4, 3), BookDense(4, 3), BookReLU, CORRECT["dropout"](), chainrule.Huber()])
def test_the_checks_one_by_one(layer: Any, check: Any) -> None:
    assert check(layer).passed


def test_each_check_is_a_test_of_its_own_and_fails_alone() -> None:
    rows = parametrize_with_checks([Updating(4, 3)]).args[1]
    assert [row.id for row in rows] == [f"Updating-{name}" for name in ("gradients", *CHECKS)]
    failing = []
    for row in rows:
        layer, run = row.values
        try:
            run(layer)
        except GradientMismatch:
            failing.append(row.id)
    assert failing == ["Updating-mutation", "Updating-earlier_calls"]


# Differences


def test_central_slopes_reach_ten_digits_and_say_how_many() -> None:
    for function, derivative in ((np.exp, np.exp), (np.sin, np.cos), (np.log, lambda x: 1 / x)):
        x = np.array([0.5, 1.0, 3.0])
        slope = nudge.central_slope(lambda t, f=function, at=x: f(at + t), 2e-3, 2.3e-16)
        assert (np.abs(slope.value - derivative(x)) <= slope.error + 1e-15).all()
        assert (slope.error <= 1e-10).all()


def test_central_slopes_shrink_their_step_next_to_a_kink() -> None:
    slope = nudge.central_slope(lambda t: np.maximum(np.array([1e-5]) + t, 0), 1e-2, 2.3e-16)
    assert abs(slope.value[0] - 1) < 1e-9


def test_a_complex_step_is_refused_where_the_imaginary_part_is_dropped() -> None:
    assert nudge.complex_slope(lambda t: np.abs(np.array([1.0]) + t)) is None


# Ties, chance, batches


class RowMaximum:
    """The largest entry of each row; at a tie the first one takes the gradient."""

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.max(inputs, axis=1, keepdims=True)

    def backward(self, dvalues):
        self.dinputs = np.zeros(self.inputs.shape, dtype=dvalues.dtype)
        rows = np.arange(len(dvalues))
        self.dinputs[rows, np.argmax(self.inputs, axis=1)] = dvalues[:, 0]


def test_ties_are_set_apart_and_counted() -> None:
    report = check(RowMaximum(), np.array([[1.0, 1.0, 0.5], [2.0, 3.0, 3.0], [0.1, 0.2, 0.3]]))
    assert report.passed, str(report)
    assert report.arrays[0].kinks > 0
    assert "on a kink" in str(report)


def test_a_tie_whose_gradient_is_larger_than_either_side_is_wrong() -> None:
    class Doubled(RowMaximum):
        def backward(self, dvalues):
            self.dinputs = 2.0 * dvalues * (self.inputs == np.max(self.inputs, axis=1, keepdims=True))

    assert not check(Doubled(), np.array([[1.0, 1.0, 0.5]])).passed


def test_an_object_that_draws_from_an_unknown_source_cannot_be_compared() -> None:
    class Noisy(BookReLU):
        def forward(self, inputs):
            super().forward(inputs)
            self.output = self.output + np.random.default_rng().normal(size=inputs.shape)

    assert check(Noisy()).mistakes == ("not_deterministic",)


def test_an_object_with_a_generator_of_its_own_is_compared_on_equal_noise() -> None:
    class Noisy:
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def forward(self, inputs):
            self.mask = (self.rng.random(inputs.shape) > 0.5).astype(inputs.dtype)
            self.output = inputs * self.mask

        def backward(self, dvalues):
            self.dinputs = dvalues * self.mask

    report = check(Noisy())
    assert report.passed, str(report)


def test_a_backward_pass_that_depends_on_the_batch_is_told_from_its_forward() -> None:
    class Scaled(BookReLU):
        def backward(self, dvalues):
            super().backward(dvalues)
            self.dinputs = self.dinputs * (1 if len(dvalues) != 3 else 1.5)

    report = check(Scaled(), only=("batch",))
    assert report.mistakes == ("batch_inconsistent",)


# Other people's styles

every_style = pytest.mark.parametrize(("kind", "options"), STYLES.values(), ids=STYLES)


@every_style
def test_a_correct_class_passes_however_it_is_written(kind: Any, options: dict[str, Any]) -> None:
    report = check(kind, **options)
    assert report.passed, str(report)
    assert all(finding.mistake != "not_compared" for finding in report.findings), str(report)


@pytest.mark.usefixtures("brief_search")
@every_style
def test_its_wrong_sign_is_found_and_named(kind: Any, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGN, "now", -1.0)
    assert check(kind, **options).mistakes[0] == "wrong_sign"


def test_a_parameter_without_a_gradient_is_not_passed_over_in_silence() -> None:
    class Hidden:
        def __init__(self):
            self.table = np.random.default_rng(0).normal(size=(4, 3))

        def forward(self, x):
            return x @ self.table

        def backward(self, d):
            return d @ self.table.T

    said = [finding.says for finding in check(Hidden()).findings if finding.mistake == "not_compared"]
    assert len(said) == 1 and "table" in said[0]


def test_a_gradient_clipped_on_its_way_is_found() -> None:
    class Clipping(BookDense):
        def backward(self, dvalues):
            super().backward(np.clip(dvalues, -1, 1))

    assert not check(Clipping(4, 3)).passed


def test_a_hinge_without_its_margin_is_not_taken_for_a_clipped_loss() -> None:
    class BinaryHinge:
        def forward(self, y_pred, y_true):
            return np.maximum(0, 1 - y_pred * (2 * y_true - 1)).mean(-1)

        def backward(self, dvalues, y_true):
            self.dinputs = -(2 * y_true - 1) / len(dvalues)

    scores = np.array([[2.0], [-3.0], [0.5], [0.1], [4.0]])
    assert not check(BinaryHinge(), scores, np.array([[0.0], [1.0], [1.0], [0.0], [1.0]])).passed


@pytest.mark.parametrize("where", ["forward", "backward"])
def test_an_object_that_leaves_the_program_is_reported(where: str) -> None:
    class Leaving(BookReLU):
        pass

    def leave(self: Any, array: Any) -> None:
        raise SystemExit(0)

    setattr(Leaving, where, leave)
    if where == "forward":
        with pytest.raises(ConfigurationError, match="SystemExit"):
            check(Leaving())
    else:
        assert check(Leaving()).mistakes == ("backward_raises",)


ODD = {
    "an empty list": [],
    "an empty tuple": (),
    "text": "abc",
    "ragged rows": [[1.0], [1.0, 2.0]],
    "a negative shape": (-1, 4),
    "a dict": {"x": 1},
}


@pytest.mark.parametrize("inputs", ODD.values(), ids=ODD)
def test_odd_inputs_are_refused_in_one_line(inputs: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(BookReLU(), inputs)
    assert "\n" not in str(caught.value)


def test_a_line_to_write_must_be_right_in_every_setting() -> None:
    class Leaky:
        def forward(self, inputs):
            self.inputs = inputs
            self.output = np.where(inputs > 0, inputs, 0.01 * inputs)

        def backward(self, dvalues):
            self.dinputs = dvalues * (self.inputs > 0)

    report = check(Leaky())
    assert not report.passed
    assert report.errors[0].diagnoses[0].write == ""
