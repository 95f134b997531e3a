"""Compiles the kernels of the fused engine while the package is built, by whatever C compiler can be had.

In turn: the compiler that CC names, cc, gcc, clang, and that of the wheel `ziglang`, which is asked for only where no
other works and where the index has it. Where nothing can be had the wheel holds Python alone. What happened stands in
`built.json` beside the libraries, for `chainrule info`. An editable install finds them beside their sources; so does
`python hatch_build.py`.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import platform_tags

PLACE = Path("src", "chainrule", "engines", "fused")  # where libraries lie; their sources are in `c`
SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
# contraction (a * b + c rounded once) is GCC's default in its own dialect of C and clang's in both: asked for in words
FLAGS = ("-O3", "-std=c11", "-ffp-contract=fast", "-shared", *(() if sys.platform == "win32" else ("-fPIC",)))
LIBRARIES = ("-lm", "-lpthread")
LEVELS = {"x86-64": ("x86-64-v3", "x86-64-v4"), "aarch64": ("aarch64",)}
MACHINES = {"x86_64": "x86-64", "amd64": "x86-64", "aarch64": "aarch64", "arm64": "aarch64"}
SECONDS, BRIEF = 1800, 120  # of a run of a compiler, and of a small one, at most
PARTS = 100  # of that time
IN_TIME = "did not end within"
INSTALL = {"darwin": "xcode-select --install", "win32": "pip install ziglang"}.get(sys.platform, "apt install gcc")
REQUIRED = "CHAINRULE_REQUIRE_KERNELS"  # a variable of the environment: no wheel without machine code
ASK = (
    "import ctypes, sys; f = ctypes.CDLL(sys.argv[1]).processor_level; f.restype = ctypes.c_char_p; print(f().decode())"
)


class NotBuilt(Exception):
    """Why there is no library."""


def machine() -> str:
    """The family of the processor for which this Python was built."""
    name = platform.machine()
    if name.lower() not in MACHINES or struct.calcsize("P") != 8:
        raise NotBuilt(f"there are no kernels for {8 * struct.calcsize('P')}-bit {name or 'unknown'} processors")
    return MACHINES[name.lower()]


class Compiler(NamedTuple):
    """A C compiler by its command; `zig` spells levels and targets in its own way."""

    command: tuple[str, ...]
    zig: bool = False

    @property
    def name(self) -> str:
        """What a person would call it."""
        return "ziglang" if self.zig else " ".join(self.command)

    def architecture(self, level: str) -> list[str]:
        """The options for a level; without them zig would write code for this very machine."""
        whole = ["-mprefer-vector-width=512"] if level == "x86-64-v4" else []  # else clang cuts long vectors in half
        if self.zig:
            return [
                "-target",
                zig_target(),
                f"-mcpu={level.replace('-', '_')}" if "-v" in level else "-mcpu=baseline",
                *whole,
            ]
        if level == "aarch64":
            return [] if sys.platform == "darwin" else ["-march=armv8-a"]
        return [f"-march={level}", *whole]

    def compile(self, sources: list[Path], library: Path, level: str, seconds: float = SECONDS) -> None:
        """One shared library of the sources. Raises `NotBuilt` with what the compiler said."""
        files = [*map(str, sources), "-o", str(library)]
        run([*self.command, *FLAGS, *self.architecture(level), *files, *LIBRARIES], seconds)

    def version(self) -> str:
        """The first line of what it says of itself."""
        return run([*self.command, "--version"]).splitlines()[0].strip()


def run(command: list[str], seconds: float = SECONDS, environment: dict[str, str] | None = None) -> str:
    """What a command prints. Raises `NotBuilt` where it fails, hangs or is not there."""
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    try:
        with subprocess.Popen(command, text=True, errors="replace", env=environment, **pipes) as process:
            printed, complaints = _ended(process, seconds)
    except (OSError, ValueError) as error:
        raise NotBuilt(str(error)) from None
    if process.returncode:
        said = [line.strip() for line in (complaints + printed).splitlines() if line.strip()]
        telling = next((line for line in said if "error" in line.lower()), said[-1] if said else "no message")
        raise NotBuilt(f"exit code {process.returncode}: {telling[:200]}")
    return printed


def _ended(process: subprocess.Popen[str], seconds: float) -> tuple[str, str]:
    """What a process has printed when it ends. Raises `NotBuilt` where that takes too long.

    The time is counted in parts: where the machine stands still, and the process with it, a clock would go on.
    """
    for _ in range(PARTS):
        try:
            return process.communicate(timeout=seconds / PARTS)
        except subprocess.TimeoutExpired:
            continue
    process.kill()
    raise NotBuilt(f"{IN_TIME} {seconds:.0f} s")


def zig_target() -> str:
    """This machine as zig names it; on Linux the oldest glibc that Python's own wheels run on."""
    family = {"x86-64": "x86_64"}.get(machine(), machine())
    if sys.platform == "win32":
        return f"{family}-windows-gnu"
    if sys.platform == "darwin":
        return f"{family}-macos.11.0"
    return f"{family}-linux-" + ("musl" if "musl" in str(list(platform_tags())) else "gnu.2.17")


