"""draw: what stands on the picture of a network or of a `Value`, that nothing overlaps, and what it refuses."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pytest

from chainrule import (
    Add,
    BatchNorm,
    ChainruleError,
    Concatenate,
    Dense,
    Flatten,
    Graph,
    Layer,
    LayerNorm,
    MeanSquaredError,
    Model,
    Multiply,
    ReLU,
    Sequential,
    Sigmoid,
    SigmoidCrossentropy,
    Softmax,
    SoftmaxCrossentropy,
    Tanh,
    Value,
    datasets,
    draw,
    explain,
)
from chainrule.display.palette import shade
from chainrule.display.svg import text_width
from chainrule.errors import ConfigurationError, DataError, ShapeError
from chainrule.explaining import Drawing
from chainrule.explaining.render.svg import as_svg

SVG = "{http://www.w3.org/2000/svg}"
SIZES = {"name": 13.5, "soft": 11.5, "number": 11, "slope": 11, "strong": 11, "caption": 10, "below": 10, "along": 9.5}


class Doubled(Layer):
    """Each sample as two channels of the same picture, (H, W) -> (2, H, W)."""

    def output_shape(self, shape: Any) -> Any:
        return (2, *shape)

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return xp.stack([inputs, -inputs], axis=1)

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=dvalues[:, 0] - dvalues[:, 1])


class Embedded(Layer):
    """Each of the T words of a sample as D numbers, (T,) -> (T, 4)."""

    def output_shape(self, shape: Any) -> Any:
        return (*shape, 4)

    def pure_forward(self, xp: Any, inputs: Any) -> Any:
        return xp.stack([inputs, 2 * inputs, -inputs, 0 * inputs], axis=2)

    def pure_backward(self, xp: Any, dvalues: Any) -> Any:
        return dict(dinputs=dvalues[:, :, 0] + 2 * dvalues[:, :, 1] - dvalues[:, :, 2])


def drawn(layers: Any, loss: Any, *shape: int, samples: int = 3, scale: float = 1.0, **options: Any) -> Drawing:
    """The picture of a new model on random samples."""
    rng = np.random.default_rng(0)
    model = Model(layers, loss, seed=0, **options)
    outputs = model.network.output_shape(shape)[0]
    y = rng.integers(0, outputs, samples) if isinstance(loss, SoftmaxCrossentropy) else rng.random((samples, outputs))
    return draw(model, model.trace(scale * rng.normal(size=(samples, *shape)), y.round()), sample=samples - 1)


def dense(*sizes: int) -> list[Layer]:
    layers: list[Layer] = []
    for size, neurons in itertools.pairwise(sizes):
        layers += [Dense(size, neurons), ReLU()]
    return layers[:-1]


def neuron() -> Sequential:
    """The notes' first neuron."""
    network = Sequential(Dense(3, 1), ReLU())
    network["dense_0"].weights = np.array([[-3.0], [-1.0], [2.0]])
    network["dense_0"].biases = np.array([[1.0]])
    return network


def skipping(*, last: Layer | None = None) -> Graph:
    join = Add() if last is None else last
    nodes = [("first", Dense(3, 4), "inputs"), ("deep", Tanh(), "first"), ("more", Dense(4, 4), "deep")]
    return Graph([*nodes, ("sum", join, ("more", "first")), ("out", Dense(4, 2), "sum")])


def branching() -> Graph:
    nodes: list[Any] = [("left", Dense(3, 2), "inputs"), ("right", Dense(3, 3), "inputs"), ("a", Sigmoid(), "left")]
    return Graph([*nodes, ("both", Concatenate(), ("a", "right")), ("out", Dense(5, 1), "both")])


