"""Classes that exported folders contain as text: a Hugging Face model around an emitted one.

Each is copied out with names filled in. `Name` and `Emitted` stand for the model's class; a line
that says `its_input`, `its_size` or `its_result` stands once for each input, size or result.
"""
