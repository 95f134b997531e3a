"""Plots: what is drawn, by the numbers and texts on the canvas, where it is drawn, and what is refused."""

from __future__ import annotations

import itertools
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from chainrule import (
    L2,
    Adam,
    BatchNorm,
    Dense,
    History,
    LearningRateFinder,
    MeanSquaredError,
    Model,
    ReLU,
    SigmoidCrossentropy,
    SoftmaxCrossentropy,
    Tanh,
    book,
    metrics,
    plots,
    softmax_jacobian,
)
from chainrule.display import palette
from chainrule.errors import ConfigurationError, DataError, ShapeError, UnknownNameError
from chainrule.registry import build, describe
from support import central_difference

RECORDS: list[dict[str, float]] = [
    {"epoch": 2, "loss": 2.0, "accuracy": 0.25, "val_loss": 2.5, "val_accuracy": 0.2, "learning_rate": 0.1},
    {"epoch": 4, "loss": 1.0, "accuracy": 0.5, "learning_rate": 0.1, "gradient_norm.low": 0.0, "gradient_norm.up": 0.5},
    {"epoch": 6, "loss": 0.5, "accuracy": 0.75, "val_loss": 1.5, "val_accuracy": 0.6, "seconds": 0.01}
    | {"gradient_norm.low": 1e-6, "gradient_norm.up": 0.25},
]
HISTORY = History(RECORDS)


@pytest.fixture(scope="module")
def spiral() -> tuple[Model, Any, Any]:
    book.init()
    X, y = book.spiral_data(samples=30, classes=3)
    model = Model([Dense(2, 16), ReLU(), Dense(16, 3)], SoftmaxCrossentropy(), Adam(0.02))
    model.fit(X, y.astype(int), epochs=20, verbose=False)
    return model, X, y.astype(int)


def layers_of(model: Model) -> list[Any]:
    """New layers like those of a model."""
    return [build(describe(leaf.layer)) for leaf in model.network.flat]


