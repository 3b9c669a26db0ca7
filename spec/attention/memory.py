"""Options of cross-attention."""

from ..part import Part
from ..scalars import Name


class Memory(Part):
    """Keys and values come from another stack.

    memory: the stack to attend to. Give it as many sequences as this stack, or a single one, which
        all sequences of this stack then read
    """

    memory: Name
