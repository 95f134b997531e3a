"""Mutation testing: change one operator, number, condition or statement of a file at a time; its tests must notice.

    python scripts/mutants.py src/chainrule/pair.py tests/test_definitions.py tests/test_layers.py

Each mutant stands in a copy of the package and is tried by a fork of a process that has imported NumPy, pytest and
whatever else the tests import, so that only the package itself is imported again. Tests run in the order given, up to
the first failure. Survivors are printed as diffs; those that change nothing a caller could see are for a person to
tell. Annotations, docstrings and the texts of errors are not changed.
"""

from __future__ import annotations

import argparse
import ast
import compileall
import contextlib
import copy
import difflib
import importlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE), ast.LtE: (ast.Lt, ast.Gt), ast.Gt: (ast.GtE, ast.LtE), ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,), ast.NotEq: (ast.Eq,), ast.Is: (ast.IsNot,), ast.IsNot: (ast.Is,), ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}  # fmt: skip
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitXor: ast.BitOr, ast.MatMult: ast.Mult,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """The text of a file with one change, and the line where it is."""

    line: int
    what: str
    text: str


# Which changes there are


def changed(node: Any, **fields: Any) -> Any:
    """A copy of a node with other fields."""
    other = copy.copy(node)
    for name, value in fields.items():
        setattr(other, name, value)
    return other


def without(items: list[Any], index: int) -> list[Any]:
    """A copy of a list that lacks one item."""
    return [*items[:index], *items[index + 1 :]]


def constants(node: ast.Constant) -> Iterator[Any]:
    """Other values of a constant; texts with a space are taken for messages."""
    value = node.value
    if isinstance(value, bool):
        yield not value
    elif isinstance(value, int | float):
        yield value + 1
        if value:
            yield 0 if isinstance(value, int) else value * 10
    elif isinstance(value, str) and value and " " not in value:
        yield value + "_mutant"


def expressions(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of an expression."""
    if isinstance(node, ast.Compare):
        for index, operator in enumerate(node.ops):
            for other in COMPARISONS[type(operator)]:
                yield "comparison", changed(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
    elif isinstance(node, ast.BinOp):
        yield "operator", changed(node, op=OPERATORS[type(node.op)]())
        if isinstance(node.op, ast.Sub | ast.Div | ast.Pow):
            yield "swapped operands", changed(node, left=node.right, right=node.left)
    elif isinstance(node, ast.BoolOp):
        yield "and/or", changed(node, op=ast.And() if isinstance(node.op, ast.Or) else ast.Or())
        for index in range(len(node.values)):
            rest = without(node.values, index)
            yield "operand removed", rest[0] if len(rest) == 1 else changed(node, values=rest)
    elif isinstance(node, ast.UnaryOp):
        yield "sign or not removed", node.operand
    elif isinstance(node, ast.Constant):
        yield from (("constant", ast.Constant(value)) for value in constants(node))
    elif isinstance(node, ast.IfExp):
        yield "branches swapped", changed(node, body=node.orelse, orelse=node.body)
    elif isinstance(node, ast.Call):
        if len(node.args) > 1 and not any(isinstance(each, ast.Starred) for each in node.args[:2]):
            yield "arguments swapped", changed(node, args=[node.args[1], node.args[0], *node.args[2:]])
        for index, keyword in enumerate(node.keywords):
            if keyword.arg is not None:
                yield f"{keyword.arg}= removed", changed(node, keywords=without(node.keywords, index))
    elif isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp):
        first = node.generators[0]
        if first.ifs:
            yield "filter removed", changed(node, generators=[changed(first, ifs=[]), *node.generators[1:]])


def statements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in the place of a statement."""
    if isinstance(node, ast.Return):
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            yield "return None", ast.Return(None)
    elif isinstance(node, ast.Continue | ast.Break | ast.Raise | ast.Expr | ast.AugAssign | ast.Delete) or (
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Attribute | ast.Subscript)
    ):
        yield "statement removed", ast.Pass()


