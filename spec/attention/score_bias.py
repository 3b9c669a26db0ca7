"""Scores that come from data; those that come from positions are `positions`."""

from typing import Annotated, Literal

from ..part import Part, Tagged, declare
from ..scalars import Argument, Count, Name


class TableBias(Part):
    """A learned number per head, looked up by an integer for each pair.

    argument: of the model, (B, T, S)
    entries: of the table
    """

    type: Literal["table"] = "table"
    argument: Argument
    entries: Count


class PathBias(Part):
    """The mean of learned numbers along a path between two nodes (Graphormer).

    argument: of the model
    entries: of the table
    max_distance: the longest path
    """

    type: Literal["path"] = "path"
    argument: Argument
    entries: Count
    max_distance: Count


class StreamBias(Part):
    """A projection of a stream of pairs.

    stream: which one
    """

    type: Literal["linear"] = "linear"
    stream: Name


ScoreBias = Annotated[TableBias | PathBias | StreamBias, Tagged("score_bias")]
declare(ScoreBias)
