"""FlexAttention: the function that makes a block mask.

The predicate of a mask, `sees(b, h, q, k)`, is about one pair. The table of its blocks comes from
the same ranges as tiles do (`tile_ranges`).
"""

from __future__ import annotations

from typing import Any

from ...compiler.graph import Op
from .code.nodes import Do, For, Function, Name, Parameter, Return, Set, Statement
from .code.read import call, constant, expression, names
from .code.walk import change, written_for
from .mask_functions import ABSENT, COUNTED, DATA, INT, OPTIONAL, TENSOR, number, predicate, random
from .ops.masks import atoms_of, mask_sizes
from .tile_ranges import data_of, may_see

BLOCK_MASK = Name("BlockMask")
ORIGIN = "first_token_index(attention_mask, like.device).flatten().expand(like.size(0))"
PAIR = {
    "document_ids[:, None, start:end, None]": "document_ids[b, q]",
    "document_ids[:, None, None, :]": "document_ids[b, k]",
    "global_mask[:, None, start:end, None]": "global_mask[b, q]",
    "global_mask[:, None, None, :]": "global_mask[b, k]",
    "prefix_length[:, None, None, None]": "prefix_length[b]",
}
"""Data of all pairs in a predicate -> those of one pair."""
SEEN = "seen if attention_mask is None else seen & attention_mask[b, k].bool()"


def flex_constants(read: set[str]) -> list[Set]:
    """The constants that FlexAttention's helpers read."""
    made = {
        "BLOCK": Set(Name("BLOCK"), constant(128), "queries and keys of a block"),
        "compiled_flex_attention": Set(
            Name("compiled_flex_attention"), expression("torch.compile(flex_attention)")
        ),
    }
    return [statement for name, statement in made.items() if name in read]


def flex_function(name: str, ops: list[Op]) -> Function:
    """The function that makes the block mask of a formula."""
    op = ops[-1]  # sizes that differ are parameters
    formula, padded = op.attrs["formula"], bool(op.arg("attention_mask"))
    given = [data for data in DATA if op.arg(data)]
    body = [change(each, WIDE) for data in given for each in ABSENT.get(data, ())]
    admits, drawn = of_pair(formula, padded)
    body += drawn
    if padded and any(atom.name in COUNTED for atom in atoms_of(formula)):
        body.append(Set(Name("origin"), expression(ORIGIN), "(B,)"))
    body += [_sees(admits, padded), *data_of(formula, padded)]
    ranges = change(may_see(formula), {Name("TILE"): Name("BLOCK")})
    keys = call("merge_ranges", ranges, Name("end"))
    over = expression("query_runs(start, end, BLOCK, [])")
    body += [
        Set(Name("ranges"), expression("[]")),
        For(names("first", "last"), over, (Do(expression("ranges.append(keys)", keys=keys)),)),
        Return(expression("block_mask(ranges, sees, end - start, end, like.device)")),
    ]
    parameters = (
        *(Parameter(each, INT) for each in ("start", "end")),
        *(Parameter(size.code(), INT) for size in mask_sizes(formula)),
        *(Parameter(data, OPTIONAL) for data in given),
        Parameter("like", TENSOR),
    )
    title = f"Blocks of keys for the queries `start` to `end`, and which pairs in them: {formula}."
    made = Function(name, parameters, BLOCK_MASK, tuple(body), title)
    found: Function = written_for(made, *[op.number for op in ops])
    return found


WIDE = {
    expression("torch.zeros(1, end, dtype=torch.long, device=like.device)"): expression(
        "torch.zeros(like.size(0), end, dtype=torch.long, device=like.device)"
    ),
    expression("torch.zeros(1, dtype=torch.long, device=like.device)"): expression(
        "torch.zeros(like.size(0), dtype=torch.long, device=like.device)"
    ),
}
"""Absent data of one sequence -> of every sequence, which `sees` indexes."""


def of_pair(formula: Any, padded: bool) -> tuple[Any, list[Statement]]:
    """The predicate about query q and key k of sequence b, and the tables that it reads."""
    changes = {expression(before): expression(after) for before, after in PAIR.items()}
    for letter in "qk":
        counted = f"{letter} - origin[b]" if padded else letter
        changes[expression(f"{letter} - first")] = expression(counted)
    tables: list[Statement] = []
    drawn = dict.fromkeys(atom for atom in atoms_of(formula) if atom.name == "random")
    for index, atom in enumerate(drawn, 1):
        table = Name(f"drawn_{index}" if len(drawn) > 1 else "drawn")
        size, count, seed = (number(arg) for arg in (*atom.args, 0)[:3])
        made = call("drawn_table", Name("end"), size, count, seed, expression("like.device"))
        tables.append(Set(table, made))
        changes[random(atom)] = expression("table[q // size, k // size]", table=table, size=size)
    return change(predicate(formula), changes), tables


def _sees(admits: Any, padded: bool) -> Function:
    """The predicate as a function; FlexAttention counts queries from the first new one."""
    body: list[Statement] = [Set(Name("q"), expression("q + start"), "among all tokens")]
    if padded:
        body += [Set(Name("seen"), admits), Return(expression(SEEN))]
    else:
        body.append(Return(admits))
    parameters = tuple(Parameter(letter, TENSOR) for letter in "bhqk")
    return Function("sees", parameters, TENSOR, tuple(body))
