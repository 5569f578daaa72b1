#!/usr/bin/env python3
"""The training batches of the shared goldens gpt2 and llama, rebuilt by their README's rule: lines of train.en from
line 50 k, each followed by id 0, cut into 8 rows of 48. Writes tests/golden/train_batches/FAMILY.json, a list of 4
batches. Usage: train_batches.py SHARED OUT"""
import gzip
import json
import sys

from tokenizers import Tokenizer

shared, out = sys.argv[1:]
lines = gzip.open(f"{shared}/data/multi30k/train.en.gz", "rt", encoding="utf8").read().split("\n")
for family in ("gpt2", "llama"):
    tokenizer = Tokenizer.from_file(f"{shared}/goldens/{family}/tokenizer.json")
    batches = []
    for k in range(4):
        ids, line = [], 50 * k
        while len(ids) < 8 * 48:
            ids += tokenizer.encode(lines[line]).ids + [0]
            line += 1
        batches.append([ids[row * 48:(row + 1) * 48] for row in range(8)])
    with open(f"{out}/{family}.json", "w") as file:
        json.dump(batches, file, separators=(",", ":"))
