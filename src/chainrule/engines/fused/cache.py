"""Compiled functions on disk: compiled once for each precision, loaded by every later process without Numba.

A function is compiled by Numba when a network needs it for the first time, and its machine code is kept in a file of
its own. The folder's name holds a hash of the sources, of the versions and of the processor, so that code never meets
what it was not made for. Two processes that compile at once write the same thing, and each file appears whole or not at
all; a file that is damaged is compiled again, a folder that cannot be written is done without.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["address", "cache_folder", "missing", "trouble"]

_loaded: list[Any] = []  # what holds the machine code
# What Numba's wrappers call to report an exception
_REPORTS = (
    "numba_gil_ensure", "numba_gil_release", "numba_do_raise", "numba_unpickle", "numba_runtime_build_excinfo_struct",
    "NRT_Free",
)  # fmt: skip


def cache_folder() -> Path:
    """Where compiled code is kept: `CHAINRULE_CACHE`, or the user's folder for caches."""
    given = os.environ.get("CHAINRULE_CACHE")
    if given:
        return Path(given)
    try:
        home = Path.home()
    except RuntimeError:  # a user without a folder
        home = Path(tempfile.gettempdir())
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home)) / "chainrule"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "chainrule"


def missing(names: Iterable[str], dtype: Any) -> list[str]:
    """The functions that are not on disk yet; needs no Numba."""
    try:
        return [name for name in names if not _file(name, np.dtype(dtype).name).is_file()]
    except OSError:
        return list(names)


def trouble(names: Iterable[str], dtype: Any) -> str | None:
    """Load or compile all functions; what went wrong where one of them cannot be had on this machine."""
    try:
        for name in names:
            address(name, np.dtype(dtype).name)
    except Exception as error:  # whatever Numba or LLVM make of a machine, or of a version, that they do not fit
        lines = str(error).strip().splitlines() or [""]
        return f"{type(error).__name__}: {lines[0]}"
    return None


@cache
def address(name: str, dtype: str) -> int:
    """Where a compiled function lies in memory, loaded from disk or compiled now."""
    kept = _read(_file(name, dtype))
    if kept is None:
        kept = _compile(name, dtype)
        _write(_file(name, dtype), *kept)
    return _load(*kept)


@cache
def _fingerprint() -> str:
    """What machine code depends on, in a few letters; read without LLVM, because `auto` asks before every run."""
    from importlib.metadata import version

    digest = hashlib.sha256(f"{version('numba')} {version('llvmlite')} {sys.version} {_processor()}".encode())
    here = Path(__file__).parent
    compiled = sorted((here / "compiled").glob("*.py"))
    for source in (*compiled, here / "layout.py", here.parents[1] / "noise.py", here.parents[1] / "special.py"):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _processor() -> str:
    """The processor's name and what it can do."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.platform()} {platform.processor()}"
    wanted = ("model name", "flags", "Features", "CPU part")
    return "".join(dict.fromkeys(line for line in lines if line.startswith(wanted)))


def _file(name: str, dtype: str) -> Path:
    return cache_folder() / f"fused-{_fingerprint()}" / f"{name}-{dtype}.o"


def _read(path: Path) -> tuple[str, bytes] | None:
    """The symbol and the machine code of a file, None where it is missing or damaged."""
    try:
        checksum, symbol, code = path.read_bytes().split(b"\n", 2)
    except (OSError, ValueError):
        return None
    whole = hashlib.sha256(symbol + code).hexdigest().encode() == checksum
    return (symbol.decode(), code) if whole else None


def _write(path: Path, symbol: str, code: bytes) -> None:
    checksum = hashlib.sha256(symbol.encode() + code).hexdigest()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(b"\n".join((checksum.encode(), symbol.encode(), code)))
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise


def _machine() -> Any:
    """The processor as LLVM's code generator sees it; an engine takes its own."""
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    return binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3, jit=True,
        codemodel="jitdefault", reloc="default",
    )  # fmt: skip


def _compile(name: str, dtype: str) -> tuple[str, bytes]:
    """The symbol and the machine code of a function."""
    from llvmlite import binding
    from numba.core import types
    from numba.core.ccallback import CFunc
    from numba.core.compiler_lock import global_compiler_lock

    from .compiled.operations import FUNCTIONS, signature

    function, kind = FUNCTIONS[name]
    types_of = signature(kind, getattr(types, dtype))
    options = {"nopython": True, "error_model": "numpy", "fastmath": {"contract"}}
    with global_compiler_lock:
        compiled: Any = CFunc(function, (types_of.args, types_of.return_type), locals={}, options=options)
        result = compiled._compile_uncached()
        result.library._ensure_finalized()
        module = binding.parse_bitcode(result.library._final_module.as_bitcode())
    return result.fndesc.llvm_cfunc_wrapper_name, _machine().emit_object(module)


def _load(symbol: str, code: bytes) -> int:
    from llvmlite import binding

    # an engine for each: the names of functions inside are not unique among codes compiled by different processes
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _machine())
    _name_what_errors_call()
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _loaded.append(engine)
    return int(engine.get_function_address(symbol))


@cache
def _name_what_errors_call() -> None:
    """Numba's wrappers can report an exception; ours raise none, but the names must be known when code is loaded.

    Where one of them is not, LLVM leaves every call out of the code at address 0, that of `memset` too. Numba itself
    gives them when it first compiles.
    """
    import ctypes

    from llvmlite import binding

    never = ctypes.cast(ctypes.pythonapi.PyGILState_Check, ctypes.c_void_p).value
    for name in _REPORTS:
        if not binding.address_of_symbol(name):
            binding.add_symbol(name, never)
