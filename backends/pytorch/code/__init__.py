"""Emitted programs as data: nodes, a reader of templates, name resolution, and one printer."""
