from __future__ import annotations
from .errors import SpecError
from .locate import locate
def explain(errors, tree):
    return [SpecError(locate(tree, e["loc"]).mark, e["type"]+" "+str(e["loc"])+" "+e["msg"]) for e in errors]
