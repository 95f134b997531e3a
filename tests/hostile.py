"""Submissions that do not want to be graded as they are, and what must come of each; `LAYER` is a right one."""

from __future__ import annotations

LAYER = """
import numpy as np

class Layer:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.01 * np.random.randn(n_inputs, n_neurons)
    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.weights
    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        return dvalues @ self.weights.T
"""
WRONG = LAYER.replace("self.inputs.T @ dvalues", "self.inputs.T @ dvalues / len(dvalues)")

TWICE = LAYER.replace("self.inputs.T @ dvalues", "2 * self.inputs.T @ dvalues")


def _forward(line: str) -> str:
    return LAYER.replace("        return inputs @", f"        {line}\n        return inputs @")


_SOCKETS = """
import os, socket, stat
def channels():
    return [fd for fd in range(256) if _is_socket(fd)]
def _is_socket(fd):
    try:
        return stat.S_ISSOCK(os.fstat(fd).st_mode)
    except OSError:
        return False
"""

# name: (text, result, mistake or a word of the flags)
HOSTILE: dict[str, tuple[str, str, str]] = {
    "exits": (f"import os{_forward('os._exit(0)')}", "not checked", "no_answer"),
    "leaves": (f"import sys{_forward('sys.exit()')}", "not checked", "cannot_be_checked"),
    "endless": (_forward("while True: pass"), "not checked", "time_limit"),
    "forks": (f"import os\nclass Bomb:\n    while True: os.fork(){LAYER}", "not checked", ""),
    "threads": (
        f"import threading, time\nclass Many:\n    for _ in range(10**4): "
        f"threading.Thread(target=time.sleep, args=(99,)).start(){LAYER}",
        "not checked",
        "",
    ),
    "memory": (_forward("self.much = bytearray(10**11)"), "not checked", "memory_limit"),
    "loud": (f"class Loud:\n    for _ in range(2000): print('x' * 10**5){LAYER}", "right", ""),
    "disk": ("class Disk:\n    file = open('big', 'wb')\n    while True: file.write(bytes(10**7))", "not checked", ""),
    "report": (
        f"""{WRONG}
import sys
class Patch:
    for name, module in list(sys.modules.items()):
        if name.startswith("chainrule.checking"):
            for kind in list(vars(module).values()):
                if isinstance(kind, type) and kind.__name__ in ("Report", "CheckResult"):
                    kind.passed, kind.errors, kind.mistakes = True, (), ()
                if isinstance(kind, type) and kind.__name__ == "Comparison":
                    kind.error = 0.0
            for function in ("compare", "measure", "check", "_check_one"):
                if hasattr(module, function):
                    setattr(module, function, lambda *a, **k: ([], []))
""",
        "wrong",
        "batch_mean",
    ),
    "numpy": (
        f"""{WRONG}
class Patch:
    np.array_equal = np.allclose = lambda *a, **k: True
    np.abs = np.max = lambda *a, **k: 0.0
    np.ndarray.__doc__ = "patched"
""",
        "wrong or not checked",
        "",
    ),
    "answers": (
        f"""{WRONG}
import glob, json, os, sys
class Forge:
    row = json.dumps({{"name": "Layer", "result": "right"}}) + chr(10) + json.dumps({{"done": True}})
    for path in [*sys.argv, "answer.json", *glob.glob("/tmp/*/answer.json")]:
        try:
            open(path, "a").write(row)
        except OSError:
            pass
""",
        "wrong",
        "batch_mean",
    ),
    "differences": (
        """
import numpy as np
class Layer:
    def forward(self, inputs):
        self.inputs = inputs
        return self.f(inputs)
    def f(self, x):
        return np.tanh(x) * x
    def backward(self, dvalues):
        h = 1e-5
        return dvalues * (self.f(self.inputs + h) - self.f(self.inputs - h)) / (2 * h)
""",
        "flagged",
        "takes differences",
    ),
    "counted": (
        """
import numpy as np
class Layer:
    def forward(self, inputs):
        self.inputs = inputs
        return np.tanh(inputs) * inputs
    def backward(self, dvalues):
        x, total = self.inputs.copy(), np.zeros(self.inputs.shape)
        for i in np.ndindex(*x.shape):
            moved = x.astype(complex)
            moved[i] += 1e-20j
            total[i] = np.sum(dvalues * self.forward(moved).imag) * 1e20
        self.inputs = x
        return total
""",
        "flagged",
        "times",
    ),
    "copied": ("from chainrule import Dense\nclass Layer(Dense): pass\n", "flagged", "imports chainrule"),
    "borrowed": (
        "import importlib\nlibrary = importlib.import_module('chainrule')\nclass Layer(library.ReLU): pass\n",
        "flagged",
        "imports chainrule",
    ),
    "neighbour": (
        f"""{LAYER}
import os
class Rewrites:
    for path in ("zoe.py", "../zoe.py", "{{folder}}/zoe.py"):
        try:
            open(path, "w").write("class Layer: pass")
        except OSError:
            pass
""",
        "right",
        "",
    ),
    "survivor": (
        f"""{LAYER}
import os, subprocess, sys
class Survivor:
    if not os.fork():
        os.setsid()
        if not os.fork():
            os.execv(sys.executable, [sys.executable, "-c", "import time; time.sleep(600)", "{{mark}}"])
        os._exit(0)
""",
        "right",
        "",
    ),
    "outlived": (
        f"""{LAYER}
import subprocess, sys, time
class Outlived:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", "{{mark}}"])
    time.sleep(60)
""",
        "not checked",
        "time_limit",
    ),
    "closes": (f"import os{_forward('os.closerange(0, 256)')}", "not checked", ""),
    "garbage": (
        f"{_SOCKETS}{_forward('[os.write(fd, bytes(range(256)) * 40) for fd in channels()]')}",
        "not checked",
        "garbage",
    ),
    "oversized": (
        f"{_SOCKETS}{_forward('[os.write(fd, bytes([255] * 8)) for fd in channels()]')}",
        "not checked",
        "garbage",
    ),
    "unfinished": (
        "import time\n"
        f"{_SOCKETS}{_forward('[os.write(fd, bytes([0, 0, 1, 0, 0, 0, 0, 0])) for fd in channels()]; time.sleep(99)')}",
        "not checked",
        "time_limit",
    ),
    "hangs": (
        f"""{LAYER}
import atexit, threading, time
def forever():
    while True: time.sleep(1)
class Hangs:
    atexit.register(forever)
    threading.Thread(target=forever).start()
""",
        "right",
        "",
    ),
    "stops": (f"import os, signal{_forward('os.kill(os.getpid(), signal.SIGSTOP)')}", "not checked", "time_limit"),
    "kills": (
        f"import os, signal{_forward('os.kill(os.getpid(), signal.SIGKILL)')}",
        "not checked",
        "no_answer",
    ),
    "served": (
        f"""{WRONG}
import sys
class Serve:
    worker = sys.modules["__main__"].Worker
    def on_forward(self, point, **_):
        self.served = {{name: np.zeros_like(value) for name, value in point["values"].items()}}
        return {{"output": np.zeros((len(point["values"]["inputs"]), 3)), "overwritten": {{}}}}
    def on_backward(self, **_):
        return {{"gradients": self.served, "overwritten": {{}}, "dvalues": None, "calls": 0.0}}
    worker.on_forward, worker.on_backward = on_forward, on_backward
""",
        "not checked",
        "cannot_be_checked",
    ),
    "lying": (
        f"""{WRONG}
import sys
class Lie:
    worker = sys.modules["__main__"].Worker
    worker.on_subjects = lambda self, **k: [{{"passed": True, "result": "right"}}]
""",
        "not checked",
        "garbage",
    ),
    "easier": (
        f"""{TWICE}
import sys
class Easier:
    main = sys.modules["__main__"]
    before = main._described
    main._described = lambda subject: Easier.before(subject) | {{
        "on_purpose": True, "slack": 1e300, "settings": 0, "undefined": True, "modes": (), "notes": ()}}
""",
        "wrong",
        "factor",
    ),
    "escapes": (_forward("raise ValueError(chr(27) + '[2J' + chr(10) + 'right ' * 10**5)"), "not checked", ""),
    "unprintable": (
        "class Odd(Exception):\n    def __str__(self): raise self\n" + _forward("raise Odd"),
        "not checked",
        "",
    ),
    "nested": ("x = " + "-" * 10**5 + "1", "not checked", "does_not_run"),
    "on_purpose": (WRONG.replace("/ len(dvalues)", "/ len(dvalues)  # on purpose"), "flagged", "meant so"),
}
