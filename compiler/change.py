"""One difference between two specs: both values, their paths and origins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from ..spec.errors import Mark

Path = tuple[str | int, ...]

ABSENT = "-"
"""Text for a value that one of the specs does not have."""


@dataclass(frozen=True)
class Side:
    """A value of one of the specs: path, text and origin.

    text     the value as YAML; "-" if there is none
    part     whether it is a component other than `none`, not a plain value
    where    `gpt2.yaml:12`, `default`, `family decoder-only`, `--set layers=6`, or ""
    """

    path: Path
    text: str
    where: str
    mark: Mark | None = None
    part: bool = False

    @property
    def there(self) -> bool:
        return self.text != ABSENT


@dataclass(frozen=True)
class Change:
    """A changed, added or removed value; `also` are other paths with the same change."""

    before: Side
    after: Side
    also: tuple[Path, ...] = ()

    @property
    def kind(self) -> str:
        """`changed`, `added` or `removed`."""
        if not self.before.there:
            return "added"
        return "changed" if self.after.there else "removed"

    @property
    def place(self) -> Path:
        """Its path in the new spec; for removed values, in the old one."""
        return self.after.path if self.after.there else self.before.path

    @property
    def path(self) -> str:
        """The dotted path; names that differ between the specs as `block->local`."""
        pairs = zip_longest(self.before.path, self.after.path)
        return ".".join(_step(a, b) for a, b in pairs)


def _step(a: str | int | None, b: str | int | None) -> str:
    if a == b or b is None:
        return str(a)
    return str(b) if a is None else f"{a}->{b}"
