"""Give attentions with equal constructors a common base class."""

from __future__ import annotations

from dataclasses import replace

from .classes import MODULE, Written
from .code.nodes import NOWHERE, Class, Function, Name, Parameter
from .code.walk import groups_of, union
from .copies import copied_together


def with_bases(classes: list[Written], *, whole: bool = False) -> list[Class]:
    """The classes to write. Attentions with equal constructors get a common base class.

    They have the same weights and differ in `forward`. `whole` of the base class has the origins of
    all of them.
    """
    attentions = [c for c in classes if c.noun.endswith("Attention") and c.scope.role == "module"]
    groups = [group for group in groups_of(attentions, made_by) if len(group) > 1]
    bases = {id(one): base_of(group, len(groups), whole=whole) for group in groups for one in group}
    firsts = {id(group[0]) for group in groups}
    found: list[Class] = []
    for one in classes:
        base = bases.get(id(one))
        if base is None:
            found.append(one.tree())
            continue
        if id(one) in firsts:
            found.append(base)
        rest = Class(one.name, (Name(base.name),), one.body[1:], one.doc, origins=one.origins)
        found.append(rest)
    return [copied_together(one) for one in found]


def made_by(one: Written) -> Function:
    """The constructor, with or without the layer argument."""
    made = one.body[0]
    assert isinstance(made, Function)
    names = tuple(Parameter(p.name, p.annotation) for p in made.parameters)
    return replace(made, parameters=names)


def base_of(group: list[Written], groups: int, *, whole: bool) -> Class:
    """The base class of a group: `Projections`, with a prefix if there are several."""
    lenient = [one for one in group if any(p.default for p in one.constructor.parameters)]
    made = (lenient or group)[0].body[0]
    name = "Projections" if groups == 1 else f"{group[0].name}Projections"
    for one in group if whole else ():
        made = union(made, one.body[0])
    origins = NOWHERE.union(*[one.origins for one in group])
    title = f"Base class of {several([one.name for one in group])}: their projections."
    return Class(name, (MODULE,), (made,), f"{title} No weights are shared.", origins=origins)


def several(names: list[str]) -> str:
    """`A` and `B`, or `A`, `B` and `C`."""
    *first, last = [f"`{name}`" for name in names]
    return f"{', '.join(first)} and {last}"
