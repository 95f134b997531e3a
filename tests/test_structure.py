"""The structure of the package: imports go one way, the public names are in order, and each has an example."""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import chainrule

ROOT = Path(chainrule.__file__).parent

# Each line imports only from lines above it, or from its own package. "" is chainrule itself.
LEVELS = [
    ("errors", "interrupt", "forking", "columns", "display"),
    ("limits", "jsontext", "fixed", "paths"),
    ("files", "ranks"),
    ("pair", "special", "initializers", "schedules", "noise", "arrays"),
    ("weighting", "rows"),
    ("symbolic",),
    ("penalties", "store"),
    ("layer",),
    ("layers", "nodes"),
    ("graph",),
    ("loss",),
    ("losses",),
    ("compatibility",),
    ("optimizers",),
    ("registry",),
    ("backprop",),
    ("traces",),
    ("value",),
    ("explaining",),
    ("metrics", "trained"),
    ("plots", "summary"),
    ("datasets",),
    ("exchange",),
    ("blasthreads",),
    ("engines",),
    ("distributed",),
    ("training",),
    ("recipe",),
    ("planning",),
    ("model",),
    ("ensemble",),
    ("book",),
    ("checking", "comparing"),
    ("exercises",),
    ("testing", "sklearn"),
    ("play",),
    ("",),
    ("bench",),
    ("commands",),
    ("cli",),
    ("__main__",),
]
LEVEL = {name: level for level, names in enumerate(LEVELS) for name in names}
TYPES_ONLY = {"Array", "Arrays"}  # what losses and optimizers may take from layer

SOURCES = sorted(ROOT.rglob("*.py"))
every_source = pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def parts_of(path: Path) -> tuple[str, ...]:
    """Where a file lies inside the package: ("layers", "dense")."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" else parts


def is_module(parts: tuple[str, ...]) -> bool:
    place = ROOT.joinpath(*parts)
    return place.is_dir() or place.with_suffix(".py").is_file()


def imports(path: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """(module, imported name) of each import from this package: also those in functions and under TYPE_CHECKING."""
    here = parts_of(path)
    yield from imports_of(parse(path), here if path.name == "__init__.py" else here[:-1])


def imports_of(tree: ast.Module, package: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                first, *rest = alias.name.split(".")
                if first == "chainrule":
                    yield tuple(rest), ""
        elif isinstance(node, ast.ImportFrom):
            named = tuple((node.module or "").split(".")) if node.module else ()
            if node.level:
                base = (*package[: len(package) + 1 - node.level], *named)
            elif named[:1] == ("chainrule",):
                base = named[1:]
            else:
                continue
            for alias in node.names:
                yield (*base, alias.name) if is_module((*base, alias.name)) else base, alias.name


@every_source
def test_a_module_imports_only_from_the_levels_below_it(path: Path) -> None:
    own = "".join(parts_of(path)[:1])
    assert own in LEVEL, f"put {own!r} into LEVELS in tests/test_structure.py, below all that it imports"
    for parts, name in imports(path):
        module = "".join(parts[:1])
        assert module in LEVEL, f"put {module!r} into LEVELS in tests/test_structure.py, below all that it imports"
        inside = module == own and len(parts_of(path)) + (path.name == "__init__.py") > 1
        fine = inside or LEVEL[module] < LEVEL[own]
        assert fine, f"{own or 'chainrule'} imports {name} from {module or 'chainrule'}"


def circles(graph: Mapping[str, set[str]]) -> set[frozenset[str]]:
    """The modules that reach each other: the strongly connected components with more than one member, and loops."""
    reached = {start: reachable(graph, start) for start in graph}
    return {frozenset(other for other in reached[start] if start in reached.get(other, ())) for start in graph} - {
        frozenset()
    }


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Every module that one imports, itself or through others."""
    found: set[str] = set()
    waiting = [start]
    while waiting:
        new = graph.get(waiting.pop(), set()) - found
        found |= new
        waiting += new
    return found


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {".".join(parts_of(path)): {".".join(parts) for parts, _ in imports(path)} for path in SOURCES}
    assert circles(graph) == set(), "these modules import each other: move what both need below both"


def test_this_test_sees_circles_of_any_length_and_no_others() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == {frozenset("abc")}
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == set()
    assert circles({"a": {"a"}}) == {frozenset("a")}


