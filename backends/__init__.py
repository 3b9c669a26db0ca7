"""Backends: each reads a ModuleGraph and knows ops, not variants."""
