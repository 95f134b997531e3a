"""The exercises: what is right passes, what is wrong is caught, and no hint gives the answer away."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chainrule.checking.submissions import Limits
from chainrule.errors import ConfigurationError, UnknownNameError
from chainrule.exercises import EXERCISES, Exercise, exercise, grading, words
from chainrule.exercises.exercise import Mistake, compiled
from chainrule.exercises.grading import Grade, GradedOutput, grade
from chainrule.exercises.worksheet import problems_of, value_of, worksheet
from support import shell

every_exercise = pytest.mark.parametrize("each", EXERCISES.values(), ids=lambda e: e.name)
PLANTED = [
    pytest.param(each, mistake, id=f"{each.name}-{mistake.name}")
    for each in EXERCISES.values()
    for mistake in each.mistakes
]


class Here:
    """A file's functions in this process: no walls, and no waiting for a process to start."""

    def __init__(self, text: str) -> None:
        self.functions = compiled(text)
        self.channel = SimpleNamespace(send=lambda message: None)

    def ask(self, what: str, **message: Any) -> Any:
        if what == "call":
            return {"returned": self.functions[message["function"]](*message["arguments"])}
        return {"names": []} if what == "load" else []


def graded_here(each: Exercise, text: str) -> list[GradedOutput]:
    found = grading._Sitting(each, Here(text), Limits(), Path("mine.py"))  # type: ignore[arg-type]
    return list(found.parts())


def written(folder: Path, each: Exercise, text: str) -> Path:
    path = folder / f"{each.name}.py"
    path.write_text(f"# chainrule exercise: {each.name}\nimport numpy as np\n{text}", encoding="utf-8")
    return path


def graded(folder: Path, name: str, text: str, seconds: float = 60) -> Grade:
    return grade(written(folder, EXERCISES[name], text), limits=Limits(seconds=seconds))


def test_there_are_at_least_twelve_from_one_neuron_to_layer_normalization() -> None:
    assert len(EXERCISES) >= 12
    assert next(iter(EXERCISES)) == "neuron"
    assert list(EXERCISES)[-1] == "layer_norm"
    with pytest.raises(UnknownNameError, match="Did you mean 'softmax'"):
        exercise("sofmax")


@every_exercise
def test_the_solution_is_right(each: Exercise, tmp_path: Path) -> None:
    found = grade(written(tmp_path, each, each.solution))
    assert {*found.results} == {"right"}
    assert [(p.function, p.output) for p in found.parts] == [(f, o) for f, of in each.outputs.items() for o in of]


@every_exercise
def test_the_file_that_is_started_holds_the_task_and_not_the_answer(each: Exercise) -> None:
    text = each.text()
    compile(text, "mine.py", "exec")
    assert f"# chainrule exercise: {each.name}\n" in text
    assert "By hand:" in text
    assert "...  # yours" in text
    assert max(map(len, text.splitlines())) <= 120
    for line in answers(each):
        assert squeezed(line) not in squeezed(text)


@every_exercise
def test_what_is_not_written_yet_is_neither_right_nor_wrong(each: Exercise) -> None:
    parts = graded_here(each, each.stub())
    assert "not checked" in {part.result for part in parts}
    assert "wrong" not in {part.result for part in parts}


# Mistakes and hints


def answers(each: Exercise) -> list[str]:
    """The right sides of the lines that are asked for."""
    asked = re.findall(r"^ *(?:return|[\w, ]+ =) (.*?) +# [?-]", each.solution, flags=re.M)
    return [line for line in asked if len(squeezed(line)) > 2]


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@every_exercise
def test_each_has_three_planted_mistakes_at_least_each_in_one_place(each: Exercise) -> None:
    assert len(each.mistakes) >= 3
    assert len({mistake.name for mistake in each.mistakes if each.name != "dense"}) in (0, len(each.mistakes))
    for mistake in each.mistakes:
        assert each.solution.count(mistake.old) == 1


@pytest.mark.parametrize(("each", "mistake"), PLANTED)
def test_a_planted_mistake_is_caught_and_gets_its_hint(each: Exercise, mistake: Mistake) -> None:
    wrong = [part for part in graded_here(each, each.planted(mistake)) if part.result == "wrong"]
    assert wrong
    assert all(part.hint and part.more and part.says for part in wrong)
    assert mistake.hint in {part.hint for part in wrong}
    assert mistake.more in {part.more for part in wrong}


