"""The session behind the page, without a browser: what it tells, against the library's numbers."""

from __future__ import annotations

import base64
import gzip
import json
import math
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import Model, loss_and_gradients
from chainrule.errors import ChainruleError, DataError
from chainrule.play import linking, offline, pages
from chainrule.play.lessons import LESSONS, Setup
from chainrule.play.messages import ASKED, TOLD
from chainrule.play.script import script
from chainrule.play.session import PlaySession
from chainrule.play.walk import UNITS

every_lesson = pytest.mark.parametrize("lesson", [lesson.name for lesson in LESSONS])


class Page:
    """What a page would have received; every message must be JSON without NaN."""

    def __init__(self, lesson: str, setup: Setup | None = None) -> None:
        self.told: list[dict[str, Any]] = []
        found = next(one for one in LESSONS if one.name == lesson)
        self.session = PlaySession(setup or found.build(), self._hear)
        self.session.lesson = lesson

    def _hear(self, message: dict[str, Any]) -> None:
        self.told.append(json.loads(json.dumps(message, allow_nan=False)))
        assert message["type"] in TOLD

    def ask(self, kind: str, **fields: Any) -> dict[str, dict[str, Any]]:
        """The last answer of each type."""
        self.told.clear()
        self.session.handle({"type": kind, **fields})
        return {message["type"]: message for message in self.told}

    def model(self) -> Model:
        return self.session.work.setup.model

    def gradients(self) -> dict[str, Any]:
        model, (X, y) = self.model(), self.session.work.samples()
        return dict(loss_and_gradients(model.network, model.loss, model.parameters, X, y)[1])

    def units(self, view: dict[str, Any]) -> dict[str, dict[int, dict[str, Any]]]:
        return {node["name"]: {u["unit"]: u for u in node["units"]} for node in view["network"]["nodes"]}


@every_lesson
def test_what_the_page_shows_is_what_the_library_computes(lesson: str) -> None:
    page = Page(lesson)
    view = page.ask("look")["view"]
    trace = page.session.work.trace()
    place = page.session.work.place()
    for name, units in page.units(view).items():
        if name in ("inputs", "loss"):
            continue
        for at, unit in units.items():
            assert unit["value"] == trace[name].output[place, at]
            assert unit["gradient"] == trace[name].dvalues[place, at]
    gradients = page.gradients()
    for wire in view["network"]["wires"]:
        if "parameter" in wire and wire["sources"]:
            part = np.ix_(wire["sources"], wire["readers"])
            assert np.array_equal(wire["weight"], page.model().parameters[wire["parameter"]][part])
            assert np.allclose(wire["gradient"], gradients[wire["parameter"]][part], rtol=1e-12)
            assert np.allclose(np.add(wire["weight"], wire["update"]), wire["after"], rtol=1e-12)


@pytest.mark.parametrize(
    ("lesson", "unit"),
    [(one.name, unit) for place, one in enumerate(LESSONS) for unit in (UNITS if place < 4 else ("layer", "batch"))],
)
def test_a_walk_by_each_unit_ends_in_the_update_that_training_makes(lesson: str, unit: str) -> None:
    page, other = Page(lesson), Page(lesson)
    X, y = other.session.work.samples()
    other.model().fit(X, y, epochs=1, batch_size=len(X), shuffle=False, verbose=False, engine="numpy")
    phases = []
    for _ in range(400):
        told = page.ask("go", unit=unit, way=1)
        if told["view"]["step"] == 1:
            break
        moment = told["view"]["walk"]["moment"]
        phases += [moment["phase"]] if phases[-1:] != [moment["phase"]] else []
        assert told["why"]["here"] or moment["phase"] == "update"
        assert told["why"]["phase"] == moment["phase"]
    else:
        pytest.fail("the walk does not end")
    if unit != "batch":
        assert phases == ["forward", *([] if page.session.work.setup.upstream else ["loss"]), "backward", "update"]
    for name, value in other.model().parameters.items():
        assert np.array_equal(page.model().parameters[name], value)


def test_a_step_of_one_multiplication_stops_at_each_term_of_a_sum() -> None:
    page = Page("neuron")
    terms = [page.ask("go", unit="multiplication", way=1)["why"]["term"] for _ in range(5)]
    assert terms == [0, 1, 2, 3, 0]  # three products and the bias, then the next node


def test_a_walk_goes_back_the_way_it_came() -> None:
    page = Page("layer")
    on = [page.ask("go", unit="node", way=1)["view"]["walk"]["position"] for _ in range(8)]
    back = [page.ask("go", unit="node", way=-1)["view"]["walk"]["position"] for _ in range(8)]
    assert back == [*reversed(on[:-1]), -1]


def test_a_step_can_be_undone() -> None:
    page = Page("neuron")
    before = {name: np.array(value) for name, value in page.model().parameters.items()}
    page.ask("go", unit="batch", way=1)
    assert any(not np.array_equal(value, before[name]) for name, value in page.model().parameters.items())
    page.ask("go", unit="batch", way=-1)
    assert all(np.array_equal(value, before[name]) for name, value in page.model().parameters.items())


