"""How the server was started."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

LOOPBACK = "127.0.0.1"


def new_token() -> str:
    """192 random bits."""
    return secrets.token_urlsafe(24)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What a server answers, and to whom.

    spec     the file to open; None: an example
    watch    tell the page when this file changes
    host     the address to listen at
    token    what every question of the page must carry
    weights  a checkpoint for models that are run; None: random weights
    tokenizer  a tokenizer.json file; None: tokens are bytes
    plugins  files of `--plugin`, which the process that runs models loads too
    installed  whether plug-ins of installed packages may be loaded
    """

    spec: Path | None = None
    watch: bool = False
    host: str = LOOPBACK
    token: str = field(default_factory=new_token)
    weights: Path | None = None
    tokenizer: Path | None = None
    plugins: tuple[Path, ...] = ()
    installed: bool = True

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return self.host == "localhost" or (
            is_address(self.host) and ip_address(self.host).is_loopback
        )

    def answers_to(self, name: str) -> bool:
        """Whether a request may name this host. Another site can point its name at this machine.

        Names of this machine may, and the host that was given; every address may where the server
        listens at all of them, since an address cannot be pointed elsewhere.
        """
        if name in ("localhost", LOOPBACK, "::1", self.host):
            return True
        everywhere = is_address(self.host) and ip_address(self.host).is_unspecified
        return everywhere and is_address(name)


def is_address(text: str) -> bool:
    """Whether this is an IPv4 or IPv6 address, not a name."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