def tag(compiler: Compiler) -> str:
    """The tag of a wheel with libraries: any Python 3, this platform and this C library or a newer one."""
    first = next(name for name in platform_tags() if not name.startswith("linux"))
    if compiler.zig and first.startswith("manylinux"):
        return f"py3-none-manylinux_2_17_{platform.machine()}"
    return f"py3-none-{first}"


def candidates() -> Iterator[Compiler]:
    """The compilers to try, in turn."""
    named = os.environ.get("CC", "")
    try:
        words = shlex.split(named, posix=os.name != "nt")
    except ValueError:  # a quote that does not end
        words = [named]
    for command in dict.fromkeys(filter(None, [tuple(words), ("cc",), ("gcc",), ("clang",)])):
        yield Compiler(command)
    if find_spec("ziglang") is not None:
        yield Compiler((sys.executable, "-m", "ziglang", "cc"), zig=True)


def try_out(compiler: Compiler, source: Path, folder: Path) -> None:
    """Raises `NotBuilt` unless the compiler knows every level and Python can load and call what it makes."""
    if shutil.which(compiler.command[0]) is None:
        raise NotBuilt("not found")
    family = machine()
    for level in (*LEVELS[family], family):
        library = folder / f"processor{SUFFIX}"
        compiler.compile([source], library, level, BRIEF)
    run([sys.executable, "-c", ASK, str(library)], BRIEF)


