"""The build hook: by whatever compiler can be had, into the wheel, and never in the way of an install."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
import zlib
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import chainrule.engines

pytest.importorskip("hatchling")
ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / "hatch_build.py").is_file(), reason="the tests of an installed package")
SYSTEM = next((name for name in ("gcc", "clang") if shutil.which(name)), None)
needs_compiler = pytest.mark.skipif(SYSTEM is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SMALL = """typedef float v16 __attribute__((vector_size(64)));
void add_{name}(v16 *a, const v16 *b) {{ *a += *b; }}
"""


@pytest.fixture
def tree(tmp_path: Path, hook: ModuleType) -> Path:
    """What a wheel is made of, somewhere else, with kernels of one line each, which take no time to compile."""
    root = tmp_path / "tree"
    root.mkdir()
    for name in ("hatch_build.py", "pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, root)
    place = root / hook.PLACE
    shutil.copytree(ROOT / hook.PLACE / "c", place / "c")
    for folder in (place, place.parent, place.parents[1]):
        (folder / "__init__.py").touch()
    shutil.copy(ROOT / "src" / "chainrule_shell.py", root / "src")
    for name in ("float32", "float64"):
        (place / "c" / f"{name}.c").write_text(SMALL.format(name=name))
    return root


def hook_for(hook: ModuleType, tree: Path) -> Any:
    made = hook.KernelsHook.__new__(hook.KernelsHook)
    made.__dict__.update({"_BuildHookInterface__root": str(tree)})
    made.said = []
    made._BuildHookInterface__app = SimpleNamespace(display_warning=made.said.append)
    return made


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, empty; zig is not installed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("CC", raising=False)
    return folder


@pytest.fixture
def no_zig(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hook, "find_spec", lambda name: None)


def put(folder: Path, name: str, target: str | None = None) -> None:
    """A program: a real one under another name, or one that fails."""
    if target is not None:
        (folder / name).symlink_to(target)
        return
    (folder / name).write_text("#!/bin/sh\necho 'fatal error: stdio.h is not here' >&2\nexit 1\n")
    (folder / name).chmod(0o755)


def compilers_of_the_system(folder: Path) -> None:
    """A real cc, with the programs that it runs."""
    for name in ("as", "ld", "collect2"):
        found = shutil.which(name, path=os.defpath)
        if found:
            put(folder, name, found)
    put(folder, "gcc", str(shutil.which("gcc", path=os.defpath) or shutil.which("clang", path=os.defpath)))


def wheel_of(tree: Path, **environment: str) -> tuple[Path, dict[str, bytes]]:
    """The wheel as `pip` would have it built, without a network, and what it holds of the engine."""
    script = "import hatchling.build, sys; print(hatchling.build.build_wheel(sys.argv[1]))"
    folder = tree.parent / "wheels"
    folder.mkdir(exist_ok=True)
    subprocess.run(
        [sys.executable, "-c", script, str(folder)], cwd=tree, check=True, env=os.environ | environment, timeout=300
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = [name for name in packed.namelist() if "/fused/" in name or name.endswith("WHEEL")]
        return wheel, {name.rpartition("/")[2]: packed.read(name) for name in names}


@needs_compiler
def test_a_wheel_holds_a_library_for_each_level_and_is_for_every_python(tree: Path, hook: ModuleType) -> None:
    wheel, held = wheel_of(tree)
    record = json.loads(held["built.json"])
    assert record["problem"] is None and record["compiler"]
    libraries = [f"kernels-{level}{hook.SUFFIX}" for level in hook.LEVELS[hook.machine()]]
    assert record["libraries"] == [*libraries, f"processor{hook.SUFFIX}"]
    assert all(held[name] for name in record["libraries"])
    python, abi, platform = wheel.stem.split("-")[2:]
    assert (python, abi) == ("py3", "none") and platform not in ("any", "linux_x86_64")
    assert b"Root-Is-Purelib: false" in held["WHEEL"]
    installed = (Path(chainrule.engines.__file__).parent / "fused").glob(f"*{hook.SUFFIX}")
    package = Path(chainrule.__file__).parent.rglob("*.py")
    assert sum(len(zlib.compress(path.read_bytes(), 6)) for path in (*installed, *package)) < 3e6


def test_no_compiler_gives_a_wheel_of_python_alone_that_says_why(
    tree: Path, path: Path, hook: ModuleType, no_zig: None
) -> None:
    compiler, record = hook.build(tree, tree)
    assert compiler is None and record["problem"] == "no C compiler was found that works"
    assert record["tried"][0] == "cc: not found" and record["tried"][-1].startswith("ziglang: ")
    if importlib.util.find_spec("ziglang") is None:
        wheel, held = wheel_of(tree)
        assert wheel.name.endswith("py3-none-any.whl")
        assert json.loads(held["built.json"])["problem"] == record["problem"]
        with zipfile.ZipFile(wheel) as packed:
            assert "chainrule_shell.py" in packed.namelist()
        assert not [name for name in held if name.endswith(hook.SUFFIX)]


@needs_compiler
def test_a_broken_compiler_falls_through_to_the_next(tree: Path, path: Path, hook: ModuleType, no_zig: None) -> None:
    put(path, "cc")
    compilers_of_the_system(path)
    folder = tree / "libraries"
    folder.mkdir()
    compiler, record = hook.build(tree, folder)
    assert compiler is not None and compiler.name == "gcc"
    assert record["tried"] == ["cc: exit code 1: fatal error: stdio.h is not here"]


def test_ccs_that_hang_or_cannot_be_run_are_named(
    tree: Path, path: Path, hook: ModuleType, no_zig: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path / "cc").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (path / "gcc").write_text("this is no program")
    for name in ("cc", "gcc"):
        (path / name).chmod(0o755)
    monkeypatch.setattr(hook, "BRIEF", 0.5)
    monkeypatch.setenv("CC", "'a quote that does not end")
    record = hook.build(tree, tree)[1]
    tried = record["tried"]
    assert record["problem"] == "no C compiler ended in time" and record["advice"].startswith("Wait until")
    assert "cc: did not end within 0 s" in tried or "cc: did not end within 1 s" in tried
    assert any(line.startswith("gcc: ") and "not found" not in line for line in tried)


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX")
def test_a_machine_that_stands_still_is_not_a_compiler_that_hangs(hook: ModuleType) -> None:
    """The build and its compiler are stopped for longer than the compiler may take, as when a computer sleeps."""
    asked = "import hatch_build; hatch_build.run(['sleep', '0.3'], 0.6)"
    with subprocess.Popen([sys.executable, "-c", asked], start_new_session=True, cwd=ROOT) as process:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        while process.poll() is None and children.exists() and not children.read_text():
            time.sleep(0.01)
        for number, pause in ((signal.SIGSTOP, 0.8), (signal.SIGCONT, 0)):
            os.killpg(process.pid, number)
            time.sleep(pause)
        assert process.wait(60) == 0


def test_a_build_without_machine_code_says_so_where_nobody_can_overlook_it_or_fails_where_asked(
    tree: Path, path: Path, hook: ModuleType, no_zig: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = hook_for(hook, tree)
    made.initialize("standard", {"force_include": {}})
    made.finalize("standard", {}, "")
    assert made.said[1] == "This build of chainrule has NO MACHINE CODE: no C compiler was found that works."
    assert "cc: not found" in made.said and made.said[-2].startswith("Install one (")
    assert len(made.said[0]) == 100 and set(made.said[0]) == {"*"}
    monkeypatch.setenv("CHAINRULE_REQUIRE_KERNELS", "1")
    with pytest.raises(RuntimeError, match="NO MACHINE CODE: no C compiler was found that works"):
        made.initialize("standard", {"force_include": {}})


@needs_compiler
def test_the_compiler_that_cc_names_comes_first(tree: Path, hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", f"{SYSTEM} -DNDEBUG")
    assert next(hook.candidates()).command == (SYSTEM, "-DNDEBUG")
    folder = tree / "libraries"
    folder.mkdir()
    assert hook.build(tree, folder)[0].name == f"{SYSTEM} -DNDEBUG"


@needs_compiler
def test_sources_that_one_compiler_refuses_are_given_to_the_next_and_fail_no_install(
    tree: Path, hook: ModuleType, no_zig: None
) -> None:
    (tree / hook.PLACE / "c" / "wrong.c").write_text("int wrong(void) { return words; }")
    compiler, record = hook.build(tree, tree)
    assert compiler is None and all("words" in line for line in record["tried"] if "not" not in line.split(": ")[1])
    assert wheel_of(tree)[0].name.endswith("any.whl")


def test_zig_is_asked_for_only_where_no_compiler_works_and_the_index_has_it(
    tree: Path, path: Path, hook: ModuleType, no_zig: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for there, wanted in ((True, ["ziglang>=0.13"]), (False, [])):
        monkeypatch.setattr(hook, "can_be_had", lambda package, there=there: there)
        assert hook_for(hook, tree).dependencies() == wanted
    if SYSTEM is not None:
        compilers_of_the_system(path)
        monkeypatch.setattr(hook, "can_be_had", lambda package: pytest.fail("the index was asked"))
        assert hook_for(hook, tree).dependencies() == []


def test_an_index_out_of_reach_is_given_up_soon(hook: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://10.255.255.1/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    begin = time.perf_counter()
    assert not hook.can_be_had("ziglang")
    assert time.perf_counter() - begin < 35


@needs_compiler
def test_an_editable_build_leaves_the_libraries_beside_their_sources(tree: Path, hook: ModuleType) -> None:
    made, data = hook_for(hook, tree), {"force_include": {}}
    made.initialize("editable", data)
    made.finalize("editable", data, "")
    assert data["tag"].startswith("py3-none-") and not made.folder.exists()
    record = json.loads((tree / hook.PLACE / "built.json").read_text())
    assert record["problem"] is None
    assert all((tree / hook.PLACE / name).is_file() for name in record["libraries"])
    names = [*record["libraries"], "built.json"]
    ignored = subprocess.run(["git", "check-ignore", *(str(hook.PLACE / name) for name in names)], cwd=ROOT, text=True,
                             capture_output=True, check=False)  # fmt: skip
    assert len(ignored.stdout.splitlines()) == len(names) or not (ROOT / ".git").exists()
    stale = (tree / hook.PLACE / record["libraries"][0]).read_bytes()
    (tree / hook.PLACE / record["libraries"][0]).write_bytes(b"old")
    assert len(wheel_of(tree)[1][record["libraries"][0]]) >= len(stale) / 2  # a wheel is built anew, with nothing of it


def test_an_sdist_carries_the_sources_and_the_hook(tree: Path) -> None:
    import tarfile

    script = "import hatchling.build; print(hatchling.build.build_sdist('.'))"
    subprocess.run([sys.executable, "-c", script], cwd=tree, check=True, timeout=60)
    (packed,) = tree.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    sources = {str(path.relative_to(ROOT)) for path in (ROOT / "src/chainrule/engines/fused/c").iterdir()}
    assert sources | {"hatch_build.py", "pyproject.toml"} <= names
    assert not [name for name in names if name.endswith((".so", ".dll", ".dylib", "built.json"))]


@pytest.mark.parametrize("which", ["small", "installed"])
@needs_compiler
def test_code_for_avx512_is_in_the_library_for_it_alone(tree: Path, hook: ModuleType, which: str) -> None:
    dump = shutil.which("objdump")
    if dump is None or hook.machine() != "x86-64":
        pytest.skip("needs objdump on x86-64")
    folder = Path(chainrule.engines.__file__).parent / "fused"
    if which == "installed" and not any(folder.glob(f"kernels-*{hook.SUFFIX}")):
        pytest.skip("needs machine code beside the package")
    if which == "small":
        folder = tree / "libraries"
        folder.mkdir()
        hook.build(tree, folder)
    wide = {
        path.stem: "zmm" in subprocess.run([dump, "-d", path], capture_output=True, text=True, check=True).stdout
        for path in folder.glob(f"*{hook.SUFFIX}")
    }
    assert wide == {"processor": False, "kernels-x86-64-v3": False, "kernels-x86-64-v4": True}
