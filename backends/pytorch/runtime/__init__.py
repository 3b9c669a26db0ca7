"""Helpers of emitted files: tested functions, copied as text into the files that use them."""
