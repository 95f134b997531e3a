"""The page in a real browser: what a reader sees and does there, against the library's numbers."""

from __future__ import annotations

import contextlib
import html
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from chainrule.play import pages, setups
from chainrule.play import server as serving
from chainrule.play.lessons import LESSONS
from chainrule.play.rooms import Rooms
from chainrule.play.script import script
from chainrule.play.session import PlaySession

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.beyond_dev,
    pytest.mark.filterwarnings("default"),
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium"),
]

PATIENCE = 20.0  # seconds that anything may take to show, on a machine whose cores are busy


@contextlib.contextmanager
def serving_pages(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[PlaySession]]]:
    """The address of a running server, and its sessions."""
    opening, sessions, servers = pages._opening(*setups.of_argument(None)), list[PlaySession](), list[Any]()

    def opened(*given: Any) -> PlaySession:
        sessions.append(opening(*given))
        return sessions[-1]

    class Kept(serving.uvicorn.Server):
        def __init__(self, config: Any) -> None:
            super().__init__(config)
            servers.append(self)

        def capture_signals(self) -> Any:
            return contextlib.nullcontext()

    monkeypatch.setattr(serving.uvicorn, "Server", Kept)
    told, ready = list[str](), threading.Event()

    def answer(address: str) -> None:
        told.append(address)
        ready.set()

    thread = threading.Thread(target=lambda: serving.serve(Rooms(opened), ready=answer), daemon=True)
    thread.start()
    assert ready.wait(20)
    yield told[0], sessions
    servers[0].should_exit = True
    thread.join(20)


class Tab:
    """The page, and the session behind it."""

    def __init__(self, page: Any, sessions: list[PlaySession]) -> None:
        self.page, self.sessions, self.complaints = page, sessions, list[str]()
        page.on("console", lambda one: self.complaints.append(one.text) if one.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.set_default_timeout(1000 * PATIENCE)

    @property
    def session(self) -> PlaySession:
        return self.sessions[-1]

    def open(self, lesson: str) -> None:
        self.page.get_by_role("button", name=lesson, exact=True).click()
        self.page.locator(f"nav button[aria-current=true]:text-is('{lesson}')").wait_for()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()

    def click(self, what: str) -> None:
        """Click a drawn thing with the mouse, as a reader would, a third of the way along a wire."""
        box = self.page.evaluate(
            """(what) => { const one = document.querySelector(`.net [data-what="${CSS.escape(what)}"]`);
                const drawn = one.querySelector("rect") ?? one;
                const path = one.tagName === "path";
                const at = path ? one.getPointAtLength(one.getTotalLength() * 0.08) : null;
                const m = one.getScreenCTM(); const box = drawn.getBoundingClientRect();
                if (path) return [at.x * m.a + m.e, at.y * m.d + m.f];
                return [box.x + box.width / 2, box.y + box.height / 2]; }""",
            what,
        )
        self.page.mouse.click(*box)

    def text(self, selector: str) -> str:
        """What stands there at this moment; "" where nothing is."""
        return str(self.page.evaluate("(one) => document.querySelector(one)?.textContent ?? ''", selector))

    def shows(self, selector: str, words: str) -> None:
        """Wait until these words stand there."""
        until(lambda: words in self.text(selector), lambda: f"{selector} says {self.text(selector)!r}, not {words!r}")

    def why(self, what: str) -> float:
        """The gradient that stands on the right, once it is that of `what`."""
        until(lambda: self.text(".why h2").startswith(what), lambda: f"the right is about {self.text('.why h2')!r}")
        return parsed(self.text("#gradient"))

    def derives(self, what: str, gradient: float) -> None:
        """Wait until this gradient stands on the right, under a title that begins with `what`."""
        until(
            lambda: self.why(what) == pytest.approx(gradient, rel=1e-5),
            lambda: f"the page says that the gradient of {what} is {self.text('#gradient')}, not {gradient}",
        )

    def key(self, key: str) -> None:
        self.page.keyboard.press(key)


def until(holds: Callable[[], bool], says: Callable[[], str], patience: float = PATIENCE) -> None:
    """Ask again and again until something holds; fail with what there is instead."""
    end = time.monotonic() + patience
    while not holds():
        if time.monotonic() > end:
            pytest.fail(says())
        time.sleep(0.02)


def parsed(text: str) -> float:
    """A number as the page writes it."""
    return float(text.replace("−", "-").replace("∂", "").strip())


def same(shown: str, number: float, digits: int = 3) -> bool:
    return parsed(shown) == pytest.approx(number, rel=0.51 * 10 ** (1 - digits), abs=1e-300)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, list[PlaySession]]]:
    with pytest.MonkeyPatch.context() as patch, serving_pages(patch) as running:
        yield running


