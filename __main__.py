"""`python -m modelwright` is the command `modelwright`."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main()