def children(node: ast.AST) -> Iterator[ast.AST]:
    """What is inside a node and may change: no annotations, docstrings, f-strings, messages of errors."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "msg", "op", "ops", "ctx", "bases"):
            continue
        for each in value if isinstance(value, list) else [value]:
            docstring = isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)
            skipped = docstring or isinstance(each, ast.JoinedStr | ast.Import | ast.ImportFrom)
            if isinstance(each, ast.AST) and not skipped:
                yield each


def mutations(node: ast.AST) -> Iterator[tuple[ast.AST, str, ast.AST]]:
    """(node, what is done, what stands in its place) for everything below a node, in the order of the text."""
    for child in children(node):
        if isinstance(child, ast.Assign) and ast.unparse(child.targets[0]) == "__all__":
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        if isinstance(child, ast.If | ast.While):
            yield child.test, "condition negated", ast.UnaryOp(ast.Not(), child.test)
        yield from ((child, what, other) for what, other in (*expressions(child), *statements(child)))
        if not isinstance(child, ast.Raise):
            yield from mutations(child)


def mutants(text: str) -> list[Mutant]:
    """Every mutant of a source text that Python compiles."""
    lines = text.encode().splitlines(keepends=True)
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line))
    source, found = b"".join(lines), {}
    for node, what, other in mutations(ast.parse(text)):
        place: Any = node
        begin, end = starts[place.lineno - 1] + place.col_offset, starts[place.end_lineno - 1] + place.end_col_offset
        code = ast.unparse(ast.fix_missing_locations(other))
        code = f"({code})" if isinstance(other, ast.expr) and not isinstance(other, ast.Constant | ast.Name) else code
        mutant = (source[:begin] + code.encode() + source[end:]).decode()
        with contextlib.suppress(SyntaxError):
            compile(mutant, "mutant", "exec")
            found.setdefault(mutant, Mutant(place.lineno, what, mutant))
    return [each for each in found.values() if each.text != text]


# How they are tried


class Copy:
    """A copy of the package and its tests, in which one file changes."""

    def __init__(self, folder: Path, file: Path, tests: list[str]) -> None:
        self.folder, self.target, self.tests = folder, folder / file.relative_to(ROOT), tests
        ignored = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis")
        for name in ("src", "tests"):
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for path in ROOT.iterdir():
            if path.name not in ("src", "tests") and not path.name.startswith("."):
                (folder / path.name).symlink_to(path)
        compileall.compile_dir(folder / "src", quiet=2)
        compileall.compile_dir(folder / "tests", quiet=2)

    def start(self, text: str) -> int:
        """The process that runs the tests on this text of the file."""
        for compiled in (self.target.parent / "__pycache__").glob(f"{self.target.stem}.*"):
            compiled.unlink()  # it would count as current within the same second
        self.target.write_text(text)
        process = os.fork()
        if process == 0:
            self._run()
        return process

    def _run(self) -> None:
        """In the fork: the tests, and the end of the process with pytest's exit code."""
        code = 3
        try:
            os.setsid()
            log = os.open(self.folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(self.folder)
            sys.dont_write_bytecode = True
            sys.path[:0] = [str(self.folder / "src"), str(self.folder / "tests")]
            os.environ |= {"PYTHONPATH": str(self.folder / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
            import pytest

            code = int(
                pytest.main(["-x", "-q", "--assert=plain", "-p", "no:cacheprovider", "-p", "no:xdist", *self.tests])
            )
            if os.environ.get("MUTANTS_MODULES"):
                Path(os.environ["MUTANTS_MODULES"]).write_text("\n".join(sys.modules))
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)


def wait(processes: dict[int, Any], deadlines: dict[int, float]) -> tuple[int, int]:
    """The first process to end and its exit code; one past its deadline is killed and ends with -9."""
    while True:
        for process in processes:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)  # what the tests may have left running
                return process, os.waitstatus_to_exitcode(status)
            if time.monotonic() > deadlines[process]:
                deadlines[process] = float("inf")
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process, signal.SIGKILL)
        time.sleep(0.01)