GENERAL = (*words.RELATED.values(), *words.CHECKED.values())
ALL_WORDS = [
    *((each, text) for each in EXERCISES.values() for m in each.mistakes for text in (m.hint, m.more)),
    *((each, text) for each in EXERCISES.values() for text in (each.idea, each.more)),
    *(
        (each, text)
        for each in EXERCISES.values()
        for w in (*words.RELATED.values(), *words.CHECKED.values())
        for text in w
    ),
]


def test_no_hint_contains_the_answer() -> None:
    for each, text in ALL_WORDS:
        assert not any(squeezed(answer) in squeezed(text) for answer in answers(each)), text
        assert re.search(r"np\.|\.T\b|\w\(\w|\*|/|\[|keepdims|axis=", text) is None, f"code in a hint: {text}"


def test_this_test_sees_an_answer() -> None:
    assert [squeezed(line) for line in answers(EXERCISES["relu"])] == ["np.where(inputs>0,dvalues,0.0)"]
    assert len(answers(EXERCISES["dense"])) == 3


OTHERWISE = {
    # Written in another way than the solution: the numbers count.
    "loop": ("relu", "right", "", """
def relu_forward(inputs):
    return inputs * (inputs > 0)
def relu_backward(dvalues, inputs):
    out = np.empty(inputs.shape)
    for b in range(len(inputs)):
        for n in range(inputs.shape[1]):
            out[b, n] = dvalues[b, n] if inputs[b, n] > 0 else 0
    return out
"""),
    "jacobian": ("softmax", "right", "", """
def softmax_forward(inputs):
    e = np.exp(inputs)
    return e / e.sum(axis=1, keepdims=True)
def softmax_backward(dvalues, output):
    rows = []
    for s, d in zip(output, dvalues):
        s = s.reshape(-1, 1)
        rows.append(np.dot(np.diagflat(s) - np.dot(s, s.T), d))
    return np.array(rows)
"""),
    "sign": ("cross_entropy", "wrong", "wrong_sign", """
def crossentropy_forward(p, y):
    return -np.log(p[range(len(p)), y]).mean()
def crossentropy_backward(p, y):
    d = np.zeros_like(p)
    for i, c in enumerate(y):
        d[i, c] = 1 / (p[i, c] * len(p))
    return d
"""),
    "factor": ("sum_or_mean", "wrong", "factor", """
def loss_gradients(predictions, targets, rate):
    n = len(predictions)
    return 2 * (predictions - targets), 2 * (predictions - targets) / n, 3 * rate / n
"""),
    "shape": ("biases", "wrong", "shape", """
def dense_forward(inputs, weights, biases):
    return inputs @ weights + biases
def dense_backward(dvalues, inputs, weights, biases):
    return dvalues @ weights.T, inputs.T @ dvalues, dvalues
"""),
    "swallowed": ("weights", "wrong", "transposed", """
def dense_forward(inputs, weights, biases):
    return inputs @ weights + biases
def dense_backward(dvalues, inputs, weights, biases):
    return dvalues @ weights.T, dvalues.T @ inputs, dvalues.sum(axis=0)
"""),
    "another forward": ("relu", "wrong", "", """
def relu_forward(inputs):
    return np.maximum(inputs, 0.5 * inputs)
def relu_backward(dvalues, inputs):
    return np.where(inputs > 0, dvalues, 0.0)
"""),
}  # fmt: skip


@pytest.mark.parametrize("case", OTHERWISE)
def test_what_is_written_in_another_way_is_judged_by_its_numbers(case: str) -> None:
    name, result, mistake, text = OTHERWISE[case]
    parts = graded_here(EXERCISES[name], text)
    worst = [part for part in parts if part.result != "right"]
    assert {part.result for part in worst} == ({"wrong"} if result == "wrong" else set())
    assert not mistake or mistake in {part.mistake for part in worst}
    assert all(part.hint for part in worst)