def long_names() -> Drawing:
    columns = {"the annual income of the household before taxes": [1.0, 2, 3, 4], "b": [2.0, 1, 2, 5]}
    table = datasets.read_table({**columns, "y": ["a class with a name that goes on and on", "no", "no", "maybe"]})
    fitted = datasets.Preprocessing.fit(table, "y")
    model = Model(dense(2, 3, 3), SoftmaxCrossentropy(), preprocessing=fitted, class_names=fitted.class_names)
    return draw(model, model.trace(fitted.transform(table), fitted.encode_target(table)))


def a_digit(**options: Any) -> Drawing:
    digits = datasets.load("digits")
    model = Model(dense(64, 16, 10), SoftmaxCrossentropy(), seed=0, class_names=digits.class_names)
    return draw(model, model.trace(digits.X_test[:2], digits.y_test[:2]), **options)


def a_value() -> Value:
    x, w, b = Value(-2.0, "x"), Value(3.0, "w"), Value(0.5, "b")
    y = (x * w + b).tanh() + 2**x * x
    y.backward()
    return y


NETWORKS: dict[str, Callable[[], Drawing]] = {
    "neuron": lambda: draw(neuron(), X=[[1.0, -2.0, 3.0]], dvalue=1.0),
    "layer-4x3": lambda: draw(Sequential(Dense(4, 3)), X=[[0.2, -0.91, 1e-5, 123.0]], dvalue=[[1.0, 2.0, 3.0]]),
    "2-64-3": lambda: drawn(dense(2, 64, 3), SoftmaxCrossentropy(), 2),
    "2-3-2": lambda: drawn(dense(2, 3, 2), SoftmaxCrossentropy(), 2, samples=1),
    "digits": a_digit,
    "784": lambda: drawn(dense(784, 128, 128, 10), SoftmaxCrossentropy(), 784),
    "residual": lambda: drawn(skipping(), MeanSquaredError(), 3),
    "gated": lambda: drawn(skipping(last=Multiply()), MeanSquaredError(), 3, scale=1e-6),
    "branching": lambda: drawn(branching(), MeanSquaredError(), 3),
    "nested": lambda: drawn([("body", Sequential(*dense(2, 3, 3))), BatchNorm(3), Dense(3, 1)], MeanSquaredError(), 2),
    "normalized": lambda: drawn([Dense(5, 6), LayerNorm(6), Sigmoid(), Dense(6, 2)], MeanSquaredError(), 5, scale=1e6),
    "channels": lambda: drawn([Doubled(), ReLU(), Flatten(), Dense(72, 3)], SoftmaxCrossentropy(), 6, 6),
    "words": lambda: drawn([Embedded(), Flatten(), Dense(20, 2)], SoftmaxCrossentropy(), 5),
    "long-names": long_names,
    "yes-or-no": lambda: drawn(dense(3, 5, 1), SigmoidCrossentropy(), 3),
    "one-to-16": lambda: drawn([Dense(1, 16)], MeanSquaredError(), 1, samples=1),
    "16-to-one": lambda: drawn([Dense(16, 1)], MeanSquaredError(), 16, scale=1e-7),
    "4-to-4": lambda: drawn([Dense(4, 4)], MeanSquaredError(), 4, scale=1e-5),
    "probabilities": lambda: drawn([*dense(2, 8), Dense(8, 2), Softmax()], MeanSquaredError(), 2),
    "deep": lambda: drawn(dense(2, *[4] * 6, 2), MeanSquaredError(), 2, samples=12),
    "value": lambda: draw(a_value()),
    "large-numbers": lambda: drawn(dense(3, 2, 2), MeanSquaredError(), 3, scale=-1e12),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


class Text(NamedTuple):
    text: str
    left: float
    top: float
    right: float
    bottom: float


def texts(svg: str, usual: float = 0.0) -> Iterator[Text]:
    """Every text with its box, as wide as DejaVu Sans would have it; `usual` is the size where its class says none."""
    for element in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        classes, x, y = element.get("class", "").split(), float(element.attrib["x"]), float(element.attrib["y"])
        size = next((SIZES[name] for name in (*classes[::-1],) if name in SIZES), usual)
        assert size
        width = 0.62 * size * len(element.text or "")
        left = x - width if "end" in classes else x - width / 2 if "middle" in classes else x
        yield Text(str(element.text), left, y - 0.8 * size, left + width, y + 0.2 * size)


def shown(drawing: Drawing) -> list[str]:
    return [text.text for text in texts(drawing.svg)]


def units(drawing: Drawing, node: str) -> list[dict[str, Any]]:
    """The boxes of a node, in their order: what stands on each, by the end of its id."""
    found = []
    for group in ElementTree.fromstring(drawing.svg).iter(f"{SVG}g"):
        name = group.attrib.get("id", "")
        if group.attrib.get("class") == "unit" and re.fullmatch(rf"{re.escape(node)}\.\d+", name):
            parts = {text.attrib["id"].removeprefix(f"{name}."): text.text for text in group.iter(f"{SVG}text")}
            found.append({**parts, "place": int(name.rpartition(".")[2])})
    return found


def require_apart(svg: str, found: list[Text]) -> None:
    """That no two texts meet, and that all lie inside of the picture."""
    for one, other in itertools.combinations(found, 2):
        across = min(one.right, other.right) - max(one.left, other.left)
        down = min(one.bottom, other.bottom) - max(one.top, other.top)
        assert across <= 0 or down <= 0, f"{one.text!r} and {other.text!r}"
    root = ElementTree.fromstring(svg)
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    assert all(t.left >= 0 and t.right <= width and t.top >= 0 and t.bottom <= height for t in found)


@every_network
def test_no_two_texts_of_a_picture_meet_and_all_lie_inside_it(name: str) -> None:
    svg = NETWORKS[name]().svg
    require_apart(svg, list(texts(svg)))


@every_network
def test_the_numbers_of_an_edge_stand_at_the_end_of_that_edge_and_of_no_other(name: str) -> None:
    root = ElementTree.fromstring(NETWORKS[name]().svg)
    ends = {}
    for path in root.iter(f"{SVG}path"):
        if "term" in path.attrib["class"]:
            x, y = re.findall(r"-?[\d.]+", path.attrib["d"].split("M")[1])[-2:]
            ends[path.attrib["id"]] = float(x), float(y)
    labels = [text for text in root.iter(f"{SVG}text") if text.get("class") == "along"]
    for text in labels:
        x, y = float(text.attrib["x"]), float(text.attrib["y"]) - 3
        nearest = min(ends, key=lambda edge: math.dist(ends[edge], (x, y)))
        assert text.attrib["id"] == f"{nearest}.label" and ends[nearest][0] < x and abs(ends[nearest][1] - y) < 0.1
    assert len(labels) == {"neuron": 3, "layer-4x3": 12, "4-to-4": 16, "16-to-one": 16}.get(name, len(labels))


@every_network
def test_every_element_has_an_id_of_its_own(name: str) -> None:
    root = ElementTree.fromstring(NETWORKS[name]().svg)
    ids = [e.attrib.get("id") for e in root.iter() if e is not root and e.tag.removeprefix(SVG) not in WORDS]
    assert None not in ids and len({*ids}) == len(ids)
    assert all(re.fullmatch(r"[A-Za-z][\w.-]*", str(name), re.ASCII) for name in ids)


WORDS = {"title", "desc", "style"}


@every_network
def test_a_picture_can_be_read_aloud_and_walked_through_by_keyboard(name: str) -> None:
    root = ElementTree.fromstring(NETWORKS[name]().svg)
    assert root[0].tag == f"{SVG}title" and root[1].tag == f"{SVG}desc" and len(str(root[1].text)) > 20
    boxes = [group for group in root.iter(f"{SVG}g") if group.attrib.get("class") == "unit"]
    assert boxes
    for group in boxes:
        assert group.attrib["role"] == "img" and group.attrib["tabindex"] == "0"
        assert re.search(r": \S+, gradient \S+", group.attrib["aria-label"])


@every_network
def test_every_number_has_three_digits_at_most(name: str) -> None:
    for text in shown(NETWORKS[name]()):
        for mantissa in re.findall(r"(?:∂ |^-?)(\d+\.?\d*)", text):
            assert len(mantissa.replace(".", "").strip("0")) <= 3, text


def test_the_notes_first_neuron_has_its_numbers_on_the_picture() -> None:
    picture = draw(neuron(), X=[[1.0, -2.0, 3.0]], dvalue=1.0)
    assert [(unit["value"], unit["gradient"]) for unit in units(picture, "inputs")] == [
        ("1", "∂ -3"),
        ("-2", "∂ -1"),
        ("3", "∂ 2"),
    ]
    assert units(picture, "relu_0")[0]["value"] == "6"
    assert units(picture, "dense_0")[0]["note.0"] == "bias 1 ∂ 1"
    assert {"-3\u2002∂ 1", "-1\u2002∂ -2", "2\u2002∂ 3"} <= {*shown(picture)}
    assert "loss" not in shown(picture) and any("given at the output" in text for text in shown(picture))


def test_loss_target_and_probability_are_shown() -> None:
    model = Model([Dense(2, 2)], SoftmaxCrossentropy(), seed=0)
    model.parameters = {"dense_0.weights": np.zeros((2, 2)), "dense_0.biases": np.array([[0.0, math.log(3)]])}
    picture = draw(model, model.trace([[1.0, 2.0], [1.0, 2.0]], [1, 0]))
    assert [unit["note.1"] for unit in units(picture, "dense_0")] == ["p 0.25, target 0", "p 0.75, target 1"]
    (loss,) = units(picture, "loss")
    assert (loss["value"], loss["gradient"], loss["note.0"]) == ("0.288", "∂ 0.5", "L 0.837 of 2 samples")
    assert any("summed over all 2 samples" in text for text in shown(picture))


def test_of_a_large_layer_the_units_with_the_largest_gradient_times_value_are_drawn() -> None:
    rng = np.random.default_rng(3)
    model = Model(dense(2, 40, 3), SoftmaxCrossentropy(), seed=0)
    trace = model.trace(rng.normal(size=(4, 2)), [0, 1, 2, 0])
    picture = draw(model, trace, sample=2)
    for node in ("dense_0", "relu_0"):
        matters = np.abs(trace[node].output * trace[node].dvalues)[2]
        best = sorted(int(i) for i in np.argsort(-matters, kind="stable")[:16])
        assert [unit["place"] for unit in units(picture, node)] == best
        assert [unit["caption"] for unit in units(picture, node)] == [f"[{i}]" for i in best]
    assert shown(picture).count("and 24 more") == 2
    assert len(units(draw(model, trace, max_neurons=3), "relu_0")) == 3
    assert not any("more" in text.split() for text in shown(draw(model, trace, max_neurons=40)))


def test_column_and_class_names_stand_on_the_units() -> None:
    iris = datasets.load("iris")
    model = Model(dense(4, 3, 3), SoftmaxCrossentropy(), preprocessing=iris.preprocessing, class_names=iris.class_names)
    picture = draw(model, model.trace(iris.X_test[:1], iris.y_test[:1]))
    columns = [name.replace("_", " ") for name in iris.feature_names]
    assert [unit["caption"] for unit in units(picture, "inputs")] == columns
    assert [unit["caption"] for unit in units(picture, "dense_1")] == list(iris.class_names)


def pixels(drawing: Drawing, kind: str) -> set[str]:
    return {*re.findall(rf'id="inputs\.map\.0\.{kind}\.(\d+\.\d+)"', drawing.svg)}


def test_a_digit_is_drawn_as_an_image_with_the_gradient_beside_it() -> None:
    picture, image = a_digit(), datasets.load("digits").X_test[0].reshape(8, 8)
    assert pixels(picture, "value") == {f"{i}.{j}" for i, j in np.argwhere(image)}
    assert len(pixels(picture, "gradient")) == 64
    assert "8×8 pixels" in shown(picture) and units(picture, "inputs") == []
    assert len(units(a_digit(image=False), "inputs")) == 16
    assert "4×16 pixels" in shown(a_digit(image=(4, 16)))
    with pytest.raises(ShapeError, match=r"image=\(9, 9\) has 81 pixels, a sample 64"):
        a_digit(image=(9, 9))


def test_a_table_of_as_many_columns_as_an_image_has_pixels_is_no_image() -> None:
    rng = np.random.default_rng(0)
    columns = {f"c{i}": rng.random(20) for i in range(49)}
    fitted = datasets.Preprocessing.fit(datasets.read_table({**columns, "y": ["a", "b"] * 10}), "y")
    model = Model([Dense(49, 2)], SoftmaxCrossentropy(), preprocessing=fitted)
    assert len(units(draw(model, model.trace(np.ones((1, 49)), [0])), "inputs")) == 16
    model = Model([Dense(49, 2)], SoftmaxCrossentropy())
    assert "7×7 pixels" in shown(draw(model, model.trace(np.ones((1, 49)), [0])))
    assert len(units(draw(model, model.trace(-np.ones((1, 49)), [0])), "inputs")) == 16


def test_channels_are_drawn_as_images_one_above_the_other() -> None:
    picture = NETWORKS["channels"]()
    assert {"channel 0", "channel 1", "ReLU · 2×6×6"} <= {*shown(picture)}


def test_a_model_is_drawn_with_samples_as_with_their_trace() -> None:
    iris = datasets.load("iris")
    model = Model(dense(4, 3), "softmax_crossentropy", class_names=iris.class_names, preprocessing=iris.preprocessing)
    X, y = iris.X_test[:2], iris.y_test[:2]
    picture = draw(model, X=X, y=y, sample=1)
    assert picture.svg == draw(model, model.trace(X, y), sample=1).svg
    assert {"petal length cm", "virginica"} <= {*shown(picture)}
    for both in (dict(X=X), dict(y=y), dict(dvalue=1.0)):
        with pytest.raises(ConfigurationError, match="or the trace"):
            draw(model, model.trace(X, y), **both)


def test_no_two_texts_of_the_picture_of_an_explanation_meet() -> None:
    rng = np.random.default_rng(0)
    model = Model(dense(3, 120, 4), SoftmaxCrossentropy(), seed=0)
    X = 1e-5 * rng.normal(size=(120, 3))
    for asked in ("dense_0.weights[1,110]", "dense_1.biases[2]", "inputs[111,1]", "dense_1.weights[119,3]"):
        svg = as_svg(model.explain(X, rng.integers(0, 4, 120), asked, parts=()))
        found = [*texts(svg, 12.5)]
        assert len(found) > 12
        require_apart(svg, found)


def test_the_number_and_the_gradient_of_an_explained_weight_stand_apart() -> None:
    parameters = {"dense_0.weights": np.array([[-0.000484]]), "dense_0.biases": np.array([[0.0]])}
    svg = as_svg(
        explain(Sequential(Dense(1, 1)), X=[[-0.000817]], dvalue=1.0, name="dense_0.weights", parameters=parameters)
    )
    ends = [float(x) for x in re.findall(r'<text class="end(?: gradient)?" x="([\d.]+)"', svg)]
    value, gradient = ends[:2]
    assert gradient - value > text_width("-0.000817", 12, bold=True)


def test_a_pixel_is_dark_where_it_is_large_and_its_gradient_has_its_sign() -> None:
    X = np.zeros((1, 49))
    X[0, 3], X[0, 10] = 1.0, 0.5
    model = Model([Dense(49, 1)], "mean_squared_error")
    model.parameters = {"dense_0.weights": [[0.0]] * 48 + [[-2.0]], "dense_0.biases": [[0.0]]}
    found = re.findall(r'<rect fill="(#\w+)" id="inputs\.map\.0\.(\w+)\.(\d)\.(\d)"', draw(model, X=X, y=[-1.0]).svg)
    assert found == [
        ("#141414", "value", "0", "3"),
        ("#8a8a8a", "value", "1", "3"),
        (shade(-4.0, 4.0), "gradient", "6", "6"),
    ]


def test_what_lies_side_by_side_is_joined_to_its_own_place() -> None:
    picture = NETWORKS["branching"]()
    joined = {*re.findall(r'id="both\.from\.(\w+)\.(\d)\.(\d)"', picture.svg)}
    assert joined == {("a", "0", "0"), ("a", "1", "1"), ("right", "0", "2"), ("right", "1", "3"), ("right", "2", "4")}


def test_the_graph_of_a_value_shows_how_each_number_was_made() -> None:
    x, w = Value(2.0, "x"), Value(-3.0, "w")
    y = x * w + x * x
    y.backward()
    picture = draw(y)
    assert {"x", "w", "×", "+"} <= {*shown(picture)}
    groups = ElementTree.fromstring(picture.svg).iter(f"{SVG}g")
    said = {group.attrib["aria-label"] for group in groups if "role" in group.attrib}
    assert said == {
        "x: 2, gradient 1",
        "w: -3, gradient 2",
        "×: -6, gradient 1",
        "×: 4, gradient 1",
        "+: -2, gradient 1",
    }
    assert picture.svg.count('class="term') == 6  # x goes twice into x·x


def test_a_graph_of_too_many_values_is_refused() -> None:
    x = Value(1.0)
    for _ in range(200):
        x = x + 1
    with pytest.raises(DataError, match="401 values"):
        draw(x)


def test_a_picture_is_saved_and_shown_by_a_notebook(tmp_path: Path) -> None:
    picture = NETWORKS["neuron"]()
    picture.save(str(tmp_path / "neuron.svg"))
    assert (tmp_path / "neuron.svg").read_text(encoding="utf-8") == picture.svg == picture._repr_svg_()
    page = ElementTree.fromstring(picture._repr_html_())
    assert page.attrib["style"] == "overflow-x:auto" and "max-width" in page[0].attrib["style"]
    assert re.fullmatch(r"Drawing of \d+×\d+ pixels; .*", repr(picture))


REFUSED: dict[str, tuple[Callable[[], Any], type[ChainruleError], str]] = {
    "nothing to draw": (lambda: draw(neuron()), ConfigurationError, r"dvalue=1\.0"),
    "X without a gradient": (lambda: draw(neuron(), X=[[1, 2, 3]]), ConfigurationError, "X=X, y=y"),
    "a network with targets": (lambda: draw(neuron(), X=[[1, 2, 3]], y=[1.0]), ConfigurationError, "X=X, y=y"),
    "X as a trace": (lambda: draw(neuron(), [[1, 2, 3]]), ConfigurationError, r"draw\(model, X=X, y=y\)"),  # type: ignore[arg-type]
    "no model": (lambda: draw("neuron"), ConfigurationError, "not str"),
    "no neurons": (lambda: draw(neuron(), X=[[1, 2, 3]], dvalue=1, max_neurons=0), ConfigurationError, "at least 1"),
    "a gradient of another shape": (lambda: draw(neuron(), X=[[1, 2, 3]], dvalue=[[1, 2]]), ShapeError, r"\(1, 1\)"),
    "a sample that is not there": (lambda: draw(neuron(), X=[[1, 2, 3]], dvalue=1, sample=1), DataError, "0 to 0"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_drawn_is_refused(case: str) -> None:
    act, error, message = REFUSED[case]
    with pytest.raises(error, match=message):
        act()