@pytest.fixture
def tab(browser: Any, server: tuple[str, list[PlaySession]]) -> Iterator[Tab]:
    context = browser.new_context(viewport={"width": 1360, "height": 900})
    found = Tab(context.new_page(), server[1])
    found.page.goto(server[0])
    found.page.wait_for_selector(".unit")
    yield found
    context.close()
    assert found.complaints == []  # no error of the script, nothing against the Content-Security-Policy


def test_it_opens_on_the_neuron_of_the_notes_and_says_what_to_do(tab: Tab) -> None:
    assert tab.page.url.endswith("/")  # the token has left the address
    assert "Press step ▶ or the → key" in tab.page.locator(".stand").inner_text()
    values = tab.page.locator(".unit text.value").all_text_contents()
    assert values == ["1", "−2", "3", "6", "6"]
    assert tab.page.locator(".label").all_text_contents() == ["−3", "−1", "2"]


@pytest.mark.parametrize(
    "lesson", ["One neuron", "A layer", "A batch of three", "Softmax and its loss", "The spiral", "Digits"]
)
def test_every_number_on_every_neuron_is_the_librarys(tab: Tab, lesson: str) -> None:
    tab.open(lesson)
    session = tab.session
    trace, place = session.work.trace(), session.work.place()
    seen = 0
    for group in tab.page.locator(".unit").all():
        name, _, unit = (group.get_attribute("id") or "").removeprefix("unit-").rpartition("-")
        if name in ("inputs", "loss"):
            continue
        value, gradient = group.locator("text.value").text_content(), group.locator("text.gradient").text_content()
        assert same(value, trace[name].output[place, int(unit)])
        assert same(gradient, trace[name].dvalues[place, int(unit)])
        seen += 1
    assert seen >= 2


def test_the_arrow_keys_walk_through_a_step_with_the_librarys_numbers(tab: Tab) -> None:
    tab.open("Softmax and its loss")
    moments = tab.session.walk.moments
    trace = tab.session.work.trace()
    for number, moment in enumerate(moments):
        tab.key("ArrowRight")
        tab.shows(".stand", f"stop {number + 1} of {len(moments)}")
        if moment.phase == "backward" and moment.node != "inputs":
            tab.derives(f"{moment.node}[0,", trace[moment.node].dvalues[0, moment.unit])
    before = np.array(tab.session.work.setup.model.parameters["dense_0.weights"])
    tab.key("ArrowRight")
    tab.shows(".net h2", "step 1")
    assert not np.array_equal(before, tab.session.work.setup.model.parameters["dense_0.weights"])


def test_a_weight_a_neuron_and_a_bias_are_explained_when_they_are_clicked(tab: Tab) -> None:
    tab.open("A batch of three")
    gradients = tab.session.work.trace().gradients
    tab.click("dense_0.weights[1,2]")
    tab.derives("dense_0.weights[1,2]", gradients["dense_0.weights"][1, 2])
    assert tab.page.locator(".why math").count() > 3
    tab.click("dense_0.biases[0,1]")
    tab.derives("dense_0.biases[0,1]", gradients["dense_0.biases"][0, 1])
    tab.click("dense_0[0,1]")
    tab.derives("dense_0[0,1]", 1.0)
    tab.press("Prove it")
    tab.shows("#proof", "ways agree")


def test_pointing_at_a_number_lights_all_that_it_is_made_of(tab: Tab) -> None:
    tab.open("A batch of three")
    tab.click("dense_0.weights[1,2]")
    tab.why("dense_0.weights[1,2]")
    term = tab.page.locator('.why [data-lights="dense_0[0,2] inputs[0,1]"]')
    term.hover()
    lit = tab.page.locator(".net .lit")
    until(lambda: lit.count() == 4, lambda: f"{lit.count()} are lit")  # two neurons and two cells of the matrices
    assert set(lit.evaluate_all("all => all.map((one) => one.dataset.what)")) == {"dense_0[0,2]", "inputs[0,1]"}
    tab.page.locator('.matrices [data-what="dense_0.weights[1,2]"]').hover()
    until(lambda: tab.page.locator(".wire.lit").count() == 1, lambda: "the wire is not lit")
    assert tab.page.locator('.why strong.lit:text-is("dense_0.weights[1,2]")').count() == 1
    tab.press("NumPy")
    tab.page.locator(".why code").first.wait_for()
    tab.page.locator('.matrices [data-what="dense_0.weights[1,2]"]').hover()
    tab.shows(".why code.lit", "dweights = np.dot(inputs.T, dvalues)")


def test_a_sample_that_is_taken_out_changes_the_sum(tab: Tab) -> None:
    tab.open("A batch of three")
    tab.click("dense_0.weights[1,2]")
    whole = tab.why("dense_0.weights[1,2]")
    tab.page.locator(".strip button").nth(2).click()
    tab.derives("dense_0.weights[1,2]", whole - 2.7 * 3)
    tab.page.locator(".goal.reached").wait_for()


