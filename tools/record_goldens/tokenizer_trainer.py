#!/usr/bin/env python3
"""Records tests/golden/tokenizer_trainer/expected.json: what transformers makes of tokenizers that heed has trained on
the corpus there, and the merges that the trainers of Hugging Face's tokenizers learn from it.

    python tools/record_goldens/tokenizer_trainer.py tests/golden/tokenizer_trainer HEED

HEED is the program. Needs transformers and tokenizers from PyPI.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import tokenizers
import transformers
from tokenizers import models, normalizers, pre_tokenizers, trainers

TEXTS = ["First Citizen: you are all resolved rather to die", "  two  spaces ", "", "Café 你好 👋 Ünknown №",
         "a\nnewline\tand a tab", "xyzzy <unk> </s> [MASK] <|endoftext|> <note>", "3.14 don't THEY'RE"]
KINDS = {"byte-bpe": 500, "wordpiece": 300, "unigram": 300, "characters": 8000}


def texts_of(tokenizer):
    cases = []
    for text in TEXTS:
        encoding = tokenizer(text, return_offsets_mapping=True)
        cases.append({"ids": encoding.input_ids, "offsets": encoding.offset_mapping,
                      "text": tokenizer.decode(encoding.input_ids, skip_special_tokens=True)})
    return cases


def reference_merges(corpus):
    bpe = tokenizers.Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(corpus, trainers.BpeTrainer(
        vocab_size=KINDS["byte-bpe"], min_frequency=2, special_tokens=["<|endoftext|>", "<note>"], show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return json.loads(bpe.to_str())["model"]["merges"]


def reference_word_pieces(corpus):
    bert = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer()
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.train_from_iterator(corpus, trainers.WordPieceTrainer(
        vocab_size=KINDS["wordpiece"], min_frequency=2, show_progress=False,
        special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<note>"]))
    return sum(len(bert.encode(line).tokens) for line in corpus)


def main():
    folder, heed = pathlib.Path(sys.argv[1]), sys.argv[2]
    corpus = (folder / "corpus.txt").read_text(encoding="utf-8").splitlines()
    recorded = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__},
                "texts": TEXTS, "merges": reference_merges(corpus), "word_pieces": reference_word_pieces(corpus), "kinds": {}}
    with tempfile.TemporaryDirectory() as place:
        for kind, size in KINDS.items():
            output = f"{place}/{kind}"
            subprocess.run([heed, "tokenizer", "train", "--kind", kind, "--vocab-size", str(size), "--special", "<note>",
                            "--input", folder / "corpus.txt", "--output", output, "--quiet"], check=True)
            tokenizer = transformers.AutoTokenizer.from_pretrained(output)
            recorded["kinds"][kind] = {"vocab_size": size, "tokens": len(tokenizer), "cases": texts_of(tokenizer)}
    (folder / "expected.json").write_text(json.dumps(recorded, ensure_ascii=False) + "\n", encoding="utf-8")


main()
