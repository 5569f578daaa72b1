#!/usr/bin/env python3
"""Records what `heed verify` replays, from any model folder that transformers opens.

    record.py FOLDER [--text FILE] [--batch 4] [--length 24] [--new-tokens 20] [--train 12] [--no-left-padding]

writes beside the model (docs/verify.md says what each key means):

    golden.safetensors      in.*: the inputs; out.*: loss, logits, every hidden state and attention matrix
    grads.safetensors       the gradient of the loss for every parameter, by its checkpoint key
    golden.json             versions; generate: arguments, inputs and exact ids; train: losses of AdamW steps
    train.safetensors       the batches of those steps: batchK.input_ids, batchK.labels, ... (only with --train)
    golden_tokenizer.json   texts with their ids and decodings, where the folder has a tokenizer

All numbers are float32 on a CPU, whatever the folder stores: half-precision weights are widened first. Inputs come from
FILE (or a few sentences of our own) where there is a tokenizer, else ids are drawn at random; pixels always are.
Needs torch and transformers; Heed itself needs neither.
"""
import argparse
import copy
import inspect
import json
import os
import sys
import tempfile

import tokenizers
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import save_file

TEXTS = [
    "A small brown dog runs across the wet grass.",
    "Two women are sitting on a bench and reading the newspaper together.",
    "What is it?",
    "Children play football in front of the old town hall, 12 of them!",
    "He isn't sure; she'll ask (again) tomorrow at 9:30.",
    "Ein älterer Mann wäscht sein Fahrrad.",
    "The train to Zürich leaves in 5 minutes, doesn't it?",
    "",
    " ",
    "  two  spaces   and a tab\there",
    "UPPER lower MiXeD",
    "emoji 🙂 and 日本語 and ελληνικά",
    "line one\nline two",
    "a" * 60,
]


def kind_of(model):
    name = type(model).__name__
    for suffix, kind in [
        ("ForMaskedLM", "masked_lm"), ("ForSequenceClassification", "classify"),
        ("ForTokenClassification", "tag"), ("ForQuestionAnswering", "answer"),
        ("ForImageClassification", "image"), ("ForConditionalGeneration", "seq2seq"), ("MTModel", "seq2seq"),
        ("LMHeadModel", "causal"), ("ForCausalLM", "causal"), ("Model", "base"),
    ]:
        if name.endswith(suffix):
            return kind
    sys.exit(f"record.py: no recipe for {name}")


def lacks_pooler(cls, folder):
    """Whether a base model was saved without the pooler that transformers would make up for it."""
    file = os.path.join(folder, "model.safetensors")
    if "add_pooling_layer" not in inspect.signature(cls.__init__).parameters or not os.path.exists(file):
        return False
    with safe_open(file, "pt") as f:
        return cls.__name__.endswith("Model") and not any("pooler." in name for name in f.keys())


def load(folder):
    config = transformers.AutoConfig.from_pretrained(folder)
    if not config.architectures:
        sys.exit(f"record.py: {folder}/config.json names no architectures")
    cls = getattr(transformers, config.architectures[0])
    options = {"add_pooling_layer": False} if lacks_pooler(cls, folder) else {}
    model = cls.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager", **options).eval()
    for name in model._keys_to_ignore_on_save or []:  # computed tables: no weights, although some come as parameters
        model.get_parameter(name).requires_grad_(False)
    return model


def load_tokenizer(folder):
    names = ["tokenizer.json", "vocab.json", "vocab.txt", "spiece.model", "tokenizer.model", "source.spm"]
    if not any(os.path.exists(os.path.join(folder, n)) for n in names):
        return None
    return transformers.AutoTokenizer.from_pretrained(folder)