def unchanged(place: Copy, text: str) -> float:
    """Seconds that the tests take on the file as it is; ends the program where they fail."""
    begin = time.monotonic()
    process = place.start(text)
    _, code = wait({process: None}, {process: begin + 3600})
    if code != 0:
        sys.exit(f"The tests must pass before anything is changed:\n{(place.folder / 'log').read_text()[-3000:]}")
    return time.monotonic() - begin


def prepare(place: Copy, text: str) -> float:
    """Import here what the tests import, but for the package; returns how many seconds they take from then on."""
    listed = place.folder / "modules"
    os.environ["MUTANTS_MODULES"] = str(listed)
    unchanged(place, text)
    del os.environ["MUTANTS_MODULES"]
    plugins = {point.dist.name for point in entry_points(group="pytest11") if point.dist}  # pytest imports its own
    skipped = {name for name, packages in packages_distributions().items() if plugins & set(packages)}
    skipped |= {"chainrule", "__main__", *(path.stem for path in (ROOT / "tests").glob("*.py"))}
    for name in listed.read_text().split("\n"):
        if name.partition(".")[0] not in skipped:
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    return unchanged(place, text)


def survivors(places: list[Copy], waiting: list[Mutant], timeout: float) -> Iterator[Mutant]:
    """The mutants on which all tests pass."""
    running: dict[int, tuple[Copy, Mutant]] = {}
    deadlines: dict[int, float] = {}
    free, total = list(places), len(waiting)
    waiting = waiting[::-1]
    while waiting or running:
        while waiting and free:
            place, mutant = free.pop(), waiting.pop()
            process = place.start(mutant.text)
            running[process], deadlines[process] = (place, mutant), time.monotonic() + timeout
        process, code = wait(running, deadlines)
        place, mutant = running.pop(process)
        free.append(place)
        print(f"\r{total - len(waiting) - len(running)}/{total}", end="", file=sys.stderr, flush=True)
        if code == 0:
            yield mutant


def show(file: Path, text: str, mutant: Mutant) -> None:
    """A survivor as a diff."""
    lines = difflib.unified_diff(text.splitlines(), mutant.text.splitlines(), n=0, lineterm="")
    body = [line for line in lines if not line.startswith(("---", "+++", "@@"))]
    print(f"\r{file.relative_to(ROOT)}:{mutant.line}: {mutant.what}", *body, sep="\n", flush=True)


def main() -> None:
    """Mutate, try, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="the source file to change")
    parser.add_argument("tests", nargs="+", help="what must notice, as pytest takes it; the quickest first")
    parser.add_argument("--lines", default="1-1000000", help="only lines such as 20-90")
    parser.add_argument("--sample", type=int, help="only so many mutants, drawn at random")
    parser.add_argument("--seed", type=int, default=0, help="of that draw")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    options = parser.parse_args()
    file = options.file.resolve()
    text, (first, last) = file.read_text(), map(int, options.lines.split("-"))
    chosen = [mutant for mutant in mutants(text) if first <= mutant.line <= last]
    if options.sample is not None and options.sample < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.sample)
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        places = [Copy(Path(folder, str(index)), file, options.tests) for index in range(options.jobs)]
        seconds = prepare(places[0], text)
        left = 0
        for mutant in survivors(places, chosen, 10 + 5 * seconds * options.jobs):
            show(file, text, mutant)
            left += 1
    killed = len(chosen) - left
    share = 100 * killed / max(len(chosen), 1)
    print(f"\r{file.relative_to(ROOT)}: {len(chosen)} mutants, {killed} killed ({share:.1f} %), {left} survived")


if __name__ == "__main__":
    main()
