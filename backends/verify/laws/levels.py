"""The law `levels`: the spec equals a second, independent resolution of its document."""

from __future__ import annotations

import numpy as np

from ....compiler.formula import formula_of
from ....spec import loads
from ....spec.canonical_masks import canonical
from ....spec.masks import atoms
from ....spec.model import ModelSpec
from ...reference import Pairs, admits
from ..compared import disagreements
from ..levels import meaning, spelled, text_of
from ..measure import Measured, NotHere
from ..shrink_sizes import parts_of
from ..subject import Subject

LONGEST = 1500
"""Number of tokens up to which simplified masks are compared."""


def simplified_otherwise(spec: ModelSpec) -> list[str]:
    """The masks of a spec that do not admit the same pairs as their simplified formulas."""
    fields = (value for part in parts_of(spec) for value in [getattr(part, "mask", ())])
    masks = {mask for one in fields for mask in (one if isinstance(one, tuple) else (one,))}
    found = []
    for mask in masks:
        formulas = formula_of(mask), formula_of(canonical(mask))  # type: ignore[arg-type]
        if formulas[0] == formulas[1]:
            continue
        numbers = [n for atom in atoms(mask) for n in atom.args if type(n) is int]
        tokens = min(3 * max(numbers, default=1) + 5, LONGEST)
        index = np.arange(tokens)[None]
        data = {"document_ids": index // 5, "global_mask": (index % 7 == 3).astype(int)}
        pairs = Pairs.of(tokens, prefix_length=np.array([tokens // 3]), **data)
        one, other = (admits(formula, pairs) for formula in formulas)
        if (one != other).any():
            found.append(f"`{mask}` is simplified to `{canonical(mask)}`, which differs")
    return found


def levels(subject: Subject) -> Measured | NotHere:
    """Compare each value of the document and all defaults with the resolved spec.

    The document is written out so that nothing is inherited. Each of its values and each default
    must be that of the spec, and loading it must give an equal spec. Tests the original spec, not
    the small one.
    """
    document = subject.document
    if document is None:
        return NotHere("the spec was not read from a file")
    spec = subject.whole or subject.spec
    wrong = disagreements(spec, document)
    if not wrong and meaning(loads(text_of(spelled(document.data, document.files)))) != meaning(
        spec
    ):
        wrong = ["the document with every level written out is a different spec"]
    wrong = wrong or simplified_otherwise(spec)
    return Measured(len(wrong), 0, wrong[0] if wrong else "every value of the document")
