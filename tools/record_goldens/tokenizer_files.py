#!/usr/bin/env python3
"""Records tests/golden/tokenizer_files/: small vocabularies of each family, and what transformers makes of them.

    python tools/record_goldens/tokenizer_files.py tests/golden/tokenizer_files CORPUS.txt

Needs transformers, tokenizers, sentencepiece and protobuf from PyPI. The corpus (a few thousand lines) is only trained on.
"""
import json
import pathlib
import shutil
import sys
import tempfile

import sentencepiece
import tokenizers
import transformers
from tokenizers import models, normalizers, pre_tokenizers, trainers

TEXTS = ["A man in an orange hat.", "  two  spaces\tand a tab\n", "", "Ünïcödé — 你好 👋🏽 ﬁne", "<s> x</s> <mask> y",
         "[CLS] a [MASK]", "<extra_id_0> is <extra_id_1>.", "1234567 3.14", "don't they're", "a<|endoftext|>b", "▁x ▁",
         "\u00a0nbsp\u3000wide", "x" * 40, "<0x41> <unk> </s>"]

FOLDERS = {  # name: files, model_type, tokenizer_config
    "gpt2": ("gpt2", "gpt2", {"tokenizer_class": "GPT2Tokenizer"}),
    "gpt2_prefix": ("gpt2", "gpt2", {"add_prefix_space": True, "pad_token": "<|endoftext|>"}),
    "gpt2_bos": ("gpt2", "gpt2", {"tokenizer_class": "GPT2Tokenizer", "add_bos_token": True}),
    "roberta": ("roberta", "roberta", {"tokenizer_class": "RobertaTokenizer"}),
    "roberta_prefix": ("roberta", "roberta", {"tokenizer_class": "RobertaTokenizer", "add_prefix_space": True, "mask_token": {
        "__type": "AddedToken", "content": "<mask>", "lstrip": True, "rstrip": False, "single_word": False,
        "normalized": False, "special": True}}),
    "bart": ("roberta", "bart", {"tokenizer_class": "BartTokenizer"}),
    "bert": ("bert", "bert", {"tokenizer_class": "BertTokenizer"}),
    "bert_cased": ("bert", "bert", {"do_lower_case": False, "tokenize_chinese_chars": False}),
    "bert_accents": ("bert", "bert", {"tokenizer_class": "BertTokenizer", "strip_accents": False}),
    "distilbert": ("bert", "distilbert", {"tokenizer_class": "DistilBertTokenizer"}),
    "t5": ("t5", "t5", {"tokenizer_class": "T5Tokenizer"}),
    "t5_extra": ("t5", "t5", {"tokenizer_class": "T5Tokenizer", "extra_ids": 2}),
    "llama": ("llama", "llama", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "legacy": False}),
    "llama_legacy": ("llama", "llama", {"tokenizer_class": "LlamaTokenizer", "add_bos_token": True, "add_eos_token": True,
                                        "legacy": True}),
    "llama_no_prefix": ("llama", "llama", {"tokenizer_class": "LlamaTokenizer", "add_prefix_space": False}),
}


def write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def train_sentencepiece(path, corpus, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    prefix = str(path) + ".tmp"
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus), model_prefix=prefix, minloglevel=2, **options)
    pathlib.Path(prefix + ".model").rename(path)
    pathlib.Path(prefix + ".vocab").unlink()


def make_files(folder, corpus):
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    for name, specials in (("gpt2", ["<|endoftext|>"]), ("roberta", ["<s>", "<pad>", "</s>", "<unk>", "<mask>"])):
        bpe = tokenizers.Tokenizer(models.BPE())
        bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        bpe.train_from_iterator(corpus, trainers.BpeTrainer(vocab_size=400, special_tokens=specials, show_progress=False,
                                                            initial_alphabet=alphabet))
        model = json.loads(bpe.to_str())["model"]
        write(folder / name / "vocab.json", json.dumps(model["vocab"], ensure_ascii=False))
        write(folder / name / "merges.txt", "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in model["merges"]))
    bert = tokenizers.Tokenizer(models.WordPiece(unk_token="[UNK]"))
    bert.normalizer = normalizers.BertNormalizer()
    bert.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    bert.train_from_iterator(corpus, trainers.WordPieceTrainer(vocab_size=400, show_progress=False, special_tokens=[
        "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]))
    vocabulary = sorted(bert.get_vocab().items(), key=lambda item: item[1])
    write(folder / "bert" / "vocab.txt", "".join(token + "\n" for token, _ in vocabulary))
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:  # a few of NFKC's, since all take 240 kB
        rules.write("FB01\t66 69\n3000\t20\nA0\t20\n9\t20\nA\t20\n")
        rules.flush()
        train_sentencepiece(folder / "t5" / "spiece.model", corpus, vocab_size=300, model_type="unigram", pad_id=0,
                            eos_id=1, unk_id=2, bos_id=-1, normalization_rule_tsv=rules.name)
    train_sentencepiece(folder / "llama" / "tokenizer.model", corpus, vocab_size=500, model_type="bpe", byte_fallback=True,
                        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
                        user_defined_symbols=["<user>"])


def record(folder, files, model_type, config):
    with tempfile.TemporaryDirectory() as place:
        place = pathlib.Path(place)
        for file in (folder / files).iterdir():
            shutil.copy(file, place)
        (place / "tokenizer_config.json").write_text(json.dumps(config))
        (place / "config.json").write_text(json.dumps({"model_type": model_type}))
        tokenizer = transformers.AutoTokenizer.from_pretrained(place)
        cases = []
        for text in TEXTS:
            ids = tokenizer(text).input_ids
            cases.append({"ids": ids, "pair": tokenizer(text, "a man").input_ids,
                          "text": tokenizer.decode(ids, skip_special_tokens=True), "full": tokenizer.decode(ids)})
        return {"files": files, "model_type": model_type, "tokenizer_config": config, "size": len(tokenizer), "cases": cases}


def main():
    folder = pathlib.Path(sys.argv[1])
    corpus = pathlib.Path(sys.argv[2]).read_text(encoding="utf-8").splitlines()
    make_files(folder, corpus)
    recorded = {"versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__,
                             "sentencepiece": sentencepiece.__version__},
                "texts": TEXTS,
                "folders": {name: record(folder, *what) for name, what in FOLDERS.items()}}
    (folder / "cases.json").write_text(json.dumps(recorded, ensure_ascii=False) + "\n", encoding="utf-8")


main()
