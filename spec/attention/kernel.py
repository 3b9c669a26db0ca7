"""The word for how sparse masks are computed."""

from __future__ import annotations

from typing import Literal

from ..part import OneOf

Kernel = OneOf[Literal["auto", "dense", "tiles"]]