class Inputs:
    """Batches of the kind that the model takes, a fresh one with each call."""

    def __init__(self, model, kind, tokenizer, texts, args):
        self.model, self.kind, self.args = model, kind, args
        self.config = model.config
        self.tokenizer, self.texts = tokenizer, [t for t in texts if t.strip()]
        self.random = torch.Generator().manual_seed(args.seed)
        self.next_text = 0

    def special(self):
        config = self.config
        ids = set()
        for name in ["pad", "eos", "bos", "sep", "cls", "mask", "decoder_start"]:
            value = getattr(config, f"{name}_token_id", None)
            ids.update(value if isinstance(value, list) else [value] if value is not None else [])
        return ids

    def draw(self, low, high):
        return int(torch.randint(low, high, (1,), generator=self.random))

    def word(self):
        special = self.special()
        while True:
            token = self.draw(0, min(self.config.vocab_size, getattr(self.config, "decoder_vocab_size", 1 << 30) or 1 << 30))
            if token not in special:
                return token

    def row(self, length):
        """Ids with the special tokens that the model expects."""
        if self.tokenizer is not None:
            text = self.texts[self.next_text % len(self.texts)]
            self.next_text += 1
            return self.tokenizer(text)["input_ids"][:length]
        row = [self.word() for _ in range(length)]
        eos = self.config.eos_token_id
        if getattr(self.config, "is_encoder_decoder", False) and eos is not None:
            row[-1] = eos
        return row

    def padded(self, rows, value):
        width = max(len(r) for r in rows)
        return torch.tensor([r + [value] * (width - len(r)) for r in rows])

    def lengths(self):
        if self.kind == "causal" or self.args.no_left_padding:
            return [self.args.length] * self.args.batch
        return [max(3, self.args.length - 2 * i) for i in range(self.args.batch)]

    def next(self):
        if hasattr(self.config, "image_size"):
            return self.next_images()
        if self.kind == "causal":
            ids = torch.tensor([self.causal_row() for _ in range(self.args.batch)])
            return {"input_ids": ids, "labels": ids.clone()}
        rows = [self.row(n) for n in self.lengths()]
        pad = self.config.pad_token_id if self.config.pad_token_id is not None else 0
        batch = {"input_ids": self.padded(rows, pad), "attention_mask": self.padded([[1] * len(r) for r in rows], 0)}
        if getattr(self.config, "type_vocab_size", 0) > 1:
            batch["token_type_ids"] = self.padded([[int(2 * i >= len(r)) for i in range(len(r))] for r in rows], 0)
        batch.update(self.labels(rows))
        return batch

    def causal_row(self):
        row = []
        while len(row) < self.args.length:
            row += self.row(self.args.length - len(row))
        return row[: self.args.length]

    def labels(self, rows):
        kind, config = self.kind, self.config
        if kind == "seq2seq":
            targets = [self.row(max(3, n - 2)) for n in reversed(self.lengths())]
            return {"labels": self.padded(targets, -100)}
        if kind == "masked_lm":
            return {"labels": self.padded([[t if i % 3 == 1 else -100 for i, t in enumerate(r)] for r in rows], -100)}
        if kind == "tag":
            return {"labels": self.padded([[self.draw(0, config.num_labels) if 0 < i < len(r) - 1 else -100
                                            for i in range(len(r))] for r in rows], -100)}
        if kind == "answer":
            begins = [self.draw(0, len(r)) for r in rows]
            return {"start_positions": torch.tensor(begins),
                    "end_positions": torch.tensor([self.draw(b, len(r)) for b, r in zip(begins, rows)])}
        if kind == "classify":
            return {"labels": self.class_labels(len(rows))}
        return {}

    def class_labels(self, count):
        config = self.config
        problem = config.problem_type or ("regression" if config.num_labels == 1 else None)
        if problem == "multi_label_classification":
            return (torch.rand(count, config.num_labels, generator=self.random) > 0.5).float()
        if problem == "regression":
            shape = (count,) if config.num_labels == 1 else (count, config.num_labels)
            return torch.randn(*shape, generator=self.random)
        return torch.tensor([self.draw(0, config.num_labels) for _ in range(count)])

    def next_images(self):
        size = self.config.image_size
        height, width = size if isinstance(size, (list, tuple)) else (size, size)
        pixels = torch.randn(self.args.batch, self.config.num_channels, height, width, generator=self.random)
        return {"pixel_values": pixels, **({"labels": self.class_labels(self.args.batch)} if self.kind == "image" else {})}


