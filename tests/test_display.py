"""How results look: pages that are whole and escaped, colours that can be read, pictures in which nothing overlaps."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule import (
    Adam,
    Add,
    Dense,
    Graph,
    History,
    MeanSquaredError,
    Model,
    ReLU,
    Sequential,
    SoftmaxCrossentropy,
    check,
    draw,
    explain_neuron,
    explain_prediction,
    explain_rule,
)
from chainrule.display import Html, article, page, table, tag
from chainrule.display.layout import Box, arranged, depths
from chainrule.display.page import style_sheet
from chainrule.display.palette import LAYERS, OKABE_ITO, TOKENS, shade
from chainrule.display.spelling import spelled
from chainrule.display.svg import edge, picture_style
from chainrule.display.terminal import LAYER_STYLES, terminal
from chainrule.explaining.render.spans import cells
from chainrule.explaining.rules import rule_of

X, Y = np.linspace(-1, 1, 8).reshape(4, 2), np.linspace(0, 1, 4)


class Doubling:
    """A layer as in the book, with a wrong backward pass."""

    def forward(self, inputs: Any) -> None:
        self.output = 2 * inputs

    def backward(self, dvalues: Any) -> None:
        self.dinputs = -2 * dvalues


def model() -> Model:
    nodes = [("a", Dense(2, 2), "inputs"), ("b", ReLU(), "a"), ("c", Add(), ("b", "inputs")), ("d", Dense(2, 1), "c")]
    return Model(Graph(nodes), MeanSquaredError(), Adam(), seed=1)


# Pages

PAGES: dict[str, Callable[[], str]] = {
    "explain": lambda: model().explain(X, Y, "a.weights", (0, 1)).to_html(),
    "check": lambda: check(Doubling(), X).to_html(),
    "check-right": lambda: check(Dense(2, 3)).to_html(),
}
FRAGMENTS: dict[str, Callable[[], Any]] = {
    "explain": lambda: model().explain(X, Y, "a.weights", (0, 1)),
    "check": lambda: check(Doubling(), X),
    "summary": lambda: model().summary(),
    "history": lambda: History([{"epoch": 1, "loss": 0.5}]),
    "rule": lambda: explain_rule(MeanSquaredError),
}
every_page = pytest.mark.parametrize("name", PAGES)
every_fragment = pytest.mark.parametrize("name", FRAGMENTS)


class Reader(HTMLParser):
    """The elements of a page as (tag, attributes, the tags around it); raises where an element is not closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None], tuple[str, ...]]] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), tuple(self.open)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def classes(self) -> set[str]:
        return {name for _, attributes, _ in self.elements for name in (attributes.get("class") or "").split()}


@every_page
def test_a_page_says_its_language_its_title_and_its_width(name: str) -> None:
    text = PAGES[name]()
    elements = Reader(text).elements
    assert text.startswith("<!doctype html>")
    assert [attributes for kind, attributes, _ in elements if kind == "html"] == [{"lang": "en"}]
    assert re.search(r"<title>[^<]{5,}</title>", text)
    assert (
        "meta",
        {"name": "viewport", "content": "width=device-width, initial-scale=1"},
        ("html", "head"),
    ) in elements
    assert [around for kind, _, around in elements if kind == "style"] == [("html", "head")]
    assert sum(kind == "h1" for kind, *_ in elements) == 1


@every_page
def test_a_page_needs_no_script_and_nothing_from_the_network(name: str) -> None:
    text = PAGES[name]()
    reader = Reader(text)
    assert {kind for kind, *_ in reader.elements} & {"script", "link", "img", "iframe", "object"} == set()
    assert not any(key in ("src", "href") for _, attributes, _ in reader.elements for key in attributes)
    assert "url(" not in text and "@import" not in text
    assert text.replace("http://www.w3.org/2000/svg", "").count("http") == 0


@every_fragment
def test_the_style_sheet_knows_every_class_and_is_the_same_everywhere(name: str) -> None:
    text = FRAGMENTS[name]()._repr_html_()
    assert text.startswith(f"<style>{style_sheet()}</style><article")
    plain = {"note", "passing"}  # they only tell elements apart
    for found in Reader(text).classes() - plain:
        assert re.search(rf"\.{found}\b", style_sheet()), f"no rule for .{found}"


def test_text_is_escaped_wherever_it_goes_in() -> None:
    said = '<b>"&'
    text = page(said, article(tag("p", said, title=said), table([said], [[said]], caption=said)))
    assert "<b>" not in text and text.count("&lt;b&gt;&quot;&amp;") == 6
    assert tag("p", tag("b", "bold")) == "<p><b>bold</b></p>" and tag("p", Html("<i></i>")) == "<p><i></i></p>"


