"""The files of a run, as modules that are typed, tested and run here.

`modelwright train` copies them (`training/copying.py`): imports that begin with a dot become
imports of the file beside, constants in capitals that are named as slots get the values of a spec,
and `model.py`, which stands here for any model, is the file that `modelwright build` writes.
"""

from __future__ import annotations