def outputs_of(model, batch):
    with torch.no_grad():
        out = model(**batch, output_hidden_states=True, output_attentions=True)
    tensors = {}
    for key, value in out.items():
        if isinstance(value, tuple):
            tensors.update({f"out.{key}.{i}": v for i, v in enumerate(value)})
        else:
            tensors[f"out.{key}"] = value
    # What is no tensor (the key-value cache) is no output.
    return {k: v.detach().contiguous().clone() for k, v in tensors.items() if isinstance(v, torch.Tensor)}


def gradients_of(model, batch):
    """By checkpoint key: the gradients are put in place of the weights and saved, so that names come out as in files."""
    model.zero_grad()
    model(**batch).loss.backward()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for (_, p), (_, q) in zip(model.named_parameters(), twin.named_parameters()):
            q.copy_(p.grad if p.grad is not None else torch.zeros_like(p))
    buffers = {name for name, _ in model.named_buffers()}
    with tempfile.TemporaryDirectory() as folder:
        twin.save_pretrained(folder)
        with safe_open(os.path.join(folder, "model.safetensors"), "pt") as f:
            return {k: f.get_tensor(k).clone() for k in f.keys() if k not in buffers}


def generations_of(model, kind, inputs, args):
    if kind not in ("seq2seq", "causal"):
        return []
    n = args.new_tokens
    if kind == "seq2seq":
        batch = inputs.next()
        prompts = [{k: batch[k] for k in ("input_ids", "attention_mask")}]
        wanted = [
            (0, dict(num_beams=1)),
            (0, dict(num_beams=4, length_penalty=1.0, early_stopping=False)),
            (0, dict(num_beams=3, num_return_sequences=3, length_penalty=0.6, early_stopping=True)),
            (0, dict(num_beams=5, length_penalty=2.0, early_stopping=False, no_repeat_ngram_size=2)),
            (0, dict(num_beams=1, repetition_penalty=1.3)),
        ]
        extra = {}
    else:
        pad = model.generation_config.pad_token_id
        pad = pad if pad is not None else model.generation_config.eos_token_id
        pad = pad[0] if isinstance(pad, list) else pad if pad is not None else 0
        extra = dict(pad_token_id=pad)
        rows = [inputs.row(k) for k in (5, 7, 3)]
        width = max(len(r) for r in rows)
        one = torch.tensor([rows[0]])
        prompts = [{"input_ids": one, "attention_mask": torch.ones_like(one)},
                   {"input_ids": torch.tensor([[pad] * (width - len(r)) + r for r in rows]),
                    "attention_mask": torch.tensor([[0] * (width - len(r)) + [1] * len(r) for r in rows])}]
        wanted = [
            (0, dict(num_beams=1)),
            (1, dict(num_beams=1)),
            (0, dict(num_beams=4, num_return_sequences=2)),
            (0, dict(num_beams=1, repetition_penalty=1.2, no_repeat_ngram_size=3)),
        ]
        if args.no_left_padding:
            del wanted[1]
    results = []
    for which, options in wanted:
        options = dict(options, max_new_tokens=n, do_sample=False, **extra)
        out = model.generate(**prompts[which], **options, return_dict_in_generate=True, output_scores=True)
        entry = {"args": options, "inputs": {k: v.tolist() for k, v in prompts[which].items()},
                 "sequences": out.sequences.tolist()}
        if options["num_beams"] > 1:
            entry["sequences_scores"] = out.sequences_scores.tolist()
        else:
            best = torch.stack(out.scores).topk(2, dim=-1).values
            margin = (best[..., 0] - best[..., 1]).min().item()
            if margin < 1e-3:
                print(f"record.py: warning: two next tokens lie only {margin:.1e} apart; ids may differ elsewhere")
        results.append(entry)
    return results