def test_a_weight_that_is_dragged_moves_the_loss_and_a_nudge_is_predicted(tab: Tab) -> None:
    tab.open("Softmax and its loss")
    tab.click("dense_0.weights[0,0]")
    tab.why("dense_0.weights[0,")
    tab.page.get_by_text("Move it along the loss").click()
    slider = tab.page.locator(".why input[type=range]")
    slider.wait_for()
    box = slider.bounding_box()
    y = box["y"] + box["height"] / 2
    tab.page.mouse.move(box["x"] + box["width"] / 2, y)
    tab.page.mouse.down()
    for share in (0.55, 0.65, 0.8):
        tab.page.mouse.move(box["x"] + share * box["width"], y)
    tab.page.mouse.up()

    def weight() -> float:
        return float(tab.session.work.setup.model.parameters["dense_0.weights"][0, 0])

    until(lambda: weight() == float(slider.input_value()) != 1.0, lambda: f"the weight is {weight()}")
    assert weight() > 1.1
    tab.derives("dense_0.weights[0,", tab.session.work.trace().gradients["dense_0.weights"][0, 0])
    tab.press("nudge by 0.001")
    tab.shows("#nudged", "measured")
    predicted, measured = re.findall(r"predicted (\S+), measured (\S+)", tab.text("#nudged"))[0]
    assert parsed(predicted) == pytest.approx(parsed(measured), rel=0.02)


def test_a_prediction_is_judged(tab: Tab) -> None:
    tab.open("Softmax and its loss")
    tab.click("dense_0[0,0]")
    tab.why("dense_0[0,")
    tab.press("Predict first")
    assert tab.text("#gradient") == "?"
    tab.shows(".unit.chosen text.gradient", "∂ ?")
    tab.page.get_by_label("Your prediction of the gradient").fill("-0.3")
    tab.press("Is it?")
    tab.shows("#verdict", "3 times too large")
    tab.page.get_by_label("Your prediction of the gradient").fill("-0.1")
    tab.press("Is it?")
    tab.shows("#gradient", "−0.1")
    assert tab.text("#verdict") == "Right."


def test_the_spiral_is_trained_until_its_loss_falls_and_the_run_is_scrubbed(tab: Tab) -> None:
    tab.open("The spiral")
    loss = tab.session.work.trace().loss
    tab.press("train")
    until(
        lambda: float(tab.text(".net h2").partition("loss ")[2].split()[0]) < 0.8 * loss,
        lambda: f"still {tab.text('.net h2')!r}",
        3 * PATIENCE,
    )
    tab.press("pause")
    tab.page.get_by_role("button", name="train", exact=True).wait_for()
    scrub = tab.page.get_by_label("The recorded training")
    scrub.focus()
    tab.key("Home")
    tab.shows(".net h2", "step 0")
    assert tab.session.work.trace().loss == pytest.approx(loss)
    before = tab.session.work.sample
    tab.page.locator(".data canvas").first.click(position={"x": 30, "y": 60})
    picker = tab.page.get_by_label("Sample of the batch")
    until(lambda: int(picker.input_value()) == tab.session.work.sample != before, lambda: "no other sample is chosen")


def test_what_is_broken_is_named_and_mended(tab: Tab) -> None:
    tab.open("The spiral")
    right = {name: np.array(value) for name, value in tab.session.work.trace().gradients.items()}
    tab.page.get_by_text("Break it").click()
    tab.press("Take ReLU's mask away")
    tab.shows("#report", "The gate is missing")
    tab.shows(".net h2", "broken on purpose")
    assert not np.allclose(tab.session.work.trace().gradients["dense_0.weights"], right["dense_0.weights"])
    tab.press("Mend it")
    until(lambda: "broken" not in tab.text(".net h2"), lambda: "it stays broken")
    assert np.allclose(tab.session.work.trace().gradients["dense_0.weights"], right["dense_0.weights"])


@pytest.mark.parametrize(
    ("how", "mistake", "line"),
    [
        ("Mean for sum", "It is divided by the batch size", "dweights=xp.matmul(inputs.T, dvalues),"),
        (
            "Forget the transpose",
            "It computes xp.matmul(dvalues, weights); the derivative is",
            "dinputs=xp.matmul(dvalues, weights.T),",
        ),
    ],
)
def test_every_break_is_named_with_its_mistake_and_the_line_that_mends_it(
    tab: Tab, how: str, mistake: str, line: str
) -> None:
    tab.open("A layer")
    tab.page.get_by_text("Break it").click()
    tab.press("Forget the transpose")
    tab.shows(".problem", "try it on Softmax and its loss")  # a way on, where the shapes would not fit
    tab.open("Softmax and its loss")
    tab.press(how)
    tab.shows("#report", mistake)
    tab.shows("#report", line)
    report = tab.page.locator("#report").bounding_box()
    assert report["y"] < 800  # it has come into view