def lines(ax: Any) -> dict[str, tuple[list[float], list[float]]]:
    return {line.get_label(): (list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines}


def legend(ax: Any) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def ticks(axis: Any) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def labels(ax: Any) -> tuple[str, str, str]:
    return ax.get_title(), ax.get_xlabel(), ax.get_ylabel()


def cells(ax: Any) -> dict[tuple[int, int], str]:
    """The texts in the cells by (row, column)."""
    return {(round(t.get_position()[1]), round(t.get_position()[0])): t.get_text() for t in ax.texts}


# Training


def test_a_history_has_a_panel_of_losses_and_one_of_the_metric() -> None:
    loss, accuracy = plots.plot_history(HISTORY).axes
    assert labels(loss) == ("Loss", "epoch", "loss")
    assert labels(accuracy) == ("Accuracy", "epoch", "accuracy")
    assert lines(loss) == {"training": ([2, 4, 6], [2.0, 1.0, 0.5]), "validation": ([2, 6], [2.5, 1.5])}
    assert lines(accuracy) == {"training": ([2, 4, 6], [0.25, 0.5, 0.75]), "validation": ([2, 6], [0.2, 0.6])}
    assert legend(loss) == ["training", "validation"]
    assert loss.get_yscale() == "linear"


def test_without_validation_there_is_one_line_and_no_legend() -> None:
    figure = plots.plot_history(History([{"epoch": 1, "loss": 0.5, "mean_absolute_error": 0.5}]))
    assert [labels(ax)[2] for ax in figure.axes] == ["loss", "mean absolute error"]
    assert [len(ax.lines) for ax in figure.axes] == [1, 1]
    assert figure.axes[0].get_legend() is None
    assert figure.axes[0].lines[0].get_marker() == "o", "a single epoch is a point that can be seen"


def test_names_choose_the_panels() -> None:
    figure = plots.plot_history(HISTORY, ["learning_rate", "val_loss"])
    assert [ax.get_title() for ax in figure.axes] == ["Learning rate", "Loss"]
    assert list(lines(figure.axes[1])) == ["validation"]
    assert len(lines(figure.axes[0])["training"][0]) == 2, "only where it was measured"


def test_the_logarithm_is_for_losses_and_not_for_the_accuracy() -> None:
    loss, accuracy = plots.plot_history(HISTORY, log=True).axes
    assert (loss.get_yscale(), accuracy.get_yscale()) == ("log", "linear")


def test_a_loss_of_0_is_drawn_without_a_logarithm() -> None:
    (panel,) = plots.plot_history(History([{"epoch": 1, "loss": 0.0}]), log=True).axes
    assert panel.get_yscale() == "linear"


def test_epochs_that_are_recorded_now_and_then_stand_where_they_belong() -> None:
    (panel,) = plots.plot_history(History([{"epoch": 3, "loss": 2.0}, {"epoch": 9, "loss": 1.0}])).axes
    assert lines(panel) == {"training": ([3, 9], [2.0, 1.0])}


def test_gradient_norms_have_a_line_for_each_layer() -> None:
    ax = plots.plot_gradient_norms(HISTORY)
    drawn = lines(ax)
    assert list(drawn) == legend(ax) == ["low", "up"]
    assert drawn["up"] == ([4, 6], [0.5, 0.25])
    np.testing.assert_array_equal(drawn["low"][1], [np.nan, 1e-6])
    assert ax.get_yscale() == "log"
    assert labels(ax) == ("Gradient norm of each layer", "epoch", "gradient norm √Σg²")


def test_a_norm_that_is_always_0_is_named_and_not_drawn() -> None:
    ax = plots.plot_gradient_norms(History([{"epoch": 1, "gradient_norm.dead": 0.0, "gradient_norm.b": 1.0}]))
    assert legend(ax) == ["dead (always 0)", "b"]
    assert plots.plot_gradient_norms(History([{"epoch": 1, "gradient_norm.dead": 0.0}])).get_yscale() == "linear"


def test_what_fit_records_can_be_drawn(spiral: Any) -> None:
    model, _, _ = spiral
    assert len(plots.plot_history(model.history).axes) == 2
    assert sorted(lines(plots.plot_gradient_norms(model.history))) == ["dense_0", "dense_1"]
    assert isinstance(model.history.plot(log=True), Figure)


@pytest.mark.parametrize("count", [2, 8, 9, 30])
def test_every_layer_has_a_colour_of_its_own(count: int) -> None:
    ax = plots.plot_gradient_norms(History([{"epoch": 1, **{f"gradient_norm.dense_{i}": 1.0 for i in range(count)}}]))
    assert len({line.get_color() for line in ax.lines}) == count


def test_learning_rates_are_drawn_with_the_suggestion() -> None:
    finder = LearningRateFinder()
    with pytest.raises(DataError, match="search first"):
        plots.plot_learning_rates(finder)
    finder.rates, finder.losses = [0.01, 0.1, 1.0], [2.0, 1.0, 3.0]
    assert plots.plot_learning_rates(finder).get_legend() is None
    finder.suggestion = 0.1
    ax = plots.plot_learning_rates(finder)
    assert lines(ax)["suggestion 0.1"][0] == [0.1, 0.1]
    assert (list(ax.lines[0].get_xdata()), ax.get_xscale()) == (finder.rates, "log")


# What a network decides


def test_every_point_of_the_plane_has_the_colour_of_its_class(spiral: Any) -> None:
    model, X, y = spiral
    ax = plots.plot_decision_boundary(model, X, y, steps=40)
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    width, height = (right - left) / 40, (top - bottom) / 40
    x0 = left + width * (np.arange(40) + 0.5)
    x1 = bottom + height * (np.arange(40) + 0.5)
    assert image.origin == "lower" and image.get_array().shape == (40, 40, 3)
    shades = np.asarray(image.get_array())
    tints = 1 - np.array([to_rgba(color)[:3] for color in palette.OKABE_ITO[:3]])  # what each class takes from white
    proba = model.predict_proba(np.stack(np.meshgrid(x0, x1), axis=-1).reshape(-1, 2)).reshape(40, 40, 3)
    strength = 0.15 + 0.45 * (proba.max(axis=2, keepdims=True) - 1 / 3) / (2 / 3)
    np.testing.assert_allclose(1 - shades, strength * tints[proba.argmax(axis=2)], atol=1e-5)
    assert x0[0] < X[:, 0].min() and x0[-1] > X[:, 0].max() and x1[0] < X[:, 1].min() and x1[-1] > X[:, 1].max()


def test_the_samples_lie_on_top_in_the_colour_of_their_own_class(spiral: Any) -> None:
    model, X, y = spiral
    ax = plots.plot_decision_boundary(model, X, y, ["a", "b", "c"], steps=10)
    points = [c for c in ax.collections if c.get_label() in ("a", "b", "c")]
    assert legend(ax) == ["a", "b", "c"]
    for k, group in enumerate(points):
        np.testing.assert_array_equal(group.get_offsets(), X[y == k])
        assert tuple(group.get_facecolor()[0]) == to_rgba(palette.OKABE_ITO[k])
    assert labels(ax) == ("Decision boundary", "feature 0", "feature 1")


@pytest.mark.parametrize("form", [lambda y: np.eye(3)[y], lambda y: y[:, None], lambda y: y.astype(float)])
def test_targets_come_in_every_form_that_fit_takes(spiral: Any, form: Callable[[Any], Any]) -> None:
    model, X, y = spiral
    ax = plots.plot_decision_boundary(model, X, form(y), steps=5)
    offsets = [c.get_offsets() for c in ax.collections if c.get_label().startswith("class")]
    for k in range(3):
        np.testing.assert_array_equal(offsets[k], X[y == k])


def test_one_sigmoid_draws_two_classes_and_the_line_between_them() -> None:
    model = Model([Dense(2, 1)], SigmoidCrossentropy(), class_names=["no", "yes"])
    model.parameters = {"dense_0.weights": [[4.0], [0.0]], "dense_0.biases": [[-2.0]]}  # yes where x0 > 1/2
    ax = plots.plot_decision_boundary(model, [[0.0, 0.0], [1.0, 1.0]], [0, 1], steps=51)
    shades = np.asarray(ax.images[0].get_array())
    assert legend(ax) == ["no", "yes"]
    assert (shades[:, :25, 2] > shades[:, :25, 0]).all(), "blue on the left"
    assert (shades[:, 26:, 0] > shades[:, 26:, 2]).all(), "vermillion on the right"
    (line,) = [c for c in ax.collections if c.get_label() not in ("no", "yes")]
    np.testing.assert_allclose(line.get_paths()[0].vertices[:, 0], 0.5, atol=1e-3)


def test_the_plane_is_not_drawn_for_other_than_classes_of_two_features(spiral: Any) -> None:
    model, X, y = spiral
    four = Model([Dense(4, 2)], SoftmaxCrossentropy())
    with pytest.raises(ShapeError, match=r"two features, X of shape \(B, 2\), not \(3, 4\)"):
        plots.plot_decision_boundary(four, np.zeros((3, 4)), [0, 1, 0])
    with pytest.raises(ConfigurationError, match="MeanSquaredError gives no single class"):
        plots.plot_decision_boundary(Model([Dense(2, 1)], MeanSquaredError()), X, y)
    with pytest.raises(ConfigurationError, match="gives no single class"):
        plots.plot_decision_boundary(Model([Dense(2, 2)], SigmoidCrossentropy()), X, y)
    with pytest.raises(DataError, match="from 0 to 2"):
        plots.plot_decision_boundary(model, X, y + 1, steps=5)
    with pytest.raises(ShapeError, match="90 samples and y 89"):
        plots.plot_decision_boundary(model, X, y[1:], steps=5)
    with pytest.raises(ShapeError, match="2 names for 3"):
        plots.plot_decision_boundary(model, X, y, ["a", "b"], steps=5)
    with pytest.raises(ConfigurationError, match="steps"):
        plots.plot_decision_boundary(model, X, y, steps=1)


MATRIX = np.array([[97, 2, 1], [0, 5, 5], [0, 1, 999]])


def test_a_confusion_matrix_has_its_counts_in_the_cells() -> None:
    ax = plots.plot_confusion_matrix(MATRIX, ["ant", "bee", "cat"])
    assert cells(ax) == {index: str(count) for index, count in np.ndenumerate(MATRIX)}
    assert ticks(ax.xaxis) == ticks(ax.yaxis) == ["ant", "bee", "cat"]
    assert labels(ax) == ("Confusion matrix", "predicted class", "true class")
    assert ax.get_ylim() == (2.5, -0.5), "the first class is at the top"


def test_its_colours_are_shares_of_the_rows() -> None:
    ax = plots.plot_confusion_matrix(MATRIX)
    np.testing.assert_allclose(ax.images[0].get_array(), MATRIX / [[100], [10], [1000]])
    assert ax.images[0].get_clim() == (0, 1)


def test_normalized_it_has_the_shares_in_the_cells() -> None:
    written = cells(plots.plot_confusion_matrix(MATRIX, normalize=True))
    assert [written[0, j] for j in range(3)] == ["97%", "2%", "1%"]
    assert [written[1, j] for j in range(3)] == ["0%", "50%", "50%"]
    assert [written[2, j] for j in range(3)] == ["0%", "<1%", ">99%"], "one mistake in a thousand is not rounded away"


def test_a_class_that_never_occurs_has_a_row_of_zeros() -> None:
    assert set(cells(plots.plot_confusion_matrix([[0, 0], [1, 1]], normalize=True)).values()) == {"0%", "50%"}


def test_texts_are_dark_on_light_cells_and_light_on_dark_ones() -> None:
    ax = plots.plot_confusion_matrix([[10, 0], [1, 1]])
    assert [text.get_color() for text in ax.texts] == ["white", palette.GREY, palette.BLACK, palette.BLACK]


@pytest.mark.parametrize("classes", [1, 2, 10, 20])
@pytest.mark.parametrize("named", [False, True])
def test_the_numbers_stay_readable_and_inside_their_cells(classes: int, named: bool) -> None:
    matrix = np.full((classes, classes), 888)
    ax = plots.plot_confusion_matrix(matrix, [f"a class named {i}" for i in range(classes)] if named else None)
    figure = ax.figure
    figure.canvas.draw()
    cell = ax.get_window_extent().width / classes
    assert len(ax.texts) == classes**2
    assert all(text.get_fontsize() >= 7 and text.get_window_extent().width < cell for text in ax.texts)
    inside(ax)


def inside(ax: Any) -> None:
    """Nothing of the panel is cut off at the border of its figure."""
    ax.figure.canvas.draw()
    box, page = ax.figure.get_tightbbox(), ax.figure.get_size_inches()
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= page[0] and box.y1 <= page[1], (box, page)


def test_what_is_no_confusion_matrix_is_refused() -> None:
    for wrong in ([1, 2], [[1, 2]], np.zeros((0, 0))):
        with pytest.raises(ShapeError, match=r"confusion_matrix\(targets, predictions\)"):
            plots.plot_confusion_matrix(wrong)
    for wrong in ([[1, -1], [0, 1]], [[np.nan, 0], [0, 1]], [["a"]]):
        with pytest.raises(DataError, match="at least 0"):
            plots.plot_confusion_matrix(wrong)
    with pytest.raises(ShapeError, match="1 names for 2"):
        plots.plot_confusion_matrix([[1, 0], [0, 1]], ["a"])


# Numbers inside


def test_histograms_have_a_panel_for_each_array_with_all_of_its_numbers(spiral: Any) -> None:
    model, X, y = spiral
    for arrays in (model.parameters, model.gradients(X, y)):
        figure = plots.plot_histograms(arrays, "inside")
        assert figure.get_suptitle() == "inside"
        assert [ax.get_title().split("\n")[0] for ax in figure.axes] == list(arrays)
        for ax, array in zip(figure.axes, arrays.values(), strict=True):
            counts, edges = np.histogram(array.astype(np.float64), bins=50)
            if np.ptp(array) > 0:
                assert [bar.get_height() for bar in ax.patches] == counts.tolist()
                np.testing.assert_allclose([bar.get_x() for bar in ax.patches], edges[:-1], atol=1e-12)


def test_histograms_say_the_mean_and_the_deviation_and_name_their_axes() -> None:
    figure = plots.plot_histograms({"w": [1.0, 3.0]})
    assert labels(figure.axes[0]) == ("w\nmean 2, std 1", "value", "count")


@pytest.mark.parametrize(
    ("numbers", "title", "count"),
    [
        ([], "empty", 0),
        ([np.nan, np.inf, 2.0], "mean 2, std 0, 2 not finite", 1),
        ([3.0] * 7, "mean 3, std 0", 7),
        ([0.0] * 7, "mean 0, std 0", 7),
        ([1e16, 1e16 + 2], "mean 1e+16, std 1.4", 2),
        (np.float32([1e-40, 2e-40]), "mean 1.5e-40, std 5e-41", 2),
    ],
)
def test_histograms_of_odd_numbers(numbers: Any, title: str, count: int) -> None:
    (ax,) = plots.plot_histograms({"odd": numbers}).axes
    ax.figure.canvas.draw()
    assert ax.get_title() == f"odd\n{title}"
    assert sum(bar.get_height() for bar in ax.patches) == count
    left, right = ax.get_xlim()
    assert all(bar.get_width() > 0.001 * (right - left) for bar in ax.patches), "no bar is too thin to be seen"


def test_a_jacobian_is_centred_at_0_with_its_numbers_in_the_cells() -> None:
    jacobian = softmax_jacobian([0.7, 0.1, 0.2])
    ax = plots.plot_jacobian(jacobian, ["a", "b", "c"])
    np.testing.assert_array_equal(ax.images[0].get_array(), jacobian)
    assert ax.images[0].get_clim() == (-jacobian.max(), jacobian.max())
    assert cells(ax) == {index: f"{number:.2g}" for index, number in np.ndenumerate(jacobian)}
    assert labels(ax) == ("Jacobian", "input", "output")
    assert (ticks(ax.xaxis), ticks(ax.yaxis)) == (["a", "b", "c"], ["0", "1", "2"])


def test_a_jacobian_has_outputs_down_and_inputs_across() -> None:
    ax = plots.plot_jacobian([[1.0, 2.0, -4.0], [0.0, -0.0, 3.0]], output_names=["p", "q"])
    assert [cells(ax)[0, j] for j in range(3)] == ["1", "2", "-4"]
    assert [cells(ax)[1, j] for j in range(3)] == ["0", "0", "3"], "there is no -0"
    assert ax.images[0].get_clim() == (-4, 4)
    assert ticks(ax.yaxis) == ["p", "q"]


def test_0_is_white_and_the_signs_have_colours_of_their_own() -> None:
    image = plots.plot_jacobian([[-1.0, 0.0, 1.0]]).images[0]
    low, middle, high = image.to_rgba(image.get_array())[0]
    assert tuple(low) == to_rgba(palette.BLUE) and tuple(high) == to_rgba(palette.VERMILLION)
    assert middle[:3].min() > 0.99


def test_a_large_jacobian_has_no_numbers_and_names_that_fit() -> None:
    ax = plots.plot_jacobian(np.random.default_rng(0).normal(size=(40, 200)))
    ax.figure.canvas.draw()
    assert not ax.texts
    boxes = [label.get_window_extent() for label in ax.get_xticklabels()]
    assert len(boxes) > 10 and all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_numbers_that_are_not_finite_are_named_and_spoil_no_colour() -> None:
    ax = plots.plot_jacobian([[np.nan, 2.0], [-np.inf, -1.0]])
    assert [cells(ax)[i, 0] for i in range(2)] == ["nan", "-inf"]
    assert ax.images[0].get_clim() == (-2, 2)
    assert plots.plot_jacobian(np.zeros((2, 2))).images[0].get_clim() == (-1, 1)


def test_what_is_no_jacobian_of_one_sample_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"not \(2, 3, 3\); pass one sample's, jacobian\[0\]"):
        plots.plot_jacobian(np.zeros((2, 3, 3)))
    with pytest.raises(ShapeError, match=r"\(N, I\)"):
        plots.plot_jacobian([1.0])
    with pytest.raises(ShapeError, match="2 names for 3"):
        plots.plot_jacobian(np.zeros((1, 3)), ["a", "b"])