def test_no_control_character_of_a_strangers_file_reaches_a_terminal_or_a_picture() -> None:
    said = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    model = Model([Dense(4, 3)], SoftmaxCrossentropy(), class_names=[said, "b", "c"])
    X, y = np.ones((3, 4)), [0, 1, 2]
    file = io.StringIO()
    terminal(file=file, force_terminal=True, color_system="truecolor").print(
        said, style="bold", markup=False, highlight=False
    )
    assert file.getvalue().startswith("\x1b[1m\\x1b]0;owned") and "\x1b[2J" not in file.getvalue()
    texts = [str(model.explain(X, y, "dense_0.weights[0,0]")), model.explain(X, y).to_html()]
    pictures = [draw(model, model.trace(X, y)).svg]
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", "".join([*texts, *pictures]))
    ElementTree.fromstring(pictures[0])


# Colours


def luminance(color: str) -> float:
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["ink", "soft", "up", "down", "good", "bad", "warn", *(f"c{i}" for i in range(6))])
def test_text_stands_out_from_the_page(name: str, dark: bool) -> None:
    """WCAG 2.2 asks for 4.5 to 1."""
    for ground in ("paper", "tint"):
        assert contrast(TOKENS[name][dark], TOKENS[ground][dark]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_numbers_stand_out_from_the_cells_that_they_are_in(dark: bool) -> None:
    for fill in ("goodfill", "badfill", "warnfill"):
        assert contrast(TOKENS["ink"][dark], TOKENS[fill][dark]) >= 4.5


def test_the_value_in_a_neuron_can_be_read_on_every_shade() -> None:
    assert all(contrast("#1d2129", shade(value, 1.0)) >= 4.5 for value in np.linspace(-1, 1, 21))
    assert shade(0.0, 0.0) == "#ffffff" and shade(5.0, 1.0) == shade(1.0, 1.0)


def test_what_a_terminal_cannot_show_is_spelled_out() -> None:
    assert spelled("∂L/∂ŷ = Σ_n m̂·w² → 漢", "ascii") == "dL/dyhat = sum_n mhat*w^2 -> ?"
    assert spelled("η ± 2·x²", "latin-1") == "eta ± 2·x²" and spelled("η ± 2", "utf-8") == "η ± 2"
    kept = Path(__file__).parent / "explained"
    foreign = {c for page in kept.glob("*.txt") for c in page.read_text(encoding="utf-8") if ord(c) > 127}
    assert {"Σ", "ŷ", "½"} < foreign and "?" not in spelled("".join(foreign), "ascii")


PRINTED: dict[str, Callable[[], Any]] = {
    "explanation": lambda: model().explain(X, Y, "a.weights[0,1]"),
    "prediction": lambda: explain_prediction(model(), X[0]),
    "neuron": lambda: explain_neuron([1.0, -2.0], [3.0, 4.0], 1.0, ReLU()),
    "a line of it": lambda: explain_neuron([1.0], [3.0], 1.0, ReLU()).lines[0],
    "derivation": lambda: explain_rule("Softmax"),
    "rule": lambda: rule_of(ReLU()),
    "drawing": lambda: draw(model(), X=X, y=Y),
    "report": lambda: check(Doubling(), X),
    "model": model,
    "trace": lambda: model().trace(X, Y),
}


@pytest.mark.parametrize("name", PRINTED)
def test_print_spells_what_standard_output_cannot_write(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, screen = PRINTED[name](), io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="")
    whole = str(one)
    monkeypatch.setattr("sys.stdout", screen)
    print(one)
    monkeypatch.undo()
    screen.seek(0)
    assert screen.read() == spelled(whole, "ascii") + "\n"
    assert whole.isascii() == (name in ("model", "trace"))


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("wide", [80, 120])
@pytest.mark.parametrize("name", PRINTED)
def test_print_keeps_to_the_width_of_the_terminal(name: str, wide: int, monkeypatch: pytest.MonkeyPatch) -> None:
    one, screen = PRINTED[name](), Screen()
    monkeypatch.setenv("COLUMNS", str(wide))
    monkeypatch.setattr("sys.stdout", screen)
    print(one)
    monkeypatch.undo()
    assert max(map(cells, screen.getvalue().splitlines())) <= wide


class Written:
    """What a program puts in the place of standard output, to keep what is printed."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text


@pytest.mark.parametrize("name", PRINTED)
def test_print_needs_nothing_of_standard_output_but_that_it_writes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, screen = PRINTED[name](), Written()
    whole = str(one)
    monkeypatch.setattr("sys.stdout", screen)
    print(one)
    monkeypatch.undo()
    assert screen.text == f"{whole}\n"


def test_every_color_has_its_twin_for_the_terminal() -> None:
    assert len(LAYER_STYLES) == len(LAYERS) and len(set(OKABE_ITO)) == 8


def test_style_sheets_use_only_colors_that_there_are() -> None:
    assert set(re.findall(r"var\(--(\w+)\)", style_sheet())) <= set(TOKENS)
    assert "var(" not in picture_style()


# Pictures


@st.composite
def networks(draw: st.DrawFn) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[float, float]]]:
    """Layers that read one to three of those before them, and the size of each."""
    sources: dict[str, tuple[str, ...]] = {"inputs": ()}
    for i in range(draw(st.integers(1, 9))):
        sources[f"n{i}"] = tuple(draw(st.lists(st.sampled_from(list(sources)), min_size=1, max_size=3, unique=True)))
    return sources, {name: (draw(st.floats(20, 90)), draw(st.floats(20, 90))) for name in sources}


def overlaps(one: Box, other: Box) -> bool:
    across = one.x < other.right and other.x < one.right
    return across and one.y < other.y + other.height and other.y < one.y + one.height


@settings(max_examples=60)
@given(networks())
def test_no_two_boxes_overlap_and_edges_pass_over_what_they_skip(
    drawn: tuple[dict[str, tuple[str, ...]], dict[str, tuple[float, float]]],
) -> None:
    sources, sizes = drawn
    layout = arranged(sources, sizes)
    for one, other in itertools.combinations(layout.boxes.values(), 2):
        assert not overlaps(one, other)
    for reader, reads in sources.items():
        for source in reads:
            assert layout.boxes[source].right < layout.boxes[reader].x
            if (lane := layout.lanes.get((source, reader))) is not None:
                assert 0 <= lane.y <= layout.height
                between = [b for b in layout.boxes.values() if b.x < lane.right and lane.left < b.right]
                assert all(lane.y < box.y for box in between)
            else:
                assert depths(sources)[reader] - depths(sources)[source] == 1
    for box in layout.boxes.values():
        assert box.x >= 0 and box.y >= 0 and box.right <= layout.width and box.y + box.height <= layout.height


@settings(max_examples=60)
@given(networks())
def test_two_edges_never_share_a_lane(
    drawn: tuple[dict[str, tuple[str, ...]], dict[str, tuple[float, float]]],
) -> None:
    lanes = arranged(*drawn).lanes.values()
    for one, other in itertools.combinations(lanes, 2):
        apart = one.right <= other.left or other.right <= one.left
        assert apart or abs(one.y - other.y) > 5


def test_a_lane_leads_an_edge_over_the_boxes() -> None:
    layout = arranged({"a": (), "b": ("a",), "c": ("b", "a")}, dict.fromkeys("abc", (10.0, 10.0)))
    lane = layout.lanes["a", "c"]
    assert f"L{lane.right:.1f} {lane.y:.1f}" in edge((0, 0), (200, 0), lane)
    assert f"L{lane.right:.1f} {lane.y - 7:.1f}" in edge((0, 0), (200, 0), lane, offset=7)


def picture_texts(svg: str) -> Iterator[tuple[str, float, float]]:
    for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):
        yield str(element.text), float(element.attrib["x"]), float(element.attrib["y"])


def test_a_picture_is_a_file_of_its_own_and_says_what_it_is() -> None:
    one = model()
    root = ElementTree.fromstring(draw(one, one.trace(X, Y)).svg)
    assert root.attrib["role"] == "graphics-document document" and root.attrib["aria-label"]
    assert "prefers-color-scheme:dark" in str(root[2].text)
    assert root[3].attrib["class"] == "paper"


def test_a_picture_shows_the_layers_of_graphs_inside() -> None:
    body = Sequential(Dense(2, 3), ReLU())
    network = Model([("body", body), Dense(3, 1)], MeanSquaredError(), seed=0)
    shown = [text for text, *_ in picture_texts(draw(network, network.trace(X, Y)).svg)]
    assert {"inputs", "body.dense_0", "body.relu_0", "dense_0"} <= set(shown)


@pytest.mark.parametrize(("inputs", "neurons"), [(4, 4), (2, 8), (8, 2), (3, 5), (1, 16), (16, 1)])
def test_the_numbers_on_edges_never_overlap(inputs: int, neurons: int) -> None:
    network = Model([Dense(inputs, neurons)], MeanSquaredError(), seed=0)
    picture = draw(network, network.trace(np.ones((1, inputs)), np.ones((1, neurons))), max_neurons=16)
    labels = [(x, y) for text, x, y in picture_texts(picture.svg) if "\u2002∂ " in text]
    assert len(labels) == inputs * neurons
    heights = sorted(y for _, y in labels)
    assert min(np.diff(heights)) >= 9  # as high as the text


def test_the_text_in_a_unit_stays_dark_whatever_theme_a_notebook_has() -> None:
    for theme in ("true", "false"):
        where = f':where([data-jp-theme-light="{theme}"]) .chainrule-picture '
        rules = [rule.removeprefix(where) for rule in picture_style().split("}") if rule.startswith(where)]
        assert rules and picture_style().count(f'light="{theme}"') == len(rules)
        assert not {"number", "slope", "caption"} & {part for rule in rules for part in re.findall(r"\w+", rule)}
        assert f'[data-jp-theme-light="{theme}"]) .chainrule{{--ink' in style_sheet()
