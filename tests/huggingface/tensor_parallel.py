"""Loads exported folders with the tensor parallelism of transformers: `torchrun … FOLDER…`.

Prints for each folder how many weights are divided, and the largest differences of logits,
gradients and generated ids from the model on one process, as JSON.
"""

from __future__ import annotations

import json
import os
import sys

import torch
import torch.distributed as dist
import transformers
from torch.distributed.tensor import DTensor
from transformers.distributed import DistributedConfig

torch.set_num_threads(1)
transformers.logging.set_verbosity_error()
dist.init_process_group("gloo")
ranks = dist.get_world_size()
for folder in sys.argv[1:]:
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=True)
    loader = getattr(transformers, next(key for key in config.auto_map if key != "AutoConfig"))
    options = {"trust_remote_code": True, "dtype": torch.float64}
    models = [
        loader.from_pretrained(folder, **options, **more).eval()
        for more in ({}, {"distributed_config": DistributedConfig(tp_size=ranks)})
    ]
    torch.manual_seed(0)
    ids = torch.randint(4, 61, (2, 9))
    more = {"decoder_input_ids": ids[:, 1:]} if config.is_encoder_decoder else {}
    outputs = [model(input_ids=ids, **more).logits for model in models]
    direction = torch.randn_like(outputs[0])
    for output in outputs:
        (output * direction).sum().backward()
    pairs = zip(models[0].named_parameters(), models[1].parameters(), strict=True)
    gradients = {
        name: (one.grad - (two.grad.full_tensor() if isinstance(two.grad, DTensor) else two.grad))
        for (name, one), two in pairs
        if one.grad is not None
    }
    generated = [
        model.generate(ids, max_new_tokens=6, do_sample=False)
        for model in models
        if model.can_generate()
    ]
    told = {
        "divided": sum(isinstance(weight, DTensor) for weight in models[1].parameters()),
        "logits": (outputs[0] - outputs[1]).abs().max().item(),
        "gradients": max(difference.abs().max().item() for difference in gradients.values()),
        "generated": len(generated) in (0, 2)
        and all(torch.equal(generated[0], one) for one in generated),
    }
    if dist.get_rank() == 0:
        print(json.dumps(told), flush=True)
dist.barrier()
os._exit(0)