@every_lesson
def test_a_chosen_weight_is_derived_proved_and_drawn_along_its_loss(lesson: str) -> None:
    page = Page(lesson)
    what = "dense_0.weights[1,0]"
    why = page.ask("choose", what=what, notation="calculus")["why"]
    gradient = page.gradients()["dense_0.weights"][1, 0]
    assert why["of"] == what
    assert why["gradient"] == pytest.approx(gradient, rel=1e-9, abs=1e-15)
    assert why["strip"]["sum"] == pytest.approx(gradient, rel=1e-9, abs=1e-15)
    assert why["update"]["after"] == pytest.approx(why["update"]["before"] + update_of(page, what), rel=1e-9)
    verdicts = [one["agrees"] for one in page.ask("proof", what=what)["proof"]["witnesses"]]
    assert verdicts.count(True) >= 3
    assert False not in verdicts  # None: too many operations to go through by number
    curve = page.ask("curve", what=what)["curve"]
    assert len(curve["points"]) == 41
    nudged = page.ask("nudge", what=what, by=1e-5)["nudged"]
    assert nudged["measured"] == pytest.approx(nudged["predicted"], rel=1e-2, abs=1e-12)


def update_of(page: Page, what: str) -> float:
    wires = page.ask("look")["view"]["network"]["wires"]
    wire = next(one for one in wires if one.get("parameter") == what.partition("[")[0])
    if wire["sources"] and 1 in wire["sources"] and 0 in wire["readers"]:
        return float(wire["update"][wire["sources"].index(1)][wire["readers"].index(0)])
    model, run = page.model(), page.model().run
    gradients = {name: page.gradients()[name] for name in run.trained}
    after, _ = model.optimizer.update(np, run.step, run.trained, gradients, run.slots)
    return float(after["dense_0.weights"][1, 0] - run.trained["dense_0.weights"][1, 0])


def test_a_sample_that_is_taken_out_takes_its_pull_with_it() -> None:
    page = Page("batch")
    whole = page.ask("choose", what="dense_0.weights[0,0]")["why"]["strip"]
    told = page.ask("take_out", row=2, out=True)
    assert told["why"]["gradient"] == pytest.approx(sum(whole["pulls"][:2]))
    assert told["view"]["reached"]
    assert page.ask("take_out", row=2, out=False)["why"]["gradient"] == pytest.approx(whole["sum"])
    page.ask("take_out", row=0, out=True)
    page.ask("take_out", row=1, out=True)
    with pytest.raises(ChainruleError, match="One sample must stay"):
        page.ask("take_out", row=2, out=True)


def test_a_sum_in_place_of_the_mean_makes_the_gradient_larger_by_the_number_of_samples() -> None:
    page = Page("softmax")
    mean = page.ask("choose", what="dense_0.weights[0,0]")["why"]["gradient"]
    assert page.ask("reduction", to="sum")["why"]["gradient"] == pytest.approx(3 * mean)
    assert page.ask("reduction", to="mean")["why"]["gradient"] == pytest.approx(mean)


def test_a_sum_with_the_rate_divided_by_the_samples_makes_the_same_step_as_the_mean() -> None:
    mean, total = Page("softmax"), Page("softmax")
    assert total.ask("reduction", to="sum", divided=True)["view"]["batch"]["divided"]
    for page in (mean, total):
        page.ask("go", unit="batch", way=1)
    for name, value in mean.model().parameters.items():
        assert np.allclose(total.model().parameters[name], value, rtol=1e-12)
    assert total.ask("reduction", to="mean")["view"]["controls"]["rate"] == pytest.approx(1.0)


@every_lesson
def test_the_row_and_the_column_that_meet_are_those_of_the_layer(lesson: str) -> None:
    page = Page(lesson)
    matrix = page.ask("choose", what="dense_0.weights[1,0]")["why"]["matrix"]
    through = page.session.work.trace()["dense_0"]
    rows, columns, samples = matrix["rows"], matrix["columns"], matrix["samples"]
    assert matrix["at"] == [1, 0]
    assert {1} <= set(rows)
    assert {0} <= set(columns)
    assert np.array_equal(matrix["inputs"], through.inputs[samples][:, rows].T)
    assert np.array_equal(matrix["dvalues"], through.dvalues[samples][:, columns])
    assert np.array_equal(matrix["dweights"], through.gradients["weights"][np.ix_(rows, columns)])
    assert matrix["sizes"] == [through.inputs.shape[1], len(through.inputs), through.dvalues.shape[1]]


def test_every_term_names_what_it_is_made_of() -> None:
    page = Page("layer")
    steps = {step["what"]: step for step in page.ask("choose", what="dense_0.weights[3,1]")["why"]["steps"]}
    assert steps["dense_0.weights[3,1]"]["terms"][0]["lights"] == ["dense_0[0,1]", "inputs[0,3]"]
    steps = {step["what"]: step for step in page.ask("choose", what="inputs[0,2]")["why"]["steps"]}
    lights = sorted(term["lights"] for term in steps["inputs[0,2]"]["terms"])
    assert lights == [[f"dense_0[0,{unit}]", f"dense_0.weights[2,{unit}]"] for unit in range(3)]


