"""The law `levels`: the spec equals a second, independent resolution of its document."""

from __future__ import annotations

from ....spec import loads
from ..compared import disagreements
from ..levels import meaning, spelled, text_of
from ..measure import Measured, NotHere
from ..subject import Subject


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
    return Measured(len(wrong), 0, wrong[0] if wrong else "every value of the document")
