#!/usr/bin/env python3
"""Records what the activation functions of transformers give, by the names that config.json has for them.

    activations.py OUTPUT.json

Functions with parameters of their own are left away. Needs torch and transformers; Heed itself needs neither.
"""
import json
import sys

import torch
import transformers
from transformers.activations import ACT2CLS, ACT2FN


def main():
    x = torch.linspace(-6, 6, 25)
    values = {}
    for name in ACT2CLS:
        try:
            function = ACT2FN[name]
        except Exception:  # needs arguments, or a package that is not there
            continue
        if not list(function.parameters() if isinstance(function, torch.nn.Module) else []):
            values[name] = [float(f"{v:.7g}") for v in function(x.clone()).tolist()]
    with open(sys.argv[1], "w") as out:
        json.dump({"transformers": transformers.__version__, "x": x.tolist(), "values": values}, out)
        out.write("\n")


main()