def test_each_neuron_has_a_map_of_the_plane() -> None:
    page = Page("spiral")
    surface = page.ask("look")["data"]["surface"]
    maps, side = surface["maps"], surface["maps"]["side"]
    levels = np.frombuffer(base64.b64decode(maps["nodes"]["dense_0"]), dtype=np.int8).reshape(64, side, side)
    a, b = (np.linspace(surface["low"][i], surface["high"][i], side) for i in (0, 1))
    values = page.model().parameters
    exact = a[None, :, None] * values["dense_0.weights"][0] + b[:, None, None] * values["dense_0.weights"][1]  # (y,x,N)
    exact = 127 * exact / np.abs(exact).max(axis=(0, 1))
    assert np.abs(levels - exact.transpose(2, 0, 1)).max() <= 0.51


def test_numbers_can_be_changed_and_all_that_depends_on_them_follows() -> None:
    page = Page("neuron")
    view = page.ask("set", what="dense_0.weights[0,0]", value=-2.0)["view"]
    assert page.units(view)["relu_0"][0]["value"] == 7.0
    view = page.ask("set", what="inputs[0,2]", value=4.0)["view"]
    assert page.units(view)["relu_0"][0]["value"] == 9.0
    for wrong in ("dense_0.weights[9,9]", "inputs[0,7]", "inputs[9,0]", "inputs", "nothing[0,0]", "inputs[0]", "x["):
        with pytest.raises(ChainruleError):
            page.ask("set", what=wrong, value=1.0)


def test_a_guess_on_the_way_forward_is_of_the_number_itself() -> None:
    page = Page("neuron")

    def says(what: str, value: float) -> str:
        return str(page.ask("guess", what=what, value=value, of="value")["guessed"]["says"])

    assert says("dense_0[0,0]", 6.0) == "Right."
    assert says("dense_0[0,0]", 5.0) == "One of the 4 terms is missing: 1."  # the bias
    assert says("dense_0[0,0]", 2.0) == "One of the 4 terms has its sign turned: it is 2."
    assert says("dense_0[0,0]", -6.0) == "The sign is turned."
    page.ask("set", what="inputs[0,2]", value=0.0)
    page.ask("set", what="dense_0.weights[0,0]", value=-9.0)
    assert says("relu_0[0,0]", -6.0) == "ReLU makes 0 of what is below 0."


def test_the_gradient_that_arrives_can_be_changed() -> None:
    page = Page("neuron")
    page.ask("set", what="targets[0,0]", value=3.0)
    assert page.ask("choose", what="dense_0.weights[2,0]")["why"]["gradient"] == 9.0


@pytest.mark.parametrize(
    ("badge", "changes"),
    [
        ("dead", {"dense_0.biases[0,1]": -100.0}),
        ("vanishing", {f"dense_1.weights[{i},{j}]": 1e-9 for i in range(4) for j in range(3)}),
        ("exploding", {f"dense_1.weights[{i},{j}]": 1e8 * (1 - j) for i in range(4) for j in range(3)}),
    ],
)
def test_what_is_wrong_with_a_layer_is_marked_and_leads_to_its_proof(badge: str, changes: dict[str, float]) -> None:
    page = Page("spiral")
    page.ask("controls", sizes=[4])
    for what, value in changes.items():
        page.session.work.set(what, value)
    marks = [one for one in page.ask("look")["view"]["network"]["badges"] if one["badge"] == badge]
    assert marks
    assert page.ask("choose", what=marks[0]["what"])["why"]["of"] == marks[0]["what"]
    verdicts = [one["agrees"] for one in page.ask("proof", what=marks[0]["what"])["proof"]["witnesses"]]
    assert True in verdicts


def test_saturated_units_are_marked() -> None:
    page = Page("spiral")
    page.ask("controls", sizes=[4], activation="tanh")
    page.session.work.set("dense_0.biases[0,2]", 50.0)
    marks = page.ask("look")["view"]["network"]["badges"]
    assert [(one["badge"], one["units"]) for one in marks] == [("saturated", [2])]


def diverged() -> Page:
    """A regression whose learning rate is far too large, after the steps that it takes to infinity."""
    page = Page("neuron")
    page.ask("dataset", name="diabetes")
    page.ask("controls", optimizer="sgd", rate=1000.0, sizes=[8])
    for _ in range(4):
        page.ask("go", unit="batch", way=1)
    return page


def test_numbers_that_are_not_finite_are_marked_and_lead_to_how_they_grew() -> None:
    page = diverged()
    view = page.ask("look")["view"]
    marks = {(one["node"], one["badge"]): one["what"] for one in view["network"]["badges"]}
    assert {("loss", "infinite"), ("dense_0", "NaN")} <= marks.keys()
    for what in marks.values():
        why = page.ask("choose", what=what)["why"]
        assert (why["of"], why["kind"], why["gradient"]) == (what, "lost", None)
        assert "= inf: MeanSquaredError gives it where dense_1 reaches" in why["answer"]
        assert why["notes"][-1] == "loss: not finite any more"
        assert [note.partition(":")[0] for note in why["notes"]] == ["inputs", "dense_0", "relu_0", "dense_1", "loss"]
    assert page.ask("go", unit="node", way=1)["why"]["kind"] == "lost"
    assert len(view["frames"]["curves"]["loss"]) == 5
    with pytest.raises(ChainruleError, match="Lower the learning rate"):
        page.ask("go", unit="batch", way=1)
    assert page.ask("go", unit="batch", way=-1)["view"]["network"]["loss"] is not None  # which can be undone


