#!/usr/bin/env python3
"""Makes a tiny GPT-2 of characters and records how transformers scores a text with it.

    language_model.py OUTPUT

Writes into the folder OUTPUT: the model's folder, text.txt, and losses.json: the ids of the text, and for windows and
strides the summed loss and how many tokens were predicted. A window takes `window` tokens in and predicts the one
behind each; what an earlier window has predicted does not count again. `perplexity`: the same as Hugging Face's page
"Perplexity of fixed-length models" computes it, where a window predicts the tokens within it.
Needs torch, tokenizers and transformers; Heed itself needs none of them.
"""
import json
import os
import sys

import torch
from tokenizers import Tokenizer, decoders, models
from transformers import AutoModelForCausalLM, AutoTokenizer, GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

TEXT = """First Citizen:
Before we proceed any further, hear me speak.

All:
Speak, speak. Größe!

First Citizen:
You are all resolved rather to die than to famish?
"""


def make(folder):
    characters = sorted(set(TEXT))
    vocab = {t: i for i, t in enumerate(["<unk>", "<eos>"] + characters)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], unk_token="<unk>"))
    tokenizer.decoder = decoders.Fuse()
    tokenizer.add_special_tokens(["<unk>", "<eos>"])
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<eos>",
                            eos_token="<eos>").save_pretrained(folder)
    torch.manual_seed(7)
    config = GPT2Config(vocab_size=len(vocab), n_positions=16, n_embd=16, n_layer=2, n_head=2, bos_token_id=1,
                        eos_token_id=1, initializer_range=0.3)
    GPT2LMHeadModel(config).save_pretrained(folder)
    with open(os.path.join(folder, "text.txt"), "w") as out:
        out.write(TEXT)


def score(model, ids, window, stride):
    nll, count, predicted, begin = 0.0, 0, 0, 0
    while predicted < len(ids) - 1:
        end = min(begin + window, len(ids) - 1)
        with torch.no_grad():
            logits = model(torch.tensor([ids[begin:end]])).logits[0].double()
        losses = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[begin + 1:end + 1]), reduction="none")
        nll += losses[predicted - begin if predicted > begin else 0:].sum().item()
        count += end - max(predicted, begin)
        predicted = end
        begin += stride
    return {"window": window, "stride": stride, "nll": nll, "tokens": count}


def documented(model, ids, window, stride):
    nll, count, predicted = 0.0, 0, 0
    for begin in range(0, len(ids), stride):
        end = min(begin + window, len(ids))
        inputs = torch.tensor([ids[begin:end]])
        labels = inputs.clone()
        labels[:, :predicted - end] = -100
        with torch.no_grad():
            loss = model(inputs, labels=labels).loss.item()
        targets = int((labels[:, 1:] != -100).sum())
        nll += loss * targets
        count += targets
        predicted = end
        if end == len(ids):
            return {"window": window, "stride": stride, "nll": nll, "tokens": count}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    make(folder)
    model = AutoModelForCausalLM.from_pretrained(folder).eval()
    ids = AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"]
    cases = [score(model, ids, w, s) for w, s in ((16, 16), (16, 5), (7, 7), (1, 1))]
    perplexity = [documented(model, ids, w, s) for w, s in ((16, 8), (16, 5), (16, 16), (7, 1))]
    with open(os.path.join(folder, "losses.json"), "w") as out:
        json.dump({"bytes": len(TEXT.encode()), "ids": ids, "cases": cases, "perplexity": perplexity}, out)


main()
