"""One difference between two specs: both values, where they stand, who wrote them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import zip_longest

from ..spec.errors import Mark

Path = tuple[str | int, ...]

ABSENT = "-"
"""What stands for a value on the side that has none."""


@dataclass(frozen=True)
class Side:
    """A value of one of the specs: where it stands, what it is, who wrote it.

    text     the value as YAML; "-" where there is none
    part     is it a part that is not `none`, and no plain value?
    where    `gpt2.yaml:12`, `default`, `family decoder-only`, `--set layers=6`; "" where none
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
    """A value that is another one, is new, or is gone; `also` are other places of the same."""

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
        """Where it is in the new spec; what is gone, where it was in the old one."""
        return self.after.path if self.after.there else self.before.path

    @property
    def path(self) -> str:
        """The place, dotted; names that differ on the two sides as `block->local`."""
        pairs = zip_longest(self.before.path, self.after.path)
        return ".".join(_step(a, b) for a, b in pairs)


def _step(a: str | int | None, b: str | int | None) -> str:
    if a == b or b is None:
        return str(a)
    return str(b) if a is None else f"{a}->{b}"