def test_a_run_into_infinity_is_recorded_whole() -> None:
    page = diverged()
    for what in ("dense_0.weights[0,0]", "dense_1.weights[0,0]", "inputs[0,0]"):
        page.ask("set", what=what, value=9e99)  # a step from here would leave the numbers that there are
    with np.errstate(all="ignore"):
        record = json.loads(json.dumps(offline.recorded(page.session._apart()), allow_nan=False))
    assert len(record["views"]) == len(record["whys"]) == 8


def test_targets_that_are_numbers_can_be_changed_and_classes_cannot() -> None:
    page = Page("neuron")
    page.ask("dataset", name="diabetes")
    page.ask("set", what="targets[0,0]", value=2.5)
    assert page.session.work.setup.y[page.session.work.rows[0], 0] == 2.5
    with pytest.raises(ChainruleError):
        Page("softmax").ask("set", what="targets[0,0]", value=2.0)


def test_the_chosen_sample_is_among_the_rows_and_all_rows_are_of_the_batch() -> None:
    for lesson in ("digits", "table"):
        page = Page(lesson)
        batch = page.session.work.batch
        for place in (0, 1, len(batch) - 1):
            rows = page.ask("sample", place=place)["data"]["rows"]
            assert batch[place] in rows
            assert set(rows) <= set(batch)


def test_a_guess_is_told_how_far_off_it_is_and_why() -> None:
    page = Page("softmax")
    right = page.ask("choose", what="dense_0[0,0]")["why"]["gradient"]  # (0.7 - 1) / 3
    assert right == pytest.approx(-0.1)
    assert page.ask("guess", what="dense_0[0,0]", value=-0.1)["guessed"]["close"]
    assert "3 times too large" in page.ask("guess", what="dense_0[0,0]", value=-0.3)["guessed"]["says"]
    assert "sign" in page.ask("guess", what="dense_0[0,0]", value=0.1)["guessed"]["says"]
    assert page.ask("look")["view"]["reached"]


def trained(page: Page, below: float = math.inf) -> float:
    """Train until the loss is below something, for a minute at most."""
    page.ask("play", on=True)
    end = time.monotonic() + 60.0
    while (loss := page.session.work.frames.now.measured["loss"]) >= below and time.monotonic() < end:
        time.sleep(0.02)
    page.ask("play", on=False)
    return float(loss)


def test_the_spiral_is_learned_and_the_run_can_be_gone_through_again() -> None:
    page = Page("spiral")
    first = page.session.work.trace().loss
    assert trained(page, 0.6 * first) < 0.6 * first
    count = page.ask("look")["view"]["frames"]["count"]
    view = page.ask("seek", frame=0)["view"]
    assert (view["frames"]["position"], view["step"]) == (0, 0)
    assert page.session.work.trace().loss == pytest.approx(first)
    assert page.ask("seek", frame=count - 1)["view"]["step"] > 0


def test_a_click_is_answered_while_the_network_trains() -> None:
    page = Page("spiral")
    page.ask("play", on=True)
    try:
        page.session.handle({"type": "choose", "what": "dense_0.weights[1,20]"})
        assert any(message["type"] == "why" for message in list(page.told))
    finally:
        page.ask("play", on=False)


@pytest.mark.parametrize(("how", "named"), [("relu", "gate"), ("mean", "batch size"), ("transpose", "weights.T")])
def test_a_broken_network_has_other_gradients_and_check_names_the_mistake(how: str, named: str) -> None:
    page = Page("spiral")
    page.ask("controls", sizes=[8, 8])
    right = page.gradients()
    told = page.ask("break", how=how)
    assert named in told["checked"]["report"]
    assert told["view"]["broken"] == how
    wrong = page.gradients()
    assert any(not np.allclose(wrong[name], right[name]) for name in right)
    assert trained(page) > 0
    page.ask("seek", frame=0)
    page.ask("break", how=None)
    mended = page.gradients()
    assert all(np.allclose(mended[name], right[name]) for name in right)


def test_what_cannot_be_broken_is_said_and_nothing_changes() -> None:
    page = Page("spiral")
    with pytest.raises(ChainruleError, match="two hidden layers"):
        page.ask("break", how="transpose")
    with pytest.raises(ChainruleError, match="no way to break"):
        page.ask("break", how="nonsense")
    with pytest.raises(ChainruleError, match="Softmax and its loss"):
        Page("layer").ask("break", how="transpose")
    assert page.ask("look")["view"]["broken"] is None


def test_controls_build_another_network() -> None:
    page = Page("spiral")
    asked = dict(sizes=[5, 4], activation="tanh", optimizer="sgd", rate=0.1, batch_size=16, noise=0.1, seed=3)
    view = page.ask("controls", **asked, penalty=0.001, dropout=0.1)["view"]
    assert {name: view["controls"][name] for name in asked} == asked
    assert page.model().parameters["dense_1.weights"].shape == (5, 4)
    with pytest.raises(ChainruleError, match="parameters"):
        page.ask("controls", sizes=[1024, 1024, 1024])
    with pytest.raises(ChainruleError):
        page.ask("controls", activation="nonsense")
    with pytest.raises(ChainruleError):
        page.ask("controls", optimizer="nonsense")


