"""Recognise files of weights that are not safetensors."""

from __future__ import annotations

from pathlib import Path

from .console import fail

PICKLES = (".pt", ".pth", ".bin", ".ckpt", ".pkl")
_CONVERT = (
    "convert it with `safetensors.torch.save_file(torch.load(FILE, weights_only=True), "
    '"weights.safetensors")`'
)
_KINDS = {  # how a file begins -> what it is
    b"PK\x03\x04": f"is a PyTorch or zip archive; {_CONVERT}",
    b"\x80\x02": f"is a pickle; {_CONVERT}",
    b"\x80\x04": f"is a pickle; {_CONVERT}",
    b"\x80\x05": f"is a pickle; {_CONVERT}",
    b"GGUF": "is a GGUF file; use the original safetensors file",
    b"\x89HDF": "is an HDF5 file (TensorFlow or Keras); use the safetensors file",
    b"\x93NUMPY": "is a NumPy file; save it with `safetensors.numpy.save_file`",
    b"version https://git-lfs": "is a Git LFS pointer, not the weights; run `git lfs pull`",
}


def check_weights_file(path: Path) -> None:
    """Fail with the kind of a file that is known not to be safetensors."""
    with path.open("rb") as file:
        start = file.read(32)
    for begins, what in _KINDS.items():
        if start.startswith(begins):
            fail(f"{path} {what}; --weights takes a safetensors file")
    if path.suffix.lower() in PICKLES:
        fail(f"{path} has the suffix of a PyTorch checkpoint; --weights takes a safetensors file")
