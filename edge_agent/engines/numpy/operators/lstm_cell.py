"""What the kinds of UNIDIRECTIONAL_SEQUENCE_LSTM have in common.

Variants with peepholes, projection, layer normalization or without an input gate are refused.
"""

from __future__ import annotations

from edge_agent.engines.numpy.plan import Array, Unsupported
from edge_agent.engines.numpy.program import ABSENT, Operator

GATES = ("input", "forget", "cell", "output")
INPUT_WEIGHTS, RECURRENT_WEIGHTS, BIASES = 1, 5, 12
"""Places of the first gate's among the inputs; the others follow."""

OUTPUT_STATE, CELL_STATE = 18, 19
_NOT_KNOWN = (*range(9, 12), 16, 17, *range(20, 24))
_TANH = 4


def check_plain(operator: Operator) -> None:
    """Refuse what is not the plain cell."""
    given = [place for place in _NOT_KNOWN if operator.inputs[place : place + 1] not in ((), (-1,))]
    if given or ABSENT in operator.inputs[1:9]:
        raise Unsupported(f"inputs {given}: only a plain cell with all four gates is known")
    if operator.number("activation") != _TANH:
        raise Unsupported(f"activation {operator.number('activation')}")


def in_steps(operator: Operator, array: Array) -> Array:
    """A view of a sequence with the steps first: steps x batch x numbers."""
    return array if operator.options["time_major"] else array.transpose(1, 0, 2)