@pytest.mark.parametrize(
    "source",
    [
        "from .layer import Layer",
        "def run():\n    from .layer import Layer",
        "if TYPE_CHECKING:\n    from .layer import Layer",
        "from . import layer",
        "import chainrule.layer",
        "from chainrule.layer import Layer",
        "from chainrule import layer",
    ],
)
def test_this_test_sees_an_import_wherever_it_stands(source: str) -> None:
    assert [module for module, _ in imports_of(ast.parse(source), ())] == [("layer",)]


@pytest.mark.parametrize("name", ["loss", "losses", "optimizers"])
def test_losses_and_optimizers_know_of_layers_only_the_names_of_types(name: str) -> None:
    above = ("layer", "layers", "graph")
    taken = {imported for module, imported in imports(ROOT / f"{name}.py") if module[:1] and module[0] in above}
    assert taken <= TYPES_ONLY


def test_this_test_sees_imports_at_all() -> None:
    assert (("pair",), "Pair") in set(imports(ROOT / "layer.py"))
    assert (("noise",), "noise") in set(imports(ROOT / "layer.py"))
    assert (("layer",), "Layer") in set(imports(ROOT / "layers" / "dense.py"))
    assert (("layers", "dense"), "*") in set(imports(ROOT / "layers" / "__init__.py"))


# Names

# Classes of one name in several modules, and why.
SHARED_NAMES = {
    "Loss": "the book's own name",
    "Model": "the book's own name",
    "Layer_Dense": "the book's, and its chapter 17's",
    "Gradient": "a workload, and what the fused engine computes",
    "Prediction": "a workload, and what the fused engine computes",
}


def test_a_name_stands_for_one_class() -> None:
    found: dict[str, set[Path]] = {}
    for path in SOURCES:
        for node in parse(path).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).add(path)
    assert {name for name, paths in found.items() if len(paths) > 1} == set(SHARED_NAMES)


# Randomness

GENERATORS = {"Generator", "RandomState", "SeedSequence", "default_rng", "BitGenerator", "MT19937", "PCG64", "Philox"}


