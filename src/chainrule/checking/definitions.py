"""Running what a file defines, and nothing else: imports, functions, classes and the assignments that these read."""

from __future__ import annotations

import ast
import builtins
import io
import json
import linecache
import re
import sys
import tokenize
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import ConfigurationError
from ..paths import did_you_mean
from .imports import import_into, root_of, stand_ins
from .streams import seed_streams, streams_kept

__all__ = ["Names", "load", "text_of"]

_SEED = 1
_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_IMPORTS = (ast.Import, ast.ImportFrom)


class Names(dict[str, Any]):
    """What a file defines, with the modules and texts that stood-in ones took the place of, and what failed."""

    missing: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()  # files that are not there

    @property
    def note(self) -> str:
        """One sentence about both; empty where all is there."""
        parts = []
        if self.missing:
            parts.append(f"{', '.join(self.missing)} could not be imported, and a stand-in took the place")
        if self.unread:
            parts.append(f"{', '.join(self.unread)} could not be read, and a short text took the place")
        if self.skipped:
            parts.append(f"{', '.join(self.skipped)} could not be set and was left out")
        return "; ".join(parts) + "." if parts else ""


def load(path: str | Path) -> Names:
    """Run the definitions of a Python file or a notebook and return its names.

    Raises `ConfigurationError` where there is no such file, or where a definition fails.
    """
    place = Path(path)
    if not place.is_file():
        raise ConfigurationError(
            f"{path} is no file; write chainrule check FILE.py, or FILE.py:Class.{did_you_mean(path)}"
        )
    if place.suffix not in (".py", ".ipynb"):
        raise ConfigurationError(f"{path} is no Python file; its name must end in .py or .ipynb.")
    text = text_of(place)
    try:
        tree = ast.parse(text, filename=str(place))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # too deep a nesting is no lack of memory
        error = SyntaxError("nested too deeply") if isinstance(error, RecursionError | MemoryError) else error
        where = f"line {error.lineno}: " if isinstance(error, SyntaxError) and error.lineno is not None else ""
        raise ConfigurationError(f"{path} does not run: {where}{type(error).__name__}: {error}") from None
    module = _module(place, text)
    with stand_ins(root_of(place.resolve().parent)) as nested, streams_kept():
        seed_streams(_SEED)
        unread: list[str] = []
        vars(module)["open"] = _Opening(unread)
        missing, skipped = _run(tree, module, place)
        if isinstance(vars(module).get("open"), _Opening):
            del vars(module)["open"]
    missing += nested
    names = Names({name: value for name, value in vars(module).items() if not name.startswith("__")})
    names.missing, names.skipped = tuple(dict.fromkeys(missing)), tuple(skipped)
    names.unread = tuple(dict.fromkeys(unread))
    return names


def text_of(place: Path) -> str:
    """The text of a file, or of the code cells of a notebook. Raises `ConfigurationError` where it has none."""
    try:
        if place.suffix != ".ipynb":
            with tokenize.open(place) as source:  # in the encoding that its first lines name, as Python itself
                return source.read()
        text = place.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        raise ConfigurationError(f"{place} cannot be read: {error}") from None
    try:
        cells = json.loads(text)["cells"]
        sources = [cell["source"] for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{place} is no notebook: {type(error).__name__}: {error}") from None
    return "\n".join(_cell(source if isinstance(source, str) else "".join(source)) for source in sources)


def _cell(source: str) -> str:
    """A cell without the lines that are IPython's: magics, commands of the shell, questions."""
    if re.match(r"\s*%%(?!time|capture)", source):
        return ""
    lines = [re.sub(r"^(\s*)([%!].*|\?.*|.*\?)$", r"\1pass", line) for line in source.splitlines()]
    kept = "\n".join(lines)
    try:
        ast.parse(kept)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return "\n".join("pass" for _ in lines)  # a cell that does not parse takes none of the others with it
    return kept


def _module(place: Path, text: str) -> types.ModuleType:
    name = f"checked_{re.sub(r'[^0-9A-Za-z_]', '_', place.stem)}"
    module = types.ModuleType(name)
    module.__file__ = str(place)
    sys.modules[name] = module
    linecache.cache[str(place)] = (len(text), None, text.splitlines(keepends=True), str(place))
    return module


class _Opening:
    """`open` for a file's own lines: a text that is not there reads as a short one, with letters for a vocabulary."""

    def __init__(self, unread: list[str]) -> None:
        self.unread = unread

    def __call__(self, name: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
        """The file, or the short text."""
        try:
            return open(name, mode, *arguments, **named)
        except FileNotFoundError:
            if "b" in mode or "r" not in mode:
                raise
            self.unread.append(str(name))
            return io.StringIO("hello world, hello all\n" * 4)


# What is run


def _run(tree: ast.Module, module: types.ModuleType, place: Path) -> tuple[list[str], list[str]]:
    """Run the statements that define something; the modules stood in for, and the assignments that failed."""
    missing: list[str] = []
    skipped: list[str] = []
    module.__doc__ = ast.get_docstring(tree)
    for node in _wanted(tree):
        if isinstance(node, _IMPORTS):
            import_into(vars(module), node, place, missing)
            continue
        code = compile(ast.Module([node], []), str(place), "exec")
        try:
            exec(code, vars(module))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a file that is not ours: anything may come, sys.exit() too
            if isinstance(node, _DEFINES) or isinstance(error, MemoryError):
                raise ConfigurationError(
                    f"{place} does not run: line {_line(error, node, place)}: {type(error).__name__}: {error}"
                ) from None
            skipped += sorted(_written(node)) or [f"line {node.lineno}"]
    return missing, skipped


def _line(error: BaseException, node: ast.stmt, place: Path) -> int:
    trace, line = error.__traceback__, node.lineno
    while trace is not None:
        line = trace.tb_lineno if trace.tb_frame.f_code.co_filename == str(place) else line
        trace = trace.tb_next
    return line


def _wanted(tree: ast.Module) -> list[ast.stmt]:
    """Definitions and imports, and of the rest what they read, in the order of the file."""
    statements = list(_flat(tree.body))
    kept = {i for i, node in enumerate(statements) if isinstance(node, (*_DEFINES, *_IMPORTS, ast.Try))}
    while True:
        read = {name for i in kept for name in _read(statements[i])}
        more = {i for i, node in enumerate(statements) if i not in kept and _assigns(node) and _written(node) & read}
        if not more:
            return [statements[i] for i in sorted(kept)]
        kept |= more


def _assigns(node: ast.stmt) -> bool:
    """Whether a statement does nothing but give names their values: also `with open(...) as f: text = f.read()`."""
    if isinstance(node, ast.With):
        opens = all(ast.unparse(item.context_expr).startswith("open(") for item in node.items)
        return opens and all(isinstance(each, ast.Assign) for each in node.body)
    return isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign)


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a file, those of `if` taken apart except what is for running the file as a program."""
    for node in body:
        if isinstance(node, ast.If):
            if "__name__" not in ast.unparse(node.test):
                yield from _flat(node.body)
        elif isinstance(node, ast.Try) and not any(isinstance(n, (*_IMPORTS, *_DEFINES)) for n in node.body):
            continue
        else:
            yield node


def _read(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _written(node: ast.AST) -> set[str]:
    targets = {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for target in getattr(node, "targets", []):
        base = target
        while isinstance(base, ast.Subscript | ast.Attribute):  # TABLE["relu"] = ...
            base = base.value
        targets |= {base.id} if isinstance(base, ast.Name) else set()
    return targets - set(dir(builtins))