def test_the_curve_is_the_loss_and_the_tangent_has_the_slope_of_the_gradient(spiral: Any) -> None:
    model, X, y = spiral
    name, index = "dense_0.weights", (1, 3)
    today = float(model.parameters[name][index])
    ax = plots.plot_loss_along(model, X, y, name, index, span=0.5, points=11)
    curve, tangent, mark = ax.lines
    np.testing.assert_allclose(curve.get_xdata(), today + np.linspace(-0.5, 0.5, 11), rtol=1e-12)
    for value, loss in zip(curve.get_xdata(), curve.get_ydata(), strict=True):
        changed = Model(layers_of(model), model.loss, dtype="float64")
        changed.parameters = model.parameters
        changed.run.values[name][index] = value
        assert loss == pytest.approx(changed.evaluate(X, y)["loss"], rel=1e-12)
    assert tangent.get_slope() == pytest.approx(model.gradients(X, y)[name][index], rel=1e-4)
    assert tangent.get_xy1() == (mark.get_xdata()[0], mark.get_ydata()[0]) == (today, curve.get_ydata()[5])
    assert f"dL/dw = {tangent.get_slope():.4g}" in legend(ax)[1]
    assert labels(ax) == ("Loss along dense_0.weights[1, 3]", "value of w", "loss")