OVERWRITES = """
def relu_forward(inputs):
    return np.maximum(inputs, 0.0)
def relu_backward(dvalues, inputs):
    dvalues[inputs <= 0] = 0
    return dvalues
"""
TWICE = """
def dropout_forward(inputs, mask, rate):
    return inputs * mask / (1 - rate)
def dropout_backward(dvalues, mask, rate):
    return dvalues * dvalues * mask / (1 - rate)
"""


def test_check_finds_what_the_numbers_do_not_show(tmp_path: Path) -> None:
    found = graded(tmp_path, "relu", OVERWRITES)
    assert found.results == ["right", "right", "wrong"]
    assert "changes the array that it was handed" in found.parts[-1].hint


@pytest.mark.parametrize(
    ("name", "old", "new", "mistake"),
    [
        ("weights", "np.dot(inputs.T, dvalues)", "np.dot(inputs.T, dvalues) * weights", "factor_too_many"),
        ("neuron_gradient", "db = dz", "db = dz * b", "factor_too_many"),
        ("dropout", "dvalues * mask / (1 - rate)  #", "mask / (1 - rate)  #", "factor_missing"),
    ],
)
def test_an_argument_that_is_a_factor_too_many_or_missing_is_said(name: str, old: str, new: str, mistake: str) -> None:
    parts = graded_here(EXERCISES[name], "import numpy as np\n" + EXERCISES[name].solution.replace(old, new))
    assert {part.mistake for part in parts if part.result == "wrong"} == {mistake}
    assert {part.hint for part in parts if part.result == "wrong"} == {words.RELATED[mistake].hint}


def test_a_mistake_that_is_nowhere_listed_gets_the_words_for_what_check_says(tmp_path: Path) -> None:
    found = graded(tmp_path, "dropout", TWICE)
    assert found.results == ["right", "wrong"]
    assert found.parts[1].hint == words.CHECKED["upstream_twice"].hint


# What else a file may be


def test_a_strangers_file_is_run_apart_and_ended(tmp_path: Path) -> None:
    found = graded(tmp_path, "relu", "def relu_forward(inputs):\n    while True: pass\n", seconds=3)
    assert found.results == ["not checked"]
    assert "longer than 3 seconds" in found.parts[0].says
    mark = tmp_path / "elsewhere"
    writes = f"def relu_forward(inputs):\n    open({str(mark)!r}, 'w')\n    return inputs\n"
    found = graded(tmp_path, "relu", writes)
    if grading.isolation().kind != "process":
        assert not mark.exists()
        assert "raises" in found.parts[0].says


def test_a_file_that_takes_the_answer_from_the_library_is_flagged(tmp_path: Path) -> None:
    text = "from chainrule.exercises.tasks.relu import SOLUTION\nexec(SOLUTION)\n"
    found = graded(tmp_path, "relu", text)
    assert "flagged" in found.results
    assert found.flags == ("It imports chainrule, whose layers are right.",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def relu_forward(inputs): return np.maximum(inputs, 0)\n", "There is no function relu_backward"),
        ("def relu_forward(:\n", "invalid syntax"),
        ("def relu_forward(x): return 1 / 0\ndef relu_backward(d, x): return {}\n", "raises ZeroDivisionError"),
        ("def relu_forward(x): return 'no'\ndef relu_backward(d, x): return d\n", "no array of numbers"),
        ("def relu_forward(x): return None\ndef relu_backward(d, x): return d\n", "Not written yet"),
    ],
)
def test_what_cannot_be_graded_says_why(text: str, says: str, tmp_path: Path) -> None:
    found = graded(tmp_path, "relu", text)
    assert "not checked" in found.results
    assert any(says in part.says for part in found.parts)


def test_a_file_without_its_first_line_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import numpy as np\n" + EXERCISES["relu"].solution)
    with pytest.raises(ConfigurationError, match="--exercise"):
        grade(tmp_path / "mine.py")
    assert {*grade(tmp_path / "mine.py", EXERCISES["relu"]).results} == {"right"}
    with pytest.raises(OSError, match="No such file"):
        grade(tmp_path / "none.py")


# Worksheets


@every_exercise
def test_the_steps_of_a_solution_give_the_numbers_of_the_library(each: Exercise) -> None:
    for seed in range(12):
        for problem in problems_of(each, seed, 2):
            for wanted in problem.wanted:
                steps = [value_of(right) for left, right in wanted.steps if left.split("[")[0] == wanted.symbol]
                np.testing.assert_allclose(steps, np.ravel(wanted.value), 1e-9, 1e-12)