def global_randomness(tree: ast.Module) -> Iterator[str]:
    """Every use of a random stream that programs share: numpy.random's functions, the random module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Attribute) and node.value.attr == "random":
            if node.attr not in GENERATORS:
                yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in ("random", "numpy.random"))
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module in ("random", "numpy.random"):
            yield from (alias.name for alias in node.names if alias.name not in GENERATORS)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module == "numpy":
            yield from (alias.name for alias in node.names if alias.name == "random")


# One seeds them for layers that draw from them, and puts them back; the other knows a generator of a layer's own.
OTHERS_STREAMS = (
    Path("checking/streams.py"),
    Path("checking/subjects/objects.py"),
    Path("book/world.py"),
    Path("comparing/runner.py"),
)


@every_source
def test_no_module_uses_a_global_random_stream(path: Path) -> None:
    if path.relative_to(ROOT) in OTHERS_STREAMS:
        return
    assert list(global_randomness(parse(path))) == []


def test_this_test_sees_global_randomness() -> None:
    shared = ["import random", "from numpy.random import rand", "from numpy import random", "np.random.seed(0)"]
    own = ["np.random.default_rng(0)", "from numpy.random import Generator", "rng.random(3)"]
    assert all(len(list(global_randomness(ast.parse(line)))) == 1 for line in shared)
    assert not any(list(global_randomness(ast.parse(line))) for line in own)


# Importing


def run_python(program: str) -> str:
    """What a fresh interpreter prints, with this test's own search path for modules."""
    prepared = f"import sys; sys.path[:] = {sys.path!r}\n{program}"
    return subprocess.run([sys.executable, "-c", prepared], capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_no_other_package_than_numpy() -> None:
    program = """
before = {name.partition(".")[0] for name in sys.modules}
import chainrule
after = {name.partition(".")[0] for name in sys.modules}
print(*sorted(after - before - sys.stdlib_module_names))
"""
    assert run_python(program).split() == ["chainrule", "numpy"]


def test_importing_the_package_leaves_the_random_streams_alone() -> None:
    program = """
import random
import numpy as np
random.seed(1)
np.random.seed(1)
before = random.getstate(), [str(part) for part in np.random.get_state()]
import chainrule
print(before == (random.getstate(), [str(part) for part in np.random.get_state()]))
"""
    assert run_python(program).strip() == "True"


def test_training_leaves_the_random_streams_alone() -> None:
    program = """
import numpy as np
from chainrule import Adam, Dense, Dropout, MeanSquaredError, Sequential, train_step
np.random.seed(1)
network, X = Sequential(Dense(2, 3), Dropout(0.5), Dense(3, 1)), np.ones((4, 2))
parameters = network.initial_parameters()
train_step(network, MeanSquaredError(), Adam(), parameters, Adam().initial_slots(np, parameters), X, X[:, 0])
print(np.random.random_sample() == np.random.RandomState(1).random_sample())
"""
    assert run_python(program).strip() == "True"


# Public names


def kind(name: str) -> int:
    """Constants first, then classes, then the rest: the order of isort and ruff."""
    return 0 if name.isupper() else 1 if name[0].isupper() else 2


def test_public_names_are_sorted_unique_and_there() -> None:
    names = chainrule.__all__
    assert names == sorted(names, key=lambda name: (kind(name), name))
    assert len(set(names)) == len(names)
    assert [name for name in names if not hasattr(chainrule, name)] == []


def test_dir_shows_every_public_name_before_and_after_the_lazy_ones_are_imported() -> None:
    program = """
import chainrule
before = dir(chainrule)
chainrule.explain
lazy = {"explaining", "symbolic"}
print(set(chainrule.__all__) <= set(before) == set(dir(chainrule)) - lazy, before == sorted(set(before)))
"""
    assert run_python(program).split() == ["True", "True"]


def test_nothing_public_is_left_out_of_all() -> None:
    """A name that `chainrule/__init__.py` imports is public."""
    tree = parse(ROOT / "__init__.py")
    imported = {alias.asname or alias.name for n in tree.body if isinstance(n, ast.ImportFrom) for alias in n.names}
    assert {name for name in imported - {"annotations", "*"} if not name.startswith("_")} <= set(chainrule.__all__)


def test_a_layer_a_loss_or_an_optimizer_is_public_and_can_be_saved_by_its_own_module_alone() -> None:
    from chainrule import layers, losses, optimizers, registry

    for module in (layers.activations, layers.dense, layers.joins, losses, optimizers):
        assert set(module.__all__) <= set(chainrule.__all__)
        built = {name for name in module.__all__ if name not in ("Loss", "Optimizer")}
        assert built <= set(registry._CLASSES)


WITH_ALL = [path for path in SOURCES if "\n__all__ = " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_ALL, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_all_of_each_module_names_what_is_there(path: Path) -> None:
    module = importlib.import_module(".".join(("chainrule", *parts_of(path))))
    assert len(set(module.__all__)) == len(module.__all__)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


NO_EXAMPLE = {
    "CSVLogger": "writes a file",
    "Callback": "the base of the callbacks",
    "MLflow": "writes to a tracking server",
    "TensorBoard": "writes a file",
    "ChainruleError": "the base of the errors; raised nowhere by itself",
    "GradientMismatch": "what check raises; its example is that of check_layer",
    "Declared": "shown in the example of Layer",
    "Explanation": "what explain returns; shown there",
    "Loss": "an abstract base; its example is that of prepare",
    "Optimizer": "an abstract base; its examples are those of its methods",
    "Penalty": "an abstract base",
    "Trace": "what trace returns; shown there",
}


def documented() -> list[Any]:
    items = {name: getattr(chainrule, name) for name in chainrule.__all__}
    return [
        pytest.param(item, id=name) for name, item in items.items() if inspect.isclass(item) or inspect.isroutine(item)
    ]


@pytest.mark.parametrize("item", documented())
def test_every_public_class_and_function_has_a_docstring_with_an_example(item: Any) -> None:
    text = item.__doc__ or ""
    assert text.strip(), "write a docstring"
    assert not text.startswith(f"{item.__name__}("), "a dataclass without a docstring of its own shows its signature"
    if item.__name__ not in NO_EXAMPLE:
        assert ">>>" in text, "write an example that a reader can redo by hand"


def test_the_exceptions_have_no_example_and_are_still_public() -> None:
    """So that the list above shrinks when an example is written."""
    for name in NO_EXAMPLE:
        assert name in chainrule.__all__ and ">>>" not in getattr(chainrule, name).__doc__
