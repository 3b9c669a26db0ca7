"""Templates of the classes in exported folders: a Hugging Face model around an emitted one.

`Name` and `Emitted` are replaced by names of the model. A line with `its_input`, `its_size` or
`its_result` is repeated for each input, size or result.
"""
