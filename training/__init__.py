"""Training: tokenizers, token files, and the script that trains a built model.

A spec's heads decide what its training needs (`tasks`), text becomes token files (`texts`,
`token_files`), and a run is a folder with the model, a training script and its settings (`runs`).
What is written there stands alone: it imports torch, numpy and safetensors, not modelwright.
"""

from __future__ import annotations