def failing(compiler: Compiler, root: Path) -> str | None:
    """What is wrong with a compiler, if anything."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            try_out(compiler, root / PLACE / "c" / "processor.c", Path(folder))
        except NotBuilt as error:
            return str(error)
    return None


def can_be_had(package: str) -> bool:
    """Whether the index that pip (or uv) uses answers soon and has a wheel of a package for this machine."""
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}  # pip is outside of the build
    quick = ["--timeout", "5", "--retries", "0", "--disable-pip-version-check", "--only-binary", ":all:"]
    pip, uv = ["index", "versions", package, *quick], ["pip", "install", "--dry-run", "--no-deps", package]
    for program, ask in (([sys.executable, "-m", "pip"], pip), (["pip"], pip), (["uv"], uv)):
        try:
            run([*program, "--version"], 15, clean)
        except NotBuilt:
            continue
        try:
            run([*program, *ask], 15, clean)
        except NotBuilt:
            return False
        return True
    return False


def digest(folder: Path) -> str:
    """What tells these sources from others; the package compares it when it loads a library."""
    found = hashlib.sha256()
    for source in sorted((*folder.glob("*.c"), *folder.glob("*.h"))):
        found.update(source.name.encode() + b"\0" + source.read_bytes().replace(b"\r\n", b"\n"))
    return found.hexdigest()


def compile_all(compiler: Compiler, root: Path, folder: Path) -> list[str]:
    """Every library, into a folder: their names."""
    sources, family = sorted((root / PLACE / "c").glob("*.c")), machine()
    wanted = {f"kernels-{level}{SUFFIX}": (sources, level) for level in LEVELS[family]}
    wanted[f"processor{SUFFIX}"] = ([root / PLACE / "c" / "processor.c"], family)
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(compiler.compile, files, folder / name, level) for name, (files, level) in wanted.items()]
    for job in jobs:
        job.result()
    return sorted(wanted)


def build(root: Path, folder: Path) -> tuple[Compiler | None, dict[str, Any]]:
    """Compile into a folder: by which compiler, None where by none, and what is to be kept of it."""
    record: dict[str, Any] = dict(compiler=None, libraries=[], sources=None, problem=None, advice=None, tried=[])
    try:
        machine()
    except NotBuilt as error:
        return None, record | {"problem": str(error)}
    for compiler in candidates():
        problem = failing(compiler, root)
        if problem is None:
            try:
                names = compile_all(compiler, root, folder)
            except NotBuilt as error:
                problem = str(error)
            else:
                made = {"compiler": compiler.version(), "libraries": names, "sources": digest(root / PLACE / "c")}
                return compiler, record | made
        record["tried"].append(f"{compiler.name}: {problem}")
    if not any(tried.startswith("ziglang") for tried in record["tried"]):
        record["tried"].append("ziglang: not installed, and the package index has none or is out of reach")
    problem, advice = "no C compiler was found that works", f"Install one ({INSTALL})"
    if any(IN_TIME in tried for tried in record["tried"]):
        problem, advice = "no C compiler ended in time", "Wait until the machine is less busy"
    return None, record | {"problem": problem, "advice": advice}


def keep(folder: Path, place: Path, record: dict[str, Any]) -> None:
    """Put the libraries of a folder and the record where the package looks for them, each whole or not at all."""
    for old in (*place.glob(f"kernels-*{SUFFIX}"), place / f"processor{SUFFIX}"):
        old.unlink(missing_ok=True)
    for name in record["libraries"]:
        passing = place / f"{name}.new"
        shutil.copyfile(folder / name, passing)
        passing.replace(place / name)
    (place / "built.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


class KernelsHook(BuildHookInterface):  # type: ignore[misc]
    """What hatchling calls."""

    def dependencies(self) -> list[str]:
        """The wheel `ziglang` where no compiler works and it can be had; an index out of reach must fail no install."""
        root = Path(self.root)
        try:
            machine()
        except NotBuilt:
            return []
        if any(failing(compiler, root) is None for compiler in candidates()):
            return []
        return ["ziglang>=0.13"] if can_be_had("ziglang") else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build, and add what was built to the wheel; an editable install has it beside its sources."""
        root = Path(self.root)
        self.folder = Path(tempfile.mkdtemp(prefix="chainrule-build-"))
        compiler, record = build(root, self.folder)
        if compiler is None:
            self._without_code(record)
        else:
            build_data |= {"tag": tag(compiler), "pure_python": False}
        if version == "editable":
            keep(self.folder, root / PLACE, record)
            return
        (self.folder / "built.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        for name in (*record["libraries"], "built.json"):
            build_data["force_include"][str(self.folder / name)] = f"chainrule/engines/fused/{name}"

    def _without_code(self, record: dict[str, Any]) -> None:
        """Say so where nobody can overlook it; fail where machine code is required."""
        lines = [f"This build of chainrule has NO MACHINE CODE: {record['problem']}.", *record["tried"]]
        lines += ["Training will run on NumPy, many times slower.", *filter(None, [record["advice"]])]
        if os.environ.get(REQUIRED, "0") not in ("", "0"):
            raise RuntimeError("\n".join([*lines, f"{REQUIRED} is set: nothing was built."]))
        bar = "*" * 100
        for line in (bar, *lines, bar):
            self.app.display_warning(line)

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Take the folder away."""
        shutil.rmtree(self.folder, ignore_errors=True)


def main() -> int:
    """Build beside the sources, for work on them."""
    root = Path(__file__).resolve().parent
    with tempfile.TemporaryDirectory() as folder:
        _, record = build(root, Path(folder))
        keep(Path(folder), root / PLACE, record)
    print(json.dumps(record, indent=1))
    return record["problem"] is not None


if __name__ == "__main__":
    sys.exit(main())
