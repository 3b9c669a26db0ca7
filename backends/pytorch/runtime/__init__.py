"""Helpers of emitted files: real functions, tested here, copied out as text where they are used."""
