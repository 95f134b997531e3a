"""Pure functions as expressions: trace the pair of a layer, a loss or a penalty, or an optimizer's update, once.

A trace gives formulas (`chainrule.explaining`), an oracle for backward passes (`differentiate`) and a flat list of
vector operations to compile (`program`). It knows of no engine.
"""

from .calculus import Operation, OperationList, differentiate, evaluate, program
from .expression import Expression, apply, leaf
from .operations import OPERATIONS
from .tracing import NotTraceable, Traced, trace_pair, trace_update

__all__ = [
    "OPERATIONS",
    "Expression",
    "NotTraceable",
    "Operation",
    "OperationList",
    "Traced",
    "apply",
    "differentiate",
    "evaluate",
    "leaf",
    "program",
    "trace_pair",
    "trace_update",
]
