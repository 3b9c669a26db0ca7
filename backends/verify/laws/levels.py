"""The law of levels: the spec is what its document says, by a second reading of the language."""

from __future__ import annotations

from ....spec import loads
from ..compared import disagreements
from ..levels import meaning, spelled, text_of
from ..measure import Measured, NotHere
from ..subject import Subject


def levels(subject: Subject) -> Measured | NotHere:
    """Each value of the document, and defaults, where the five rules of the language put them.

    The document is spelled out, so that nothing is inherited: each of its values, and each default,
    is that of the spec, and it is the same spec when it is read. Concerns the spec before it is
    made small.
    """
    document = subject.document
    if document is None:
        return NotHere("the spec was not read from a file")
    spec = subject.whole or subject.spec
    wrong = disagreements(spec, document)
    if not wrong and meaning(loads(text_of(spelled(document.data, document.files)))) != meaning(
        spec
    ):
        wrong = ["the document is another spec when every level is written out"]
    return Measured(len(wrong), 0, wrong[0] if wrong else "every value of the document")
