"""Any gradient of any network, written out with its numbers: `explain`, `explain_neuron`, `explain_rule`, `draw`.

`formula` is the language that rules are written in and `notation` prints it; `rules`, `tables` and `derivatives` are
what the layers carry; `cells` runs the network cell by cell; `terms`, `building`, `witnesses`, `stepping` and `views`
make the data of `derivation`; `render` prints them.
"""

from .answer import explain
from .drawing import Drawing, draw
from .explanation import Explanation
from .neuron import NeuronExplanation, explain_neuron
from .prediction import explain_prediction
from .rules import Rule
from .shares import PredictionExplanation
from .teaching import explain_rule

__all__ = [
    "Drawing",
    "Explanation",
    "NeuronExplanation",
    "PredictionExplanation",
    "Rule",
    "draw",
    "explain",
    "explain_neuron",
    "explain_prediction",
    "explain_rule",
]