CSV = "length,width,kind\n" + "".join(f"{1 + i % 7 / 7},{2 - i % 5 / 5},{'ab'[i % 2]}\n" for i in range(40))


def test_a_table_of_ones_own_is_shown_with_its_names(tab: Tab) -> None:
    tab.page.get_by_text("Data, network and training").click()
    tab.page.get_by_label("A CSV file of your own").set_input_files(
        {"name": "flowers.csv", "mimeType": "text/csv", "buffer": CSV.encode()}
    )
    tab.shows(".net h2", "flowers.csv")
    drawn = tab.page.locator("svg.network text").all_text_contents()
    assert {"length", "width", "a", "b"} <= set(drawn)


def test_a_file_that_is_no_table_is_refused_in_words(tab: Tab) -> None:
    tab.page.get_by_text("Data, network and training").click()
    tab.page.get_by_label("A CSV file of your own").set_input_files(
        {"name": "bad.csv", "mimeType": "text/csv", "buffer": b"a,b\n1,2\n"}
    )
    tab.shows(".problem", "bad.csv has too few rows")


def test_a_digit_that_is_drawn_is_read(tab: Tab) -> None:
    tab.open("Digits")
    box = tab.page.locator("canvas.paint").bounding_box()
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 20)
    tab.page.mouse.down()
    for share in np.linspace(0.2, 0.85, 30):
        tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + share * box["height"])
    tab.page.mouse.up()
    tab.shows("#read", "The network reads")
    tab.shows("#read", "The target is still ")
    assert tab.session.work.setup.X[tab.session.work.sample_row()].max() == 1.0
    tab.press("wipe")
    until(lambda: tab.text("#read") == "", lambda: f"what was drawn is wiped, and still {tab.text('#read')!r}")
    tab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    tab.page.mouse.down()
    tab.page.mouse.move(box["x"] + 1.5 * box["width"], box["y"] + box["height"] / 2)  # the stroke ends outside
    tab.page.mouse.up()
    tab.shows("#read", "The network reads")


def test_a_digit_is_drawn_with_the_keyboard_alone(tab: Tab) -> None:
    tab.open("Digits")
    tab.page.locator("canvas.paint").focus()
    for key in ("ArrowRight", "ArrowRight", *["ArrowDown", "Space"] * 3, "Enter"):
        tab.key(key)
    tab.shows("#read", "The network reads")
    drawn = tab.session.work.setup.X[tab.session.work.sample_row()].reshape(8, 8)
    assert np.argwhere(drawn).tolist() == [[1, 2], [2, 2], [3, 2]]
    assert tab.session.walk.position == -1  # the arrow keys were no steps
    for key in ("ArrowDown", "Space", "Enter"):  # the pen is where it was, though the canvas was drawn anew
        tab.key(key)

    def last() -> Any:
        return np.argwhere(tab.session.work.setup.X[tab.session.work.sample_row()].reshape(8, 8)).tolist()[-1]

    until(lambda: last() == [4, 2], lambda: f"the last pixel is {last()}")


def test_training_is_begun_and_paused_without_losing_the_focus(tab: Tab) -> None:
    def focused() -> str:
        return str(tab.page.evaluate("() => document.activeElement.textContent"))

    tab.open("The spiral")
    tab.page.get_by_role("button", name="train", exact=True).focus()
    for then in ("pause", "train"):
        tab.key("Enter")
        until(lambda then=then: focused() == then, lambda: f"the focus is on {focused()[:40]!r}")


def test_the_focus_stays_near_what_it_was_on_when_that_is_gone(tab: Tab) -> None:
    def focused() -> str:
        return str(tab.page.evaluate("() => document.activeElement.id || document.activeElement.ariaLabel"))

    tab.open("A batch of three")
    tab.click("dense_0.weights[1,2]")
    tab.why("dense_0.weights[1,2]")
    tab.page.locator(".strip button").nth(2).focus()
    tab.key("Enter")
    tab.page.locator(".goal.reached").wait_for()
    until(lambda: focused() == "pull-2", lambda: f"the focus is on {focused()}")
    offset = tab.page.evaluate("() => getComputedStyle(document.activeElement).outlineOffset")
    assert offset == "-2px"  # within the strip, which cuts off what lies outside
    tab.page.get_by_role("button", name="Next: Softmax and its loss").first.focus()
    tab.key("Enter")
    tab.shows(".net h2", "Softmax")
    until(lambda: focused() == "Data", lambda: f"the focus is on {focused()}")