@every_exercise
def test_the_numbers_of_a_worksheet_are_fit_for_the_hand(each: Exercise) -> None:
    for problem in problems_of(each, 3, 8):
        for value in (*problem.given.values(), *(wanted.value for wanted in problem.wanted)):
            assert np.all(np.abs(np.asarray(value)) <= 200)
            digits = [len(f"{abs(number):.8g}".replace(".", "").lstrip("0")) for number in np.ravel(value)]
            assert max(digits) <= 6


@every_exercise
def test_a_worksheet_has_its_numbers_by_its_seed_and_no_answers(each: Exercise) -> None:
    sheet, solved = worksheet(each, 3), worksheet(each, 3, solutions=True)
    assert sheet == worksheet(each, 3)
    assert sheet != worksheet(each, 4)
    assert sheet.count('<section class="problem">') == solved.count('<section class="problem">') == 4
    assert 'class="worked"' in solved
    assert 'class="worked"' not in sheet.partition("<body")[2]
    boxes = sum(problem.wanted[i].value.size for problem in problems_of(each, 3, 4) for i in range(len(problem.wanted)))
    assert sheet.count("<mtd></mtd>") + sheet.count('<mtd class="blank"></mtd>') == boxes
    assert "<script" not in solved
    assert "http" not in re.sub(r'xmlns="[^"]*"', "", solved)


@pytest.mark.parametrize(("seed", "count"), [(0, 0), (0, 21), (-1, 1)])
def test_a_worksheet_of_no_size_is_refused(seed: int, count: int) -> None:
    with pytest.raises(ConfigurationError, match="worksheet"):
        worksheet(EXERCISES["relu"], seed, count)


# The shell


def test_list_start_grade_and_hint_in_the_shell(tmp_path: Path) -> None:
    listed = shell("exercise", "list", folder=tmp_path)
    assert [line.split()[0] for line in listed.stdout.splitlines()[: len(EXERCISES)]] == list(EXERCISES)
    assert shell("exercise", "start", "relu", folder=tmp_path).returncode == 0
    path = tmp_path / "relu.py"
    assert shell("exercise", "grade", "relu.py", folder=tmp_path).returncode == 3
    path.write_text(path.read_text().replace("= ...", "= np.where(dvalues > 0, dvalues, 0.0)"))
    found = shell("exercise", "grade", "relu.py", folder=tmp_path)
    mistake = EXERCISES["relu"].mistakes[0]
    shown = squeezed(found.stdout)
    assert found.returncode == 1
    assert "✓ relu_forward: output  right" in found.stdout
    assert "✗ relu_backward: dinputs  wrong" in found.stdout
    assert squeezed(mistake.hint) in shown
    assert squeezed(mistake.more) not in shown
    assert squeezed(mistake.more) in squeezed(shell("exercise", "grade", "relu.py", "--hint", folder=tmp_path).stdout)
    path.write_text(path.read_text().replace("dvalues > 0", "inputs > 0"))
    right = shell("exercise", "grade", "relu.py", folder=tmp_path)
    assert right.returncode == 0
    assert "next: chainrule exercise start inputs" in right.stdout


def test_nothing_that_is_there_is_overwritten_without_force(tmp_path: Path) -> None:
    for arguments, name in ((("start", "relu"), "relu.py"), (("worksheet", "relu", "--seed", "3"), "relu-3.html")):
        (tmp_path / name).write_text("my work")
        refused = shell("exercise", *arguments, folder=tmp_path)
        assert refused.returncode == 2
        assert "--force" in refused.stderr
        assert (tmp_path / name).read_text() == "my work"
        assert shell("exercise", *arguments, "--force", folder=tmp_path).returncode == 0
        assert (tmp_path / name).read_text() != "my work"
    assert shell("exercise", "worksheet", "relu", "--seed", "3", "--solutions", folder=tmp_path).returncode == 0
    assert 'class="worked"' in (tmp_path / "relu-3-solutions.html").read_text()
    unknown = shell("exercise", "start", "rellu", folder=tmp_path)
    assert unknown.returncode == 2
    assert "Did you mean 'relu'" in unknown.stderr