@pytest.mark.parametrize(
    ("data", "loss"),
    [("moons", "softmax_crossentropy"), ("iris", "categorical_crossentropy"), ("diabetes", "huber"), ("sine", None)],
)
def test_a_data_set_and_a_loss_are_chosen_on_the_page_and_train(data: str, loss: str | None) -> None:
    page = Page("neuron")
    assert page.ask("dataset", name=data)["view"]["controls"]["data"] == data
    view = page.ask("controls", sizes=[4], **({} if loss is None else {"loss": loss}))["view"]
    assert view["controls"]["loss"] == loss or view["controls"]["loss"] == "mean_squared_error"
    told = page.ask("choose", what="dense_0.weights[0,0]")["why"]
    assert told["gradient"] == pytest.approx(page.gradients()["dense_0.weights"][0, 0], rel=1e-9, abs=1e-15)
    page.ask("go", unit="batch", way=1)
    assert b"datasets.resolve" in content(page.ask("take", what="code"))
    with pytest.raises(ChainruleError):
        page.ask("controls", loss="nonsense")
    with pytest.raises(ChainruleError, match="no data set"):
        page.ask("dataset", name="/etc/passwd")


CSV = "length,width,kind\n" + "".join(f"{1 + i % 7 / 7},{2 - i % 5 / 5},{'ab'[i % 2]}\n" for i in range(40))


def test_a_table_of_ones_own_has_its_own_names() -> None:
    page = Page("neuron")
    told = table(page, "flowers.csv", CSV.encode(), target="kind")
    assert told["view"]["title"] == "flowers.csv"
    assert (told["data"]["features"], told["data"]["classes"]) == (["length", "width"], ["a", "b"])
    for text in (b"", b"no table", b"a,b\n1,2\n", b"a;b\n", bytes(range(256)), b"PK\x03\x04", b"{}", b",,,\n,,,\n"):
        for name in ("bad.csv", "../bad.xlsx", "/etc/bad.parquet"):
            with pytest.raises(ChainruleError) as refused:
                table(page, name, text)
            assert "table." not in str(refused.value)  # the name under which it was written for the reader
    with pytest.raises(ChainruleError, match="did not arrive whole"):
        page.ask("table", name="bad.csv", content="?")
    assert page.ask("look")["view"]["title"] == "flowers.csv"  # what failed has changed nothing


def table(page: Page, name: str, content: bytes, **more: str) -> dict[str, dict[str, Any]]:
    return page.ask("table", name=name, content=base64.b64encode(content).decode(), **more)


def test_a_table_from_another_country_with_gaps_and_words_is_read() -> None:
    page = Page("table")
    rows = "".join(f"{i},5;{'' if i % 7 == 0 else i % 3};{['süß', 'bitter'][i % 2]}\n" for i in range(60))
    for encoding in ("utf-8", "cp1252", "utf-16"):
        told = table(page, "geschmäcke.csv", f"größe;stufe;geschmack\n{rows}".encode(encoding))
        assert told["data"]["classes"] == ["bitter", "süß"]
        assert told["data"]["features"][0] == "größe"
        assert len(page.session.work.setup.X) == 48  # a fifth is held out
    assert not told["view"]["reached"]
    assert page.ask("go", unit="batch", way=1)["view"]["reached"]


@every_lesson
def test_the_code_of_a_lesson_comes_to_the_same_loss(lesson: str, tmp_path: Path) -> None:
    page = Page(lesson)
    for _ in range(3):
        page.ask("go", unit="batch", way=1)
    page.ask("go", unit="batch", way=-1)
    page.ask("set", what="inputs[0,1]", value=0.25)
    page.ask("set", what="dense_0.weights[0,1]" if lesson != "neuron" else "dense_0.weights[1,0]", value=0.5)
    if len(page.session.work.batch) > 2:
        page.ask("take_out", row=page.session.work.batch[1], out=True)
    page.ask("go", unit="batch", way=1)
    if not page.session.work.setup.upstream:
        page.session.work.train(2)
        page.session.work.keep_epochs()
    names: dict[str, Any] = {}
    exec(content(page.ask("take", what="code")).decode(), names)
    for name, value in names["model"].parameters.items():
        assert np.array_equal(value, page.model().parameters[name]), name


def test_the_code_of_a_table_reads_it_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "flowers.csv").write_text(CSV)
    monkeypatch.chdir(tmp_path)
    page = Page("table")
    table(page, "flowers.csv", CSV.encode())
    page.ask("controls", noise=0.1, penalty=0.001)
    page.session.work.train(2)
    page.session.work.keep_epochs()
    names: dict[str, Any] = {}
    exec(content(page.ask("take", what="code")).decode(), names)
    for name, value in names["model"].parameters.items():
        assert np.array_equal(value, page.model().parameters[name]), name


def test_a_drawn_digit_is_read() -> None:
    page = Page("digits")
    read = page.ask("draw", pixels=[0.0] * 30 + [1.0] * 4 + [0.0] * 30)["read"]
    assert sum(read["chances"]) == pytest.approx(1.0)
    with pytest.raises(ChainruleError, match="64 pixels"):
        page.ask("draw", pixels=[1.0])