def test_the_exported_page_works_with_the_network_off(tab: Tab, browser: Any, tmp_path: Path) -> None:
    tab.open("A batch of three")
    tab.page.get_by_label("Size of a step").select_option("batch")
    for _ in range(3):
        tab.key("ArrowRight")
    tab.shows(".net h2", "step 3")
    tab.page.get_by_text("Take it away").click()
    with tab.page.expect_download() as download:
        tab.press("offline page")
    path = tmp_path / "batch.html"
    download.value.save_as(path)
    context = browser.new_context(offline=True)
    away, asked = Tab(context.new_page(), tab.sessions), list[str]()
    away.page.on("request", lambda request: asked.append(request.url))
    away.page.goto(path.as_uri())
    away.page.locator('.unit[data-what="dense_0[0,1]"] rect').click()
    away.why("dense_0[0,1]")
    away.click("dense_0.weights[1,2]")
    whole = away.why("dense_0.weights[1,2]")
    assert away.page.locator(".strip button").count() == 3
    assert sum(parsed(words.split()[3]) for words in titles(away, ".strip button")) == pytest.approx(whole, rel=1e-2)
    assert away.page.locator(".matrices td.met").count() == 7  # a row of three, a column of three, the weight
    away.key("ArrowLeft")
    away.shows(".net h2", "step 2")
    away.page.get_by_label("The recorded training").focus()
    away.key("Home")
    away.shows(".net h2", "step 0")
    assert away.complaints == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    context.close()


def titles(tab: Tab, selector: str) -> list[str]:
    return list(tab.page.locator(selector).evaluate_all("all => all.map((one) => one.title)"))


def test_the_keyboard_alone_is_enough(tab: Tab) -> None:
    reached = []
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        here = tab.page.evaluate("() => document.activeElement.dataset?.what ?? document.activeElement.textContent")
        reached.append(here)
        if here == "dense_0[0,0]":
            tab.page.keyboard.press("Enter")
            break
    tab.derives("dense_0[0,0]", 1.0)
    assert "One neuron" in reached
    tab.key("ArrowRight")
    tab.shows(".stand", "Forward")
    tab.shows(".spoken", "forward, dense_0, unit 0")


def test_a_reload_finds_the_session_again(tab: Tab) -> None:
    tab.open("A layer")
    tab.key("ArrowRight")
    tab.shows(".stand", "stop 1 of")
    tab.page.reload()
    tab.shows(".stand", "stop 1 of")


def test_a_link_opens_the_lesson_with_its_controls(tab: Tab) -> None:
    asked = {"lesson": "spiral", "controls": {"sizes": [7], "rate": 0.5}}
    tab.page.goto(tab.page.url + "#" + json.dumps(asked))
    tab.page.reload()
    tab.shows(".net h2", "Spiral")

    def shape() -> tuple[int, ...]:
        return np.shape(tab.session.work.setup.model.parameters["dense_0.weights"])

    until(lambda: shape() == (2, 7), lambda: f"the first layer is {shape()}")
    assert "#" not in tab.page.url


