"""The files of a run, as typed and tested modules.

`modelwright train` copies them (`training/copying.py`): relative imports become absolute, constants
that are slots get the values of a spec, and `model.py` is replaced by the file of `modelwright
build`.
"""

from __future__ import annotations