def content(told: dict[str, dict[str, Any]]) -> bytes:
    return base64.b64decode(told["taken"]["content"])


def test_what_is_taken_away_is_what_was_trained(tmp_path: Path) -> None:
    page = Page("spiral")
    for _ in range(2):
        page.session.work.train(1)
        page.session.work.keep_epochs()
    model = tmp_path / "spiral.safetensors"
    model.write_bytes(content(page.ask("take", what="model")))
    code = content(page.ask("take", what="code")).decode()
    code += f"""
other = Model.load({str(model)!r})
for name, value in other.parameters.items():
    assert np.array_equal(value, model.parameters[name]), name
print("equal")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["equal"], done.stderr
    assert content(page.ask("take", what="picture")).startswith(b"<svg")
    assert b"model.widget(X, y)" in content(page.ask("take", what="cell"))


def test_the_offline_page_asks_the_network_for_nothing() -> None:
    page = Page("batch")
    page.ask("go", unit="batch", way=1)
    html = content(page.ask("take", what="page")).decode()
    assert not re.search(r'(src|href)="(?!data:)', html)
    assert "/static/" not in html
    assert html.count("</script>") == 2
    recorded = html.partition('id="recorded">')[2].partition("</script>")[0]
    record = json.loads(gzip.decompress(base64.b64decode(recorded)))
    assert [view["step"] for view in record["views"]] == [0, 1]
    values = [whys["dense_0.weights[0,0]"]["value"] for whys in record["whys"]]
    assert values[0] == 0.2
    assert values[1] == page.model().parameters["dense_0.weights"][0, 0]
    last = record["whys"][1]["dense_0.weights[1,2]"]
    assert sum(last["strip"]["pulls"]) == pytest.approx(last["gradient"])
    assert last["matrix"]["at"] == [1, 2]
    assert "strip" not in record["whys"][1]["dense_0[0,1]"]


def test_the_widget_answers_what_the_page_asks() -> None:
    lesson = next(one for one in LESSONS if one.name == "softmax").build()
    before = {name: np.array(value) for name, value in lesson.model.parameters.items()}
    widget = lesson.model.widget(lesson.X, lesson.y)
    told: list[dict[str, Any]] = []
    widget._session._send = told.append
    widget.send = told.append
    widget._handle_custom_msg({"type": "look"}, [])
    widget._handle_custom_msg({"type": "choose", "what": "dense_0[0,0]"}, [])
    widget._handle_custom_msg({"type": "go", "unit": "batch", "way": 1}, [])
    widget._handle_custom_msg("nonsense", [])
    kinds = [message["type"] for message in told]
    assert kinds[:3] == ["view", "data", "why"]
    assert kinds[-1] == "problem"
    assert told[2]["gradient"] == pytest.approx(-0.1)
    assert all(np.array_equal(value, before[name]) for name, value in lesson.model.parameters.items())
    assert "render" in widget._esm
    widget.close()


def test_a_goal_is_reached_by_what_it_asks_for_and_by_nothing_less() -> None:
    page = Page("neuron")
    assert not page.ask("go", unit="batch", way=1)["view"]["reached"]  # not walked through
    while (view := page.ask("go", unit="node", way=1)["view"])["step"] < 2:
        assert not view["reached"]
    assert view["reached"]
    page = Page("layer")
    page.ask("choose", what="dense_0[0,0]")
    assert not page.ask("look")["view"]["reached"]
    assert page.ask("choose", what="inputs[0,0]")["reached"]["reached"]  # said at once
    page.ask("choose", what="dense_0[0,0]")
    assert page.ask("look")["view"]["reached"]  # and stays so
    page = Page("batch")
    for row in (0, 99):
        with pytest.raises(ChainruleError):
            page.ask("take_out", row=row if row else 99, out=True)
    assert not page.ask("look")["view"]["reached"]
    page = Page("softmax")
    page.ask("guess", what="dense_0[0,0]", value=0.7)  # wrong
    page.ask("guess", what="dense_0[0,0]", value=float(page.session.work.trace()["dense_0"].output[0, 0]), of="value")
    page.ask("guess", what="dense_0.weights[0,0]", value=float(page.gradients()["dense_0.weights"][0, 0]))
    assert not page.ask("look")["view"]["reached"]
    assert page.ask("guess", what="dense_0[0,0]", value=-0.1)["reached"]["reached"]


def test_what_a_goal_asks_for_counts_in_its_order() -> None:
    page = Page("digits")
    line = [0.0] * 30 + [1.0] * 4 + [0.0] * 30
    page.ask("draw", pixels=line)  # before it is trained
    page.session.saw("accuracy", 0.96)
    assert not page.ask("look")["view"]["reached"]
    assert not page.ask("draw", pixels=[0.0] * 64)["view"]["reached"]  # nothing is drawn
    assert page.ask("draw", pixels=line)["view"]["reached"]


def test_a_table_that_was_opened_counts_after_its_network_is_begun_anew() -> None:
    page = Page("table")
    page.ask("controls", sizes=[3])
    assert not page.ask("go", unit="batch", way=1)["view"]["reached"]  # these are flowers
    table(page, "mine.csv", b"a,b,kind\n" + b"1,2,x\n2,1,y\n" * 20)
    page.ask("controls", sizes=[3])
    assert page.ask("go", unit="batch", way=1)["view"]["reached"]


def linked(page: Page) -> dict[str, Any]:
    """The state in the link to a page."""
    return linking.stated(f"http://127.0.0.1:1/#{page.ask('link')['link']['fragment']}")


@every_lesson
def test_a_link_opens_the_very_same_numbers_and_what_is_chosen(lesson: str) -> None:
    page, other = Page(lesson), Page("neuron")
    if not page.session.work.setup.upstream:
        page.ask("go", unit="batch", way=1)
        page.ask("reduction", to="sum", divided=True)
    page.ask("set", what="dense_0.weights[0,0]", value=0.1)
    if len(page.session.work.batch) > 1:
        page.ask("take_out", row=page.session.work.batch[1], out=True)
        page.ask("sample", place=2)
    if page.session.work.setup.fixed:
        page.ask("set", what="inputs[0,1]", value=1 / 3)
    page.ask("choose", what="dense_0.weights[0,0]")
    state = linked(page)
    told = other.ask("open", **state)
    assert told["why"]["of"] == "dense_0.weights[0,0]"
    assert not told["view"]["reached"]
    here, there = page.session.work, other.session.work
    assert (here.rows, here.sample_row()) == (there.rows, there.sample_row())
    assert here.model.optimizer == there.model.optimizer
    assert np.array_equal(here.setup.X, there.setup.X)
    same = all(np.array_equal(value, other.model().parameters[name]) for name, value in page.model().parameters.items())
    assert same == ("parameters" in state) == (lesson != "digits")
    assert ("2,410; take the model" in page.ask("link")["link"]["says"]) == (lesson == "digits")
    if same:
        assert there.trace().loss == here.trace().loss
        names: dict[str, Any] = {}
        exec(content(other.ask("take", what="code")).decode(), names)  # the program has the link's numbers too
        assert np.array_equal(names["model"].parameters["dense_0.weights"], page.model().parameters["dense_0.weights"])


def test_a_broken_network_travels_and_a_table_of_ones_own_does_not() -> None:
    page, other = Page("softmax"), Page("neuron")
    page.ask("break", how="transpose")
    told = other.ask("open", **linked(page))
    assert (told["view"]["broken"], told["checked"]["how"]) == ("transpose", "transpose")
    table(page, "flowers.csv", CSV.encode())
    with pytest.raises(ChainruleError, match="take the model"):
        page.ask("link")


def test_a_link_says_what_it_leaves_out_of_a_network_and_can_be_opened() -> None:
    page, other = Page("spiral"), Page("neuron")
    page.ask("controls", sizes=[4], optimizer="sgd", rate=1.0)
    page.ask("go", unit="batch", way=1)
    assert page.ask("link")["link"]["says"] == ""
    page.ask("controls", optimizer="adam")
    page.ask("go", unit="batch", way=1)
    assert "begins anew" in page.ask("link")["link"]["says"]
    page.model().parameters["dense_0.weights"][0, 0] = 1e120
    assert "too large" in page.ask("link")["link"]["says"]
    assert other.ask("open", **linked(page))["view"]["lesson"] == "spiral"


def numbers(count: int, value: float = 1.0) -> str:
    return linking.packed(np.full(count, value))


SPIRAL = {"type": "open", "lesson": "spiral"}
WRONG_LINKS = [
    {"type": "open", "lesson": "nonsense"},
    {"type": "open", "data": "/etc/passwd"},
    {"type": "open", "lesson": "spiral", "controls": {"sizes": [10**9]}},
    {"type": "open", "lesson": "spiral", "controls": {"sizes": [1024, 1024, 1024]}},
    {"type": "open", "lesson": "spiral", "controls": []},
    {"type": "open", "lesson": "spiral", "controls": {"nonsense": 1}},
    SPIRAL | {"parameters": numbers(386)},
    SPIRAL | {"parameters": numbers(388)},
    SPIRAL | {"parameters": numbers(387)[:-9]},
    SPIRAL | {"parameters": numbers(387) + "AAAA"},
    SPIRAL | {"parameters": numbers(387, np.nan)},
    SPIRAL | {"parameters": numbers(387, np.inf)},
    SPIRAL | {"parameters": numbers(387, 1e200)},
    SPIRAL | {"parameters": numbers(10**7)[:7000]},  # which unfolds to megabytes
    SPIRAL | {"parameters": "ä" * 16},
    SPIRAL | {"parameters": "x" * 9000},
    SPIRAL | {"parameters": ""},
    SPIRAL | {"sample": 10**8},
    SPIRAL | {"removed": [10**8]},
    SPIRAL | {"removed": list(range(300))},
    SPIRAL | {"broken": "nonsense"},
    {"type": "open", "lesson": "batch", "inputs": numbers(3)},
    {"type": "open", "lesson": "batch", "targets": numbers(3)},
    {"type": "open", "lesson": "batch", "chosen": 3},
]


def test_the_shell_opens_a_link(monkeypatch: pytest.MonkeyPatch) -> None:
    page, served = Page("spiral"), list[Any]()
    page.ask("set", what="dense_0.weights[0,0]", value=0.1)
    monkeypatch.setattr(pages, "serve", lambda rooms, **options: served.append(rooms._opened))
    pages.serve_argument(f"http://127.0.0.1:1/#{page.ask('link')['link']['fragment']}")
    session = served[0]({}, lambda message: None)
    assert session.lesson == "spiral"
    assert session.work.model.parameters["dense_0.weights"][0, 0] == 0.1
    for wrong in ("http://127.0.0.1:1/#", "#{", "#[1]", "#%7B%22lesson%22%3A1%7D"):
        with pytest.raises(DataError):
            pages.serve_argument(wrong)
    assert len(served) == 1


@pytest.mark.parametrize("before", ["http://127.0.0.1:1/", ""])
def test_the_shell_opens_a_link_that_is_longer_than_the_name_of_a_file_may_be(
    before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, served = Page("spiral"), list[Any]()
    page.ask("dataset", name="iris")
    page.ask("controls", sizes=[32, 8])
    fragment = page.ask("link")["link"]["fragment"]
    assert len(fragment) > 4096 and "parameters" in linking.stated(f"#{fragment}")
    monkeypatch.setattr(pages, "serve", lambda rooms, **options: served.append(rooms))
    pages.serve_argument(f"{before}#{fragment}")
    assert len(served) == 1


BAD = [
    {},
    {"type": 3},
    {"type": "nonsense"},
    {"type": "__init__"},
    {"type": "look", "more": 1},
    {"type": "seek"},
    {"type": "seek", "frame": -1},
    {"type": "seek", "frame": True},
    {"type": "seek", "frame": 1.5},
    {"type": "go", "unit": "year", "way": 1},
    {"type": "go", "unit": "node", "way": 2},
    {"type": "set", "what": "inputs[0,0]", "value": float("nan")},
    {"type": "set", "what": "inputs[0,0]", "value": "1"},
    {"type": "set", "what": "x" * 1000, "value": 1.0},
    {"type": "choose", "what": "dense_0.weights"},
    {"type": "choose", "what": "dense_0.weights[99,99]"},
    {"type": "choose", "what": "'; drop"},
    {"type": "sample", "place": 99},
    {"type": "lesson", "name": "nonsense"},
    {"type": "controls", "sizes": [10**9]},
    {"type": "take", "what": "/etc/passwd"},
    {"type": "draw", "pixels": [1.0]},
    {"type": "play", "on": True},  # a gradient arrives here: there is nothing to train
    {"type": "reduction", "to": "mean"},
]


@pytest.mark.parametrize("message", [*BAD, *WRONG_LINKS], ids=lambda one: str(one)[:60])
def test_a_message_that_is_wrong_is_refused_in_words_and_changes_nothing(message: dict[str, Any]) -> None:
    page = Page("neuron")
    before = page.ask("look")
    with pytest.raises(ChainruleError) as refused:
        page.session.handle(message)
    assert str(refused.value)
    assert page.ask("look") == before


def test_both_ends_know_the_same_messages() -> None:
    listed = script().partition("const TOLD = ")[2].partition(";")[0]
    assert {kind: tuple(fields) for kind, fields in json.loads(listed).items()} == TOLD
    for kind in ASKED:
        assert f'send("{kind}"' in script() or f'type: "{kind}"' in script(), kind


def test_the_page_trains_on_while_a_run_is_written_and_the_record_is_at_rest() -> None:
    page = Page("softmax")
    page.session.work.train(3)
    page.session.work.keep_epochs()
    page.ask("play", on=True)
    step = page.session.work.model.run.step
    with page.session._lock:
        apart = page.session._apart()
    record = offline.recorded(apart)
    page.ask("play", on=False)
    assert [view["playing"] for view in record["views"]] == [False] * len(record["views"])
    assert [view["step"] for view in record["views"]][:2] == [0, 3]
    assert page.session.work.model.run.step > step


def test_long_epochs_are_drawn_while_they_run_and_end_in_the_same_numbers() -> None:
    page, other = Page("digits"), Page("digits")
    drawn = list[int]()

    def between(fit: Any) -> None:
        drawn.append(fit.run.step)

    page.session.work.train(1, between)
    other.session.work.train(1)
    assert drawn == list(range(1, 46))
    for name, value in other.model().parameters.items():
        assert np.allclose(page.model().parameters[name], value, rtol=1e-10, atol=1e-12)


def test_a_step_of_one_layer_shows_the_whole_layer() -> None:
    page = Page("layer")
    for node in ("dense_0", "relu_0"):
        seen = page.ask("go", unit="layer", way=1)["view"]["walk"]["seen"]
        assert [unit for _, name, unit in seen if name == node] == [0, 1, 2]
    assert page.ask("go", unit="layer", way=-1)["view"]["walk"]["moment"]["node"] == "dense_0"


def test_an_update_shows_old_and_new_of_weights_and_biases_with_the_optimizers_lines() -> None:
    page = Page("neuron")
    while (told := page.ask("go", unit="layer", way=1))["view"]["walk"]["moment"]["phase"] != "update":
        pass
    lines = told["why"]["update"]["lines"]
    assert lines[-1]["value"] == told["why"]["update"]["after"] == pytest.approx(-3.0 - 0.001)
    assert all(part.startswith("<m") for line in lines for part in line["mathml"])
    assert page.units(told["view"])["dense_0"][0]["bias_after"] == pytest.approx(1.0 - 0.001)
