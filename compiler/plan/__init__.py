"""Plans of training runs: memory, communication, time and cost, from the spec alone."""

from .data import Planned, Request
from .devices import DEVICES, Device
from .errors import PlanError
from .plan import Plan, make_plan

__all__ = ["DEVICES", "Device", "Plan", "PlanError", "Planned", "Request", "make_plan"]
