"""Emitted programs as syntax trees: nodes, templates, name resolution, and a printer."""