def test_the_tangent_touches_the_curve_of_a_loss_with_penalty_and_state() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    layers = [Dense(3, 4, penalties={"weights": L2(0.1)}), BatchNorm(4), Tanh(), Dense(4, 1)]
    model = Model(layers, MeanSquaredError(), dtype="float64")
    model.fit(X, y, epochs=3, verbose=False)
    ax = plots.plot_loss_along(model, X, y, "dense_0.weights", (2, 1), span=1e-4, points=3)
    low, _, high = ax.lines[0].get_ydata()
    assert ax.lines[1].get_slope() == pytest.approx((high - low) / 2e-4, rel=1e-6)
    assert ax.lines[1].get_slope() == pytest.approx(model.gradients(X, y)["dense_0.weights"][2, 1], rel=1e-12)


def test_a_float32_model_is_evaluated_in_float64() -> None:
    model = Model([Dense(1, 1)], MeanSquaredError())
    model.parameters = {"dense_0.weights": [[2.0]], "dense_0.biases": [[0.0]]}

    def loss(w: Any) -> float:
        return float((3 * w[0] - 5) ** 2)

    ax = plots.plot_loss_along(model, [[3.0]], [5.0], "dense_0.weights", (0, 0), span=1e-3, points=5)
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [loss([w]) for w in ax.lines[0].get_xdata()], rtol=1e-13)
    assert ax.lines[1].get_slope() == 6
    assert central_difference(loss, np.array([2.0]))[0] == pytest.approx(6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_model_stays_as_it_is(spiral: Any, dtype: str) -> None:
    trained, X, y = spiral
    model = Model(layers_of(trained), trained.loss, dtype=dtype)
    before = pickle.dumps(model.run)
    for value in model.run.values.values():
        value.flags.writeable = False  # not even for a moment
    plots.plot_loss_along(model, X, y, "dense_1.biases", (0, -1), points=4)
    plots.plot_decision_boundary(model, X, y, steps=3)
    assert pickle.dumps(model.run) == before


def test_without_a_span_the_curve_goes_far_enough(spiral: Any) -> None:
    model, X, y = spiral
    for value, reach in ((0.25, 1.0), (-3.0, 6.0)):
        changed = Model(layers_of(model), model.loss)
        changed.parameters = model.parameters
        changed.run.values["dense_1.biases"][0, 1] = value
        ax = plots.plot_loss_along(changed, X, y, "dense_1.biases", (0, -2))
        assert ax.get_xlim() == (value - reach, value + reach)
        assert len(ax.lines[0].get_xdata()) == 201 and ax.get_title() == "Loss along dense_1.biases[0, 1]"


def test_a_flat_loss_is_drawn_flat() -> None:
    model = Model([Dense(1, 1)], MeanSquaredError())
    ax = plots.plot_loss_along(model, [[0.0]], [2.0], "dense_0.weights", (0, 0), points=5)
    assert set(ax.lines[0].get_ydata()) == {4.0} and ax.lines[1].get_slope() == 0
    assert ax.get_ylim() == pytest.approx((3.6, 4.4))


def test_a_loss_that_is_not_finite_leaves_the_rest_to_be_seen() -> None:
    model = Model([Dense(1, 1)], MeanSquaredError())
    ax = plots.plot_loss_along(model, [[1.0]], [2.0], "dense_0.weights", (0, 0), span=1e200, points=5)
    assert np.isinf(ax.lines[0].get_ydata()[0])
    assert np.isfinite(ax.get_ylim()).all()


def test_a_parameter_that_is_not_there_is_refused_by_name(spiral: Any) -> None:
    model, X, y = spiral
    with pytest.raises(UnknownNameError, match=r"'dense_0\.weight'.*Did you mean 'dense_0\.weights'\?"):
        plots.plot_loss_along(model, X, y, "dense_0.weight", (0, 0))
    for index in ((2, 0), (0, 16), (-3, 0), (0,), 0, (0, 0, 0), (0.0, 1), (True, 0)):
        with pytest.raises(ShapeError, match=r"dense_0\.weights has shape \(2, 16\).*from \(0, 0\) to \(1, 15\)"):
            plots.plot_loss_along(model, X, y, "dense_0.weights", index)  # type: ignore[arg-type]
    for span in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(ConfigurationError, match="span"):
            plots.plot_loss_along(model, X, y, "dense_0.weights", (0, 0), span)
    with pytest.raises(ConfigurationError, match="points"):
        plots.plot_loss_along(model, X, y, "dense_0.weights", (0, 0), points=1)


def test_a_history_without_what_is_asked_for_is_refused() -> None:
    with pytest.raises(DataError, match="empty"):
        plots.plot_history(History())
    with pytest.raises(UnknownNameError, match=r"'los'.*Did you mean 'loss'\?"):
        plots.plot_history(HISTORY, ["los"])
    with pytest.raises(DataError, match="only epoch"):
        plots.plot_history(History([{"epoch": 1}]))
    with pytest.raises(DataError, match=r"gradient_norm\.<node>"):
        plots.plot_gradient_norms(History([{"epoch": 1, "loss": 1.0}]))
    with pytest.raises(DataError, match=r"model\.parameters"):
        plots.plot_histograms({})


# Where it is drawn

ONE_PANEL: dict[str, Callable[..., Any]] = {
    "gradient_norms": lambda spiral, **o: plots.plot_gradient_norms(HISTORY, **o),
    "decision_boundary": lambda spiral, **o: plots.plot_decision_boundary(*spiral, steps=20, **o),
    "confusion_matrix": lambda spiral, **o: plots.plot_confusion_matrix(MATRIX, **o),
    "jacobian": lambda spiral, **o: plots.plot_jacobian(np.eye(3), **o),
    "learning_rates": lambda spiral, **o: plots.plot_learning_rates(_finder(), **o),
    "loss_along": lambda spiral, **o: plots.plot_loss_along(*spiral, "dense_0.weights", (0, 0), points=3, **o),
}
PANELS: dict[str, Callable[..., Any]] = {
    "history": lambda spiral, **o: plots.plot_history(HISTORY, **o),
    "histograms": lambda spiral, **o: plots.plot_histograms({"a": [1.0, 2.0], "b": [3.0]}, **o),
}


def _finder() -> LearningRateFinder:
    finder = LearningRateFinder()
    finder.rates, finder.losses, finder.suggestion = [0.1, 1.0], [2.0, 1.0], 0.1
    return finder


def test_every_plot_is_in_these_tables() -> None:
    assert {f"plot_{name}" for name in ONE_PANEL | PANELS} == set(plots.__all__)


@pytest.mark.parametrize("name", ONE_PANEL)
def test_one_panel_is_drawn_on_the_axes_that_are_given(name: str, spiral: Any) -> None:
    left, right = Figure().subplots(1, 2)
    assert ONE_PANEL[name](spiral, ax=right) is right
    assert right.get_title() and not left.has_data()
    assert not hasattr(right, "_repr_png_")


@pytest.mark.parametrize("name", PANELS)
def test_several_panels_are_drawn_on_the_axes_that_are_given(name: str, spiral: Any) -> None:
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert PANELS[name](spiral, ax=axes) is figure
    assert all(ax.get_title() for ax in axes) and len(figure.axes) == 2
    with pytest.raises(ShapeError, match=r"2 panels to draw and 1 Axes in ax; write ax=figure\.subplots\(1, 2\)"):
        PANELS[name](spiral, ax=axes[0])


@pytest.mark.parametrize("name", ONE_PANEL | PANELS)
def test_a_picture_of_its_own_shows_itself_in_a_notebook_and_is_not_cut_off(name: str, spiral: Any) -> None:
    drawn = (ONE_PANEL | PANELS)[name](spiral)
    figure = drawn if isinstance(drawn, Figure) else drawn.figure
    assert drawn._repr_png_().startswith(b"\x89PNG") and figure._repr_png_().startswith(b"\x89PNG")
    assert type(figure.canvas).__name__ == "FigureCanvasAgg"
    for ax in figure.axes:
        inside(ax)
    assert len(pickle.loads(pickle.dumps(figure)).axes) == len(figure.axes)


def test_names_are_shown_as_they_are() -> None:
    """No formula is made of "$10-$20", and a leading underscore hides nothing."""
    names = ["$10-$20", "_rest"]
    ax = plots.plot_confusion_matrix(np.eye(2), names)
    assert ticks(ax.xaxis) == names and not any(t.get_parse_math() for t in ax.get_xticklabels())
    model = Model([Dense(2, 2)], SoftmaxCrossentropy())
    ax = plots.plot_decision_boundary(model, [[0.0, 0.0], [1.0, 1.0]], [0, 1], names, steps=3)
    assert [text.strip() for text in legend(ax)] == names
    assert not any(text.get_parse_math() for text in ax.get_legend().get_texts())


def test_long_names_are_cut() -> None:
    ax = plots.plot_confusion_matrix(np.eye(2), ["a" * 100, "b"])
    assert ticks(ax.yaxis) == ["a" * 23 + "…", "b"]


def test_pictures_are_drawn_in_threads() -> None:
    pictures: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: pictures.append(plots.plot_jacobian(np.eye(3))._repr_png_())) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pictures) == 4 and len(set(pictures)) == 1


