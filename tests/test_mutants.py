"""`scripts/mutants.py`: every kind of change, and the two verdicts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from mutations import mutants  # noqa: E402

CHANGES = {
    "a < b": {"(a <= b)", "(a >= b)"},
    "a - b": {"(a + b)", "(b - a)"},
    "a @ b": {"(a * b)"},
    "a and b": {"(a or b)", "b", "a"},
    "not a": {"a"},
    "3": {"4", "0"},
    "0.5": {"1.5", "5.0"},
    "True": {"False"},
    "'mean'": {"'mutant'"},
    "'the text of a message'": set(),
    "f'{a + b}'": set(),
    "a if b else c": {"(c if b else a)"},
    "f(a, b, k=c)": {"(f(b, a, k=c))", "(f(a, b))"},
    "[a for a in b if c]": {"([a for a in b])"},
}


@pytest.mark.parametrize("code", CHANGES)
def test_an_expression_becomes_each_of_its_neighbours(code: str) -> None:
    found = {mutant.text.removeprefix("x = ") for mutant in mutants(f"x = {code}")}
    assert found == CHANGES[code]


def test_statements_conditions_and_returns_change_and_annotations_docstrings_and_messages_do_not() -> None:
    text = '''def f(a: Literal["b"] = c) -> Literal["d"]:
    """Docstring."""
    if a:
        raise Error("e" + a)
    a.b = c
    return a
'''
    found = {(mutant.line, mutant.what) for mutant in mutants(text)}
    assert found == {
        (3, "condition negated"), (4, "statement removed"), (5, "statement removed"), (6, "return None"),
    }  # fmt: skip


def test_a_survivor_is_shown_and_the_share_of_the_killed_counted(tmp_path: Path) -> None:
    """In a project of its own: one test that notices a change of a sum, and none of what is never called."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "src").mkdir()
    (tmp_path / "tests").mkdir()
    for name in ("mutants.py", "mutations.py"):
        (tmp_path / "scripts" / name).write_text((ROOT / "scripts" / name).read_text())
    source, test = tmp_path / "src/small.py", tmp_path / "tests/test_small.py"
    source.write_text("def total(a, b):\n    return a + b\n\n\ndef never(a):\n    while a > 5:\n        a = a\n")
    test.write_text("import small\ndef test_total(): assert small.total(1, 2) == 3\n")
    command = [sys.executable, "scripts/mutants.py", "src/small.py", "tests/test_small.py", "--lines", "1-5"]
    whole = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "src/small.py: 2 mutants, 2 killed (100.0 %), 0 survived" in whole
    command[-1] = "6-7"
    rest = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert "-    while a > 5:\n+    while (a >= 5):" in rest and "5 mutants, 0 killed (0.0 %), 5 survived" in rest
    test.write_text("import small\ndef test_total(): assert small.total(1, 2) == 4\n")
    failed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and "The tests must pass before anything is changed" in failed.stderr
