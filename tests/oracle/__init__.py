"""Comparison of lowering with the oracle."""
