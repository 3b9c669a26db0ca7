"""Training: tokenizers, token files, and the script that trains a built model.

The head of a spec determines the objective (`tasks`). Text is converted to token files (`texts`,
`token_files`). A run is a folder with the model, a training script and settings (`runs`). The
script imports torch, numpy and safetensors, not modelwright.
"""

from __future__ import annotations