SCROLLED = """() => [...document.querySelectorAll(".formula")].every(
    (one) => one.scrollWidth <= one.clientWidth || one.tabIndex === 0)"""  # by the keyboard


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, server: tuple[str, list[PlaySession]], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = browser.new_context(viewport={"width": 1360, "height": 900}, color_scheme=scheme)
    tab = Tab(context.new_page(), server[1])
    tab.page.goto(server[0])
    tab.page.wait_for_selector(".unit")
    tab.key("ArrowRight")
    tab.shows(".stand", "stop 1 of")
    tab.page.wait_for_function(SCROLLED)
    found = axe.run(tab.page).response["violations"]
    tab.open("The spiral")
    for opened in ("Data, network and training", "Take it away", "Break it"):
        tab.page.get_by_text(opened).click()
    tab.press("Take ReLU's mask away")
    tab.shows("#report", "The gate is missing")
    tab.page.get_by_label("Size of a step").select_option("batch")
    tab.press("One step on")
    tab.shows(".net h2", "step 1")
    tab.page.locator(".wire[data-what]").nth(2).dispatch_event("click")
    tab.page.get_by_text("Move it along the loss").click()
    tab.page.locator("svg.curve").wait_for()
    tab.page.wait_for_function(SCROLLED)
    found += axe.run(tab.page).response["violations"]
    context.close()
    wrong = [(one["id"], one["impact"], [node["html"][:120] for node in one["nodes"]]) for one in found]
    assert not [one for one in wrong if one[1] in ("serious", "critical")], wrong


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_out_of_a_phone(browser: Any, server: tuple[str, list[PlaySession]], scheme: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    phone = Tab(context.new_page(), server[1])
    phone.page.goto(server[0])
    phone.page.locator(".unit").first.wait_for()
    assert phone.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    context.close()


def test_on_a_phone_a_step_is_followed_and_what_it_derives_is_said(browser: Any, server: tuple[str, Any]) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    phone = Tab(context.new_page(), server[1])
    phone.page.goto(server[0])
    phone.page.locator(".unit").first.wait_for()
    phone.open("Softmax and its loss")
    for stop in range(1, 5):
        phone.press("One step on")
        phone.shows(".stand", f"stop {stop} of")
    until(
        lambda: phone.page.evaluate(
            """() => { const place = (one) => document.querySelector(one).getBoundingClientRect();
                const [unit, box] = [place(".unit.now"), place(".drawing")];
                return unit.left >= box.left && unit.right <= box.right; }"""
        ),
        lambda: "the loss is not in view",
    )
    phone.page.get_by_role("button", name="why ↓").click()
    until(lambda: phone.page.locator(".why h2").bounding_box()["y"] < 100, lambda: "the derivation is not in view")
    assert phone.page.evaluate("() => document.documentElement.scrollWidth") <= 390
    context.close()


def test_a_number_of_the_table_is_changed_with_the_keyboard_alone(tab: Tab) -> None:
    cell = tab.page.get_by_role("button", name="Change inputs[0,1], now −2")
    cell.focus()
    tab.key("Enter")
    tab.key("Control+a")
    tab.page.keyboard.type("4")
    tab.key("Enter")
    tab.shows("#unit-inputs-1 text.value", "4")
    tab.page.get_by_role("button", name="Change targets[0,0], now 1").focus()
    tab.key("Enter")
    tab.key("Escape")
    until(lambda: tab.page.locator("#edited").count() == 0, lambda: "the form stays")


def test_a_click_is_derived_while_the_spiral_trains(tab: Tab) -> None:
    tab.open("The spiral")
    tab.press("train")
    tab.shows(".stand", "Training.")
    for unit in range(3):
        what = tab.page.evaluate(
            """(unit) => { const wires = [...document.querySelectorAll('.wire[data-what^="dense_1.weights"]')];
                const wire = wires.find((one) => one.dataset.what.endsWith(`,${unit}]`));
                wire.dispatchEvent(new Event("click", { bubbles: true }));
                return wire.dataset.what; }""",
            unit,
        )
        tab.why(what)
        assert tab.session.running.on
    tab.press("pause")


def test_predict_first_asks_for_the_next_number_on_the_way_forward_and_back(tab: Tab) -> None:
    tab.key("ArrowRight")
    tab.shows(".stand", "stop 1 of")
    tab.press("Predict first")
    tab.shows("#unit-dense_0-0 text.value", "?")
    tab.page.get_by_label("Your prediction of the value").fill("5")
    tab.press("Is it?")
    tab.shows("#verdict", "One of the 4 terms is missing: 1.")
    assert "6" not in tab.text(".why")
    tab.page.get_by_label("Your prediction of the value").fill("6")
    tab.press("Is it?")
    tab.shows("#unit-dense_0-0 text.value", "6")
    tab.press("One step on")
    tab.shows("#unit-relu_0-0 text.value", "?")  # the next one is hidden without being asked
    tab.press("Show it")
    tab.shows("#unit-relu_0-0 text.value", "6")
    tab.press("One step on")
    tab.shows("#gradient", "?")


@pytest.mark.parametrize("mode", ["weight", "gradient", "update"])
def test_the_wires_show_what_is_chosen(tab: Tab, mode: str) -> None:
    tab.open("Softmax and its loss")
    tab.press(mode)
    (wire,) = [wire for wire in tab.session.view()["network"]["wires"] if "parameter" in wire]
    numbers = [number for line in wire[mode] for number in line]
    shown = tab.page.locator(".label").all_text_contents()
    assert len(shown) == len(numbers) == 9
    assert all(same(text, number) for text, number in zip(shown, numbers, strict=True))


def test_a_number_is_named_and_changed_with_the_keyboard_alone(tab: Tab) -> None:
    tab.open("The spiral")
    named = tab.page.get_by_label("The name of a number")
    named.focus()
    tab.page.keyboard.type("dense_0.weights[1,63]")  # which is not drawn
    tab.key("Enter")
    tab.derives("dense_0.weights[y,63]", tab.session.work.trace().gradients["dense_0.weights"][1, 63])
    value = tab.page.get_by_label("Value of dense_0.weights[1,63], to be changed")
    value.focus()
    tab.key("Control+a")
    tab.page.keyboard.type("0.75")
    tab.key("Enter")

    def weight() -> float:
        return float(tab.session.work.model.parameters["dense_0.weights"][1, 63])

    until(lambda: weight() == 0.75, lambda: f"the weight is {weight()}")
    tab.derives("dense_0.weights[y,63]", tab.session.work.trace().gradients["dense_0.weights"][1, 63])
    named.fill("dense_9[0]")
    named.press("Enter")
    tab.shows(".problem", "Did you mean 'dense_1'?")


def test_a_badge_opens_its_proof(tab: Tab) -> None:
    tab.open("A layer")
    tab.session.handle({"type": "set", "what": "dense_0.biases[0,2]", "value": -50.0})
    tab.shows(".badge", "1 dead")
    tab.page.locator(".badge").click()
    tab.derives("relu_0[0,2]", 1.0)
    tab.press("Prove it")
    tab.shows("#proof", "ways agree")


def test_a_number_that_is_no_number_any_more_has_a_badge_and_its_proof_says_where_it_began(tab: Tab) -> None:
    tab.page.get_by_text("Data, network and training").click()
    tab.page.get_by_label("Data set").select_option("diabetes")
    tab.shows(".net h2", "Diabetes")
    tab.page.get_by_label("optimizer").select_option("sgd")
    tab.page.get_by_label("learning rate").fill("1000")
    tab.press("Begin anew")
    tab.page.get_by_label("Size of a step").select_option("batch")
    for step in range(1, 5):
        tab.press("One step on")
        tab.shows(".net h2", f"step {step}")
    tab.shows(".net h2", "loss not finite")
    for badge in ("NaN", "infinite"):
        tab.page.locator(f".badge:text-is('{badge}')").first.click()
        tab.shows(".why", "The first such number is the loss of sample")
        tab.shows(".why", "dense_0: up to")
        tab.shows(".why", "loss: not finite any more")
    tab.press("train")
    tab.shows(".problem", "Lower the learning rate (1000 now)")  # a way on
    tab.page.get_by_label("Size of a step").select_option("batch")
    tab.press("One step back")
    until(lambda: "not finite" not in tab.text(".net h2"), lambda: "the step is not taken back")


def test_the_caps_are_stated_and_what_is_beyond_them_is_refused_in_words(
    tab: Tab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setups, "TABLE", 2**20)
    tab.open("The spiral")
    tab.page.get_by_text("Data, network and training").click()
    tab.shows("#controls", "At most 6 layers of 1,024 neurons and 2,000,000 parameters")
    tab.shows("#controls", "a run ends after 100,000 epochs; a table has at most 1 MB.")
    sizes = tab.page.get_by_label("neurons of the layers")
    for asked, says in (("5000", "whole numbers from 1 to 1,024"), ("1024, 1024, 1024", "up to 2,000,000")):
        sizes.fill(asked)
        tab.press("Begin anew")
        tab.shows(".problem", says)
    large = {"name": "large.csv", "mimeType": "text/csv", "buffer": b"a,b\n" + b"1,2\n" * 300_000}
    tab.page.get_by_label("A CSV file of your own").set_input_files(large)
    tab.shows(".problem", "large.csv has 1.1 MB, and the page takes 1 MB")


def test_a_table_is_the_last_lesson_and_its_goal_is_seen(tab: Tab) -> None:
    tab.open("Your table")
    tab.page.get_by_label("A CSV file of your own").first.set_input_files(
        {"name": "flowers.csv", "mimeType": "text/csv", "buffer": CSV.replace("length", "length of the petal").encode()}
    )
    tab.shows(".net h2", "flowers.csv")
    tab.shows(".data .file", "flowers.csv is open")
    tab.shows(".data select", "flowers.csv")
    tab.shows("svg.network", "length of the p…")
    tab.page.get_by_text("Data, network and training").click()
    tab.page.get_by_label("neurons of the layers").fill("5")
    tab.press("Begin anew")
    until(lambda: tab.session.work.setup.sizes == (5,), lambda: "nothing is begun anew")
    tab.shows(".goal", "Train on your table.")
    until(lambda: tab.page.evaluate("document.activeElement.textContent") == "Begin anew", lambda: "the focus is lost")
    tab.press("train")
    tab.page.locator(".goal.reached").wait_for()
    tab.shows(".goal", "That was the last lesson.")
    tab.shows("#curves summary", "loss and accuracy are of 32 samples")
    tab.press("pause")


def test_the_link_holds_the_lesson_and_its_controls_and_no_secret(tab: Tab) -> None:
    tab.open("The spiral")
    tab.page.get_by_text("Take it away").click()
    tab.press("link")
    tab.shows("#takeaway", "copied")
    state = json.loads(unquote(tab.page.url.partition("#")[2]))
    assert state["lesson"] == "spiral"
    assert state["controls"]["sizes"] == [64]
    assert "token" not in tab.page.url
    tab.page.reload()
    tab.page.wait_for_selector(".unit")
    assert tab.page.url.endswith(tab.page.url.partition("#")[2])  # it is the session's own: nothing is opened anew


def test_a_link_opens_the_trained_weights_on_another_page(tab: Tab) -> None:
    tab.open("The spiral")
    tab.page.get_by_label("Size of a step").select_option("batch")
    tab.press("One step on")
    tab.shows(".net h2", "step 1")
    tab.page.locator('.wire[data-what^="dense_1.weights"]').first.dispatch_event("click")
    until(lambda: tab.text("#gradient") != "", lambda: "nothing is derived")
    weights = np.array(tab.session.work.model.parameters["dense_0.weights"])
    tab.page.get_by_text("Take it away").click()
    tab.press("link")
    until(lambda: "#" in tab.page.evaluate("() => location.href"), lambda: "no link stands in the address")
    link, gradient = tab.page.url, tab.text("#gradient")
    tab.open("One neuron")
    tab.page.evaluate("(link) => { location.href = link; }", link.replace("#", "#%20"))  # another text, the same state
    tab.shows(".net h2", "Spiral")
    tab.shows("#gradient", gradient)
    assert np.array_equal(tab.session.work.model.parameters["dense_0.weights"], weights)
    assert "#" not in tab.page.url
    tab.page.evaluate("() => { location.hash = 'cut off%'; }")
    tab.shows(".problem", "copy it whole")


def test_nothing_on_the_page_moves_by_itself(tab: Tab) -> None:
    tab.open("The spiral")
    tab.press("One step on")
    tab.shows(".stand", "stop 1 of")
    assert tab.page.evaluate("() => document.getAnimations().length") == 0


def test_a_page_whose_server_is_gone_says_what_to_do(browser: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_pages(monkeypatch) as (address, sessions):
        context = browser.new_context()
        tab = Tab(context.new_page(), sessions)
        tab.page.goto(address)
        tab.page.wait_for_selector(".unit")
    tab.shows(".problem", "Start it again and open the new address that it prints")
    tab.press("One step on")
    tab.shows(".problem", "Start it again")  # what cannot be sent does not hide why
    context.close()


WIDGET = """(text) => import(URL.createObjectURL(new Blob([text], { type: "text/javascript" }))).then((module) => {
    const model = { on: (_, then) => { window.tell = then; }, send: (message) => window.ask(message) };
    window.leave = module.default.render({ model, el: document.body }); })"""

# VS Code shows a notebook's outputs in a sandboxed frame. Its policy below is the stricter of the two that it has, but
# for blob:, by which anywidget brings in every module.
VSCODE = """<meta http-equiv="Content-Security-Policy" content="default-src 'none';
    script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; img-src https: http: data:;
    font-src https:; connect-src https:; child-src https: data:"><body class="vscode-dark">"""


@pytest.mark.parametrize("where", ["page", "VS Code"])
def test_the_same_module_is_the_widget(browser: Any, where: str) -> None:
    lesson = next(one for one in LESSONS if one.name == "softmax").build()
    told, asked = list[dict[str, Any]](), list[str]()
    session = PlaySession(lesson, told.append)
    context = browser.new_context()
    tab = Tab(context.new_page(), [session])
    tab.page.expose_function("ask", session.handle)
    page: Any = tab.page
    if where == "VS Code":
        frame = f'<iframe sandbox="allow-scripts allow-forms" srcdoc="{html.escape(VSCODE)}" width=900 height=700>'
        tab.page.set_content(frame)
        page = tab.page.frames[1]
    tab.page.on("request", lambda request: asked.append(request.url))
    page.evaluate(WIDGET, script())
    style = "(text) => { const one = document.createElement('style'); one.append(text); document.head.append(one); }"
    page.evaluate(style, (files("chainrule.play") / "static" / "play.css").read_text(encoding="utf-8"))

    def answered() -> Any:  # what a notebook passes on
        page.wait_for_timeout(20)
        while told:
            page.evaluate("(message) => window.tell(message)", told.pop(0))
        return page.locator(".widget #gradient")

    until(lambda: answered() and page.locator(".widget .unit").count() > 0, lambda: "no network is drawn")
    page.locator('.wire[data-what="dense_0.weights[0,1]"]').dispatch_event("click")
    until(lambda: answered().count() > 0, lambda: "nothing is derived")
    gradient = session.work.trace().gradients["dense_0.weights"][0, 1]
    assert parsed(page.locator("#gradient").inner_text()) == pytest.approx(gradient, rel=1e-5)
    page.get_by_role("button", name="One step on").click()
    until(lambda: answered() and page.locator("#stand").count() > 0, lambda: "no step is taken")
    dark = page.evaluate("() => getComputedStyle(document.querySelector('.cr-play')).colorScheme")
    assert dark == ("dark" if where == "VS Code" else "normal")  # as what is around it
    page.evaluate("() => window.leave()")
    assert page.locator(".cr-play").count() == 0
    assert tab.complaints == []
    assert [url for url in asked if not url.startswith(("blob:", "data:"))] == []
    context.close()


def test_the_module_imports_nothing_and_exports_what_anywidget_reads() -> None:
    text = script()
    assert not re.search(r"^\s*import\b|\bimport\(", text, re.MULTILINE)
    assert re.search(r"^export default \{\n  render\(\{ model, el \}\)", text, re.MULTILINE)
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/2000/svg"]  # a name, which nobody opens