def training_of(model, inputs, steps):
    batches = [inputs.next() for _ in range(4)]
    options = dict(lr=1e-3, betas=[0.9, 0.98], eps=1e-8, weight_decay=0.01, clip_norm=1.0)
    model = copy.deepcopy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=options["lr"], betas=options["betas"], eps=options["eps"],
                                  weight_decay=options["weight_decay"])
    losses, norms = [], []
    for step in range(steps):
        optimizer.zero_grad()
        loss = model(**batches[step % 4]).loss
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), options["clip_norm"]).item())
        optimizer.step()
        losses.append(loss.item())
    record = dict(options, losses=losses, grad_norms=norms, batches="train.safetensors, step k takes batch k mod 4")
    return record, {f"batch{k}.{key}": value for k, b in enumerate(batches) for key, value in b.items()}


def tokenizations_of(tokenizer, texts):
    single = []
    for text in dict.fromkeys(texts):
        ids = tokenizer(text)["input_ids"]
        single.append({"text": text, "ids": ids,
                       "ids_no_special": tokenizer(text, add_special_tokens=False)["input_ids"],
                       "decoded": tokenizer.decode(ids, skip_special_tokens=True),
                       "decoded_with_special": tokenizer.decode(ids, skip_special_tokens=False)})
    pair = []
    for a, b in [(TEXTS[0], TEXTS[1]), (TEXTS[2], TEXTS[3])]:
        encoded = tokenizer(a, b)
        pair.append({"a": a, "b": b, "ids": encoded["input_ids"], "token_type_ids": encoded.get("token_type_ids")})
    return {"single": single, "pair": pair}


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, ensure_ascii=False)
        f.write("\n")


def record(folder, args):
    torch.manual_seed(0)
    model = load(folder)
    kind = kind_of(model)
    tokenizer = None if kind == "image" else load_tokenizer(folder)
    texts = TEXTS
    if args.text:
        with open(args.text, encoding="utf-8") as f:
            texts = f.read().split("\n")[: args.lines]
    inputs = Inputs(model, kind, tokenizer, texts, args)
    batch = inputs.next()
    golden = {f"in.{k}": v for k, v in batch.items()}
    golden.update(outputs_of(model, batch))
    report = {"torch": torch.__version__, "transformers": transformers.__version__,
              "tokenizers": tokenizers.__version__, "generate": []}
    if "out.loss" in golden:
        report["loss"] = golden["out.loss"].item()
        save_file(gradients_of(model, batch), os.path.join(folder, "grads.safetensors"), {"format": "pt"})
    save_file(golden, os.path.join(folder, "golden.safetensors"), {"format": "pt"})
    report["generate"] = generations_of(model, kind, inputs, args)
    if args.train and "loss" in report:
        report["train"], batches = training_of(model, inputs, args.train)
        save_file(batches, os.path.join(folder, "train.safetensors"), {"format": "pt"})
    write_json(os.path.join(folder, "golden.json"), report)
    if tokenizer is not None:
        write_json(os.path.join(folder, "golden_tokenizer.json"), tokenizations_of(tokenizer, texts))


def parser():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("folder", nargs="+", help="model folder")
    p.add_argument("--text", help="file of lines to be used as inputs and for the tokenizer")
    p.add_argument("--lines", type=int, default=80, help="lines of it that are read")
    p.add_argument("--batch", type=int, default=4, help="rows of a batch")
    p.add_argument("--length", type=int, default=24, help="tokens of its longest row")
    p.add_argument("--new-tokens", type=int, default=20, help="of each generated sequence")
    p.add_argument("--train", type=int, default=12, help="AdamW steps to record; 0: none")
    p.add_argument("--no-left-padding", action="store_true",
                   help="rows of one length only, where the model's numbers depend on the longest row beside them")
    p.add_argument("--seed", type=int, default=1)
    return p


if __name__ == "__main__":
    arguments = parser().parse_args()
    for path in arguments.folder:
        record(path, arguments)
        print(f"recorded {path}")
