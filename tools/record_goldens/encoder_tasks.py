#!/usr/bin/env python3
"""Records what transformers' pipelines give for the commands of text encoders, from the shared golden folders.

    encoder_tasks.py GOLDENS OUTPUT.json

GOLDENS has bert_classify, bert_tag, bert_mlm, bert_qa, distilbert, roberta_mlm. transformers 5 has no pipeline for
question answering any more: that part needs 4.57 and is left as it stands in OUTPUT.json where it is missing.
Needs torch and transformers; Heed itself needs neither.
"""
import json
import os
import sys

import torch
import transformers
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerFast, pipeline

TEXTS = [
    "A small brown dog runs across the wet grass.",
    "Two women are sitting on a bench.",
    "What is it?",
    "Ein älterer Mann wäscht sein Fahrrad, 12 Kinder lachen!",
    "emoji 🙂 and unbelievable   spaces",
]
PAIRS = [("A dog runs.", "An animal moves quickly."), ("What is it?", "It is a bench, not a table.")]
CONTEXT = "A small brown dog runs across the wet grass. Two women – sitting on a bench – read the newspaper together."
QUESTIONS = ["Who runs?", "Where are the women sitting?"]
LONG = " ".join(["The children play football in front of the old town hall."] * 12)


def classify(folder, pairs):
    run = pipeline("text-classification", model=folder, top_k=None)
    cases = [(t, None, t) for t in TEXTS] + [(a, b, {"text": a, "text_pair": b}) for a, b in pairs]
    out = []
    for first, second, given in cases:
        scores = run(given)
        scores = scores[0] if isinstance(scores[0], list) else scores
        out.append({"text": first, "pair": second, "scores": {s["label"]: s["score"] for s in scores}})
    return out


def tag(folder):
    out = []
    for aggregation in ("first", "average", "max", "simple"):
        run = pipeline("token-classification", model=folder, aggregation_strategy=aggregation)
        for text in TEXTS:
            found = run(text)
            out.append({"text": text, "aggregation": aggregation, "entities": [
                {"type": e["entity_group"], "score": float(e["score"]), "begin": int(e["start"]), "end": int(e["end"])}
                for e in found]})
    return out


def fill(folder):
    run = pipeline("fill-mask", model=folder, top_k=4)
    mask = run.tokenizer.mask_token
    out = []
    for text in (f"A small {mask} runs across the wet grass.", f"Two {mask} are {mask} on a bench."):
        found = run(text)
        found = found if isinstance(found[0], list) else [found]
        out.append({"text": text, "masks": [[
            {"id": f["token"], "score": f["score"], "text": f["sequence"]} for f in one] for one in found]})
    return out


def embed(folder):
    model, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    out = []
    for text in TEXTS[:3]:
        with torch.no_grad():
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        out.append({"text": text, "mean": states.mean(0).tolist(), "cls": states[0].tolist()})
    return out


def answer(folder):
    names = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"}
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"), **names)
    run = pipeline("question-answering", model=folder, tokenizer=tokenizer)
    out = []
    for question in QUESTIONS:
        for context in (CONTEXT, LONG):
            for null in (False, True):
                found = run(question=question, context=context, top_k=3, handle_impossible_answer=null,
                            max_seq_len=48, doc_stride=16, max_answer_len=8)
                found = found if isinstance(found, list) else [found]
                out.append({"question": question, "context": context, "null": null, "answers": [
                    {"text": a["answer"], "score": a["score"], "begin": a["start"], "end": a["end"]} for a in found]})
    return out


def main():
    goldens, output = sys.argv[1:]
    recorded = json.load(open(output)) if os.path.exists(output) else {}
    at = lambda name: os.path.join(goldens, name)
    if transformers.__version__.startswith("4."):
        recorded["answer"] = {"bert_qa": answer(at("bert_qa"))}
        recorded["versions_answer"] = transformers.__version__
    else:
        recorded |= {
            "versions": {"transformers": transformers.__version__, "torch": torch.__version__},
            "classify": {"bert_classify": classify(at("bert_classify"), PAIRS), "distilbert": classify(at("distilbert"), [])},
            "tag": {"bert_tag": tag(at("bert_tag"))},
            "fill": {"bert_mlm": fill(at("bert_mlm")), "roberta_mlm": fill(at("roberta_mlm"))},
            "embed": {"distilbert": embed(at("distilbert")), "bert_classify": embed(at("bert_classify"))},
        }
    with open(output, "w") as file:
        json.dump(recorded, file, indent=1)
        file.write("\n")


main()