def run_python(program: str) -> str:
    """What a fresh interpreter prints, with this test's own search path for modules."""
    prepared = f"import sys; sys.path[:] = {sys.path!r}\n{program}"
    return subprocess.run([sys.executable, "-c", prepared], capture_output=True, text=True, check=True).stdout.strip()


def test_matplotlib_is_imported_when_something_is_drawn_and_pyplot_never() -> None:
    program = """
import chainrule, chainrule.plots
before = "matplotlib" in sys.modules
import matplotlib
settings = {name: matplotlib.rcParams[name] for name in matplotlib.rcParams if name != "backend"}
chainrule.plots.plot_confusion_matrix([[1]])._repr_png_()
after = {name: matplotlib.rcParams[name] for name in settings}
print(before, "matplotlib.pyplot" in sys.modules, settings == after)
"""
    assert run_python(program).split() == ["False", "False", "True"]


@pytest.mark.parametrize("name", ONE_PANEL | PANELS)
def test_without_matplotlib_one_line_says_what_to_install(
    name: str, spiral: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [module for module in sys.modules if module.split(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=r'^plots need matplotlib: pip install "chainrule\[plots\]"$'):
        (ONE_PANEL | PANELS)[name](spiral)


def test_the_pictures_follow_from_the_metrics(spiral: Any) -> None:
    model, X, y = spiral
    matrix = metrics.confusion_matrix(y, model.predict(X), classes=3)
    written = cells(plots.plot_confusion_matrix(matrix))
    assert sum(int(written[i, i]) for i in range(3)) / 90 == pytest.approx(model.evaluate(X, y)["accuracy"])
