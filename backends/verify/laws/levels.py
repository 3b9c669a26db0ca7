"""The law of levels: the spec is what its document says, by a second reading of the language."""

from __future__ import annotations

from ..levels import UnreadError, disagreements
from ..measure import Measured, NotHere
from ..subject import Subject


def levels(subject: Subject) -> Measured | NotHere:
    """Each value of the document, and defaults, where the five rules of the language put them.

    Concerns the spec before it is made small.
    """
    if subject.document is None:
        return NotHere("the spec was not read from a file")
    try:
        wrong = disagreements(subject.whole or subject.spec, subject.document)
    except UnreadError as error:
        return NotHere(str(error))
    return Measured(len(wrong), 0, wrong[0] if wrong else "all values of the document")
