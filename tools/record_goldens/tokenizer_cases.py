#!/usr/bin/env python3
"""Records what the Hugging Face library `tokenizers` makes of texts, for the components of tokenizer.json.

    tools/record_goldens/tokenizer_cases.py [FOLDER]      (default: tests/golden/tokenizers)

Writes one file per tokenizer, {"versions", "tokenizer": the document, "cases": [...]}. A case has "text" (and "second"
of a pair), or "words"; "special"; and what came out: "ids", "types", "characters" (flat), "words_out" and "texts"
(-1: none), "decoded" and "decoded_special". Needs `tokenizers`; run it again only to add cases.
"""
import base64
import json
import random
import struct
import sys
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from tokenizers.trainers import BpeTrainer, WordPieceTrainer

TEXTS = [
    "", " ", "a", "Hello, world!", "  two  spaces  ", "don't can't I'LL we've he'd you're it's IT'S",
    "HELLO World hElLo", "naïve café résumé Ångström ﬁne ½ ① ㎏", "e\u0301 a\u0308\u0323o\u0302 n\u0303", "日本語のテキスト、漢字。Yes",
    "Ελληνικά Σίσυφος ΌΣΟΣ İstanbul", "a\tb\nc\r\nd \u00a0e\u3000f\u200bg", "tabs\t\t\tand\n\n\nlines  \n  x",
    "123 4567 89012 3.14 1,000 ٣٤ ²³", "emoji 😀👍🏽 👩‍👩‍👧 🇩🇪🇫🇷", "under_score __init__ a_b", "hello-world--foo -- bar",
    "<s>hi</s> [MASK] <mask> x<mask>y  <mask>  ", "[CLS] My name [SEP]name name", "한국어 텍스트 각", "price: $5 + €3 = ¥8 (ok?) «q» “q”",
    "\u0000\u0001ctrl\u007f\ufffd x", "unknown ξ ж 字 ☃ end", "ends with space ", "▁meta ▁ space▁", "ab ba aab bba abab",
    "the the the then there", "ТекСТ на русском Ёж", "x\u0301\u0301\u0301y", "ﬁ\u0301 ﷺ ﬃ",
]
PAIRS = [("Hello, world!", "How are you?"), ("", "b"), ("a b", ""), ("ab  <mask>", " 字 ab")]
WORDS = [["Hello", "world", "!"], ["don't", "", "stop", " now"], ["ab", "字字", "naïve"]]


def corpus():
    rng = random.Random(7)
    letters = "the of and to in is that it was for on are with as his they at be this from have or by one had not but what all".split()
    return [" ".join(rng.choice(letters) for _ in range(12)).capitalize() + "." for _ in range(300)] + TEXTS * 2


def train_bpe(byte_level, size=420, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    if byte_level:
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        alphabet = []
    extra = {}
    if options.get("continuing_subword_prefix"):
        extra["continuing_subword_prefix"] = options["continuing_subword_prefix"]
    if options.get("end_of_word_suffix"):
        extra["end_of_word_suffix"] = options["end_of_word_suffix"]
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = BpeTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=sorted(alphabet),
                         limit_alphabet=60 if not byte_level else 1000, show_progress=False, **extra)
    tokenizer.train_from_iterator(corpus(), trainer)
    return tokenizer


def document(tokenizer):
    return json.loads(tokenizer.to_str())


def wordpiece():
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(corpus(), WordPieceTrainer(
        vocab_size=300, limit_alphabet=70, special_tokens=["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"], show_progress=False))
    return tokenizer


def unigram(bytes_too=False):
    scores = {}
    for line in corpus():
        for word in line.replace(" ", "▁").split("▁"):
            for i in range(len(word)):
                for j in range(i + 1, min(len(word), i + 5) + 1):
                    scores[("▁" if i == 0 else "") + word[i:j]] = scores.get(("▁" if i == 0 else "") + word[i:j], 0) + 1
    best = sorted(scores.items(), key=lambda x: (-x[1] * len(x[0]), x[0]))[:220]
    characters = sorted({c for line in corpus()[:200] for c in line.replace(" ", "▁")} | {"▁"})
    vocab = [("<unk>", 0.0), ("<s>", 0.0), ("</s>", 0.0)]
    if bytes_too:
        vocab += [(f"<0x{b:02X}>", -20.0) for b in range(256)]
    known = {t for t, _ in vocab}
    for token, count in best:
        if token not in known:
            vocab.append((token, -10.0 + count / 200))
            known.add(token)
    vocab += [(c, -12.0) for c in characters if c not in known]
    return Tokenizer(models.Unigram(vocab, unk_id=0, byte_fallback=bytes_too))


def charsmap(rules):
    """A SentencePiece character map (see src/heed/text/precompiled_charsmap.h) of a dict of strings."""
    strings, places = b"", {}
    for value in rules.values():
        if value not in places:
            places[value] = len(strings)
            strings += value.encode() + b"\0"
    children = [{}]
    values = [None]
    for key, value in rules.items():
        node = 0
        for byte in key.encode():
            if byte not in children[node]:
                children[node][byte] = len(children)
                children.append({})
                values.append(None)
            node = children[node][byte]
        values[node] = places[value]
    # Each node gets a block of 256 units of its own: big, but simple and always valid.
    units = [0] * (256 * (len(children) + 1))
    def place(node, unit, label):
        base = 256 * (node + 1)
        offset = unit ^ base
        flags = (1 << 8) if values[node] is not None else 0
        assert offset < (1 << 21) or offset % 256 == 0
        coded = (offset << 10) if offset < (1 << 21) else ((offset >> 8) << 10) | (1 << 9)
        units[unit] = coded | flags | label
        if values[node] is not None:
            units[base] = (1 << 31) | values[node]
        for byte, child in children[node].items():
            place(child, base ^ byte, byte)
    place(0, 0, 0)
    blob = struct.pack("<I", 4 * len(units)) + struct.pack(f"<{len(units)}I", *units) + strings
    return blob


def added(document, *tokens):
    for content, flags in tokens:
        token = {"id": 0, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": True,
                 "special": False}
        token.update(flags)
        document["added_tokens"].append(token)
    return document


def template(single, pair, tokens):
    made = processors.TemplateProcessing(single=single, pair=pair, special_tokens=tokens)
    return json.loads(made.__getstate__())


def variants():
    level = document(train_bpe(True))
    meta = document(train_bpe(False, unk_token="<unk>", fuse_unk=True))
    piece = document(wordpiece())
    uni = document(unigram())
    uni_bytes = document(unigram(True))

    def make(base, **parts):
        made = json.loads(json.dumps(base))
        for key, value in parts.items():
            if key == "model":
                made["model"].update(value)
            else:
                made[key] = value
        return made

    LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
              r"|\s+(?!\S)|\s+")
    split = lambda regex, behavior, invert=False: {"type": "Split", "pattern": {"Regex": regex}, "behavior": behavior,
                                                   "invert": invert}
    byte_level = lambda prefix=False, regex=True: {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True,
                                                   "use_regex": regex}
    sequence = lambda *all_: {"type": "Sequence", "pretokenizers": list(all_)}
    norms = lambda *all_: {"type": "Sequence", "normalizers": list(all_)}
    bos_eos = template("<s> $A </s>", "<s> $A </s> $B:1 </s>:1", [("<s>", 1), ("</s>", 2)])
    mask = {"special": True, "lstrip": True, "normalized": False}
    metaspace = lambda scheme, split_=True: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split_}

    yield "byte_level_roberta", added(make(level, pre_tokenizer=byte_level(True), decoder={"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        post_processor={"type": "RobertaProcessing", "sep": ["</s>", 2], "cls": ["<s>", 1], "trim_offsets": True, "add_prefix_space": True}), ("<mask>", mask))
    yield "byte_level_trim", make(level, decoder=byte_level(), post_processor={"type": "Sequence", "processors": [byte_level(), bos_eos]})
    yield "llama3", make(level, model={"ignore_merges": True}, pre_tokenizer=sequence(split(LLAMA3, "Isolated"), byte_level(False, False)),
        post_processor={"type": "Sequence", "processors": [byte_level(), bos_eos]}, decoder=byte_level())
    yield "regex_words", make(level, pre_tokenizer=sequence(split(r"\w+|[^\w\s]+", "Removed", True), byte_level(False, False)), decoder=byte_level())
    yield "regex_digits", make(level, pre_tokenizer=sequence(split(r"\p{N}{1,3}", "Isolated"), split(r"[一-龥぀-ゟ゠-ヿ]+", "Isolated"),
        split(r"[!-/:-@\[-`{-~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+", "Isolated"), byte_level(False, False)), decoder=byte_level())
    for behavior in ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"):
        yield f"split_{behavior}", make(level, pre_tokenizer=sequence({"type": "Split", "pattern": {"String": "-"}, "behavior": behavior, "invert": False},
            split(r"\s+", behavior, True), byte_level(False, False)), decoder=byte_level())
    for scheme in ("always", "first", "never"):
        yield f"metaspace_{scheme}", added(make(meta, pre_tokenizer=metaspace(scheme), decoder=metaspace(scheme), post_processor=bos_eos), ("<mask>", mask))
    yield "metaspace_whole", make(meta, pre_tokenizer=metaspace("first", False), decoder=metaspace("first"))
    fallback = make(meta, normalizer=norms({"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}), pre_tokenizer=None,
        model={"byte_fallback": True}, decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}, post_processor=template("<s> $A", "<s> $A <s>:1 $B:1", [("<s>", 1)]))
    size = len(fallback["model"]["vocab"])
    for b in range(256):
        fallback["model"]["vocab"][f"<0x{b:02X}>"] = size + b
    yield "bpe_bytes", fallback
    some = make(fallback)
    for b in range(0x80, 0xE0):
        del some["model"]["vocab"][f"<0x{b:02X}>"]
    yield "bpe_some_bytes", some
    yield "bpe_unfused", make(meta, model={"fuse_unk": False}, pre_tokenizer=metaspace("always"))
    yield "bpe_no_unknown", make(meta, model={"unk_token": None}, pre_tokenizer=metaspace("always"))
    yield "bpe_suffix", make(document(train_bpe(False, unk_token="<unk>", end_of_word_suffix="</w>")), pre_tokenizer={"type": "BertPreTokenizer"},
        normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}, decoder={"type": "BPEDecoder", "suffix": "</w>"})
    yield "bpe_prefix", make(document(train_bpe(False, unk_token="<unk>", continuing_subword_prefix="##")), pre_tokenizer={"type": "WhitespaceSplit"}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": False})
    yield "bert", make(piece, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}, post_processor={"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]})
    yield "bert_cased", added(make(piece, normalizer={"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": False, "lowercase": False},
        decoder={"type": "WordPiece", "prefix": "##", "cleanup": False}, post_processor=template("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", [("[CLS]", 2), ("[SEP]", 3)])),
        ("name", {"single_word": True}), ("my", {"rstrip": True, "lstrip": True}))
    yield "bert_accents", make(piece, normalizer={"type": "BertNormalizer", "clean_text": False, "handle_chinese_chars": False, "strip_accents": True, "lowercase": False})
    yield "added_tokens", added(make(piece, normalizer={"type": "Lowercase"}, pre_tokenizer={"type": "Whitespace"}), ("My", {"lstrip": True, "rstrip": True}), ("NAME", {}),
        ("ony", {"single_word": True}), ("<mask>", dict(mask, rstrip=True, single_word=True)), ("hell", {"normalized": False}), ("hello", {"normalized": False, "special": True}), ("  ", {}), ("wor", {"normalized": True}))
    for kind, parts in {
        "nfc": [{"type": "NFC"}], "nfd": [{"type": "NFD"}, {"type": "StripAccents"}], "nfkc": [{"type": "Nmt"}, {"type": "NFKC"}, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}],
        "nfkd": [{"type": "NFKD"}, {"type": "Lowercase"}, {"type": "Strip", "strip_left": True, "strip_right": True}],
        "replace": [{"type": "Replace", "pattern": {"String": "``"}, "content": "\""}, {"type": "Replace", "pattern": {"Regex": "[aeiou]+"}, "content": "VV"}, {"type": "Replace", "pattern": {"Regex": "x*"}, "content": "-"},
                    {"type": "Strip", "strip_left": False, "strip_right": True}],
    }.items():
        yield f"unigram_{kind}", make(uni, normalizer=norms(*parts), pre_tokenizer=metaspace("always"), decoder=metaspace("always"), post_processor=template("$A </s>", "$A </s> $B </s>", [("</s>", 2)]))
    rules = {"ﬁ": "fi", "①": "1", "½": "1⁄2", "\u00a0": " ", "\u3000": " ", "\t": " ", "\r": " ", "\n": " ", "e\u0301": "é", "\u200b": "", "㎏": "kg", "ﷺ": "صلى الله عليه وسلم", "\u0301": "", "A": "a", "\u0001": ""}
    precompiled = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap(rules)).decode()}
    yield "unigram_precompiled", make(uni, normalizer=norms(precompiled, {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}), pre_tokenizer=metaspace("always"))
    yield "unigram_bytes", make(uni_bytes, normalizer={"type": "Prepend", "prepend": "▁"}, pre_tokenizer=metaspace("never"), decoder={"type": "Sequence", "decoders": [{"type": "ByteFallback"}, metaspace("always")]})
    yield "unigram_whole", make(uni, pre_tokenizer=metaspace("always", False), decoder=metaspace("always"))
    word_level = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": {"type": "Lowercase"}, "pre_tokenizer": None, "post_processor": None, "decoder": None,
                  "model": {"type": "WordLevel", "vocab": {"<unk>": 0, "hello": 1, "world": 2, ",": 3, "a": 4, "1": 5, "the": 6, "b": 7, "-": 8, "ab": 9, "yes": 10}, "unk_token": "<unk>"}}
    for name, part in {
        "whitespace": {"type": "Whitespace"}, "digits": sequence({"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True}), "digit_runs": {"type": "Digits", "individual_digits": False},
        "punctuation": sequence({"type": "Punctuation", "behavior": "Contiguous"}, {"type": "WhitespaceSplit"}), "punctuation_next": {"type": "Punctuation", "behavior": "MergedWithNext"},
        "delimiter": {"type": "CharDelimiterSplit", "delimiter": "-"}, "scripts": {"type": "UnicodeScripts"}, "empty_pattern": {"type": "Split", "pattern": {"String": ""}, "behavior": "Isolated", "invert": False},
    }.items():
        yield f"words_{name}", make(word_level, pre_tokenizer=part)
    yield "words_byte_level_normalizer", make(level, normalizer={"type": "ByteLevel"}, pre_tokenizer=None, decoder=byte_level())


def span_list(encoding):
    return [x for span in encoding.offsets for x in span]


def case(tokenizer, special, text=None, second=None, words=None):
    if words is not None:
        encoding = tokenizer.encode(words, is_pretokenized=True, add_special_tokens=special)
        made = {"words": words}
    elif second is not None:
        encoding = tokenizer.encode(text, second, add_special_tokens=special)
        made = {"text": text, "second": second}
    else:
        encoding = tokenizer.encode(text, add_special_tokens=special)
        made = {"text": text}
    made["special"] = special
    made["ids"] = encoding.ids
    made["types"] = encoding.type_ids
    made["characters"] = span_list(encoding)
    made["word_ids"] = [-1 if w is None else w for w in encoding.word_ids]
    made["texts"] = [-1 if s is None else s for s in encoding.sequence_ids]
    if words is None and second is None:
        made["decoded"] = tokenizer.decode(encoding.ids)
        made["decoded_special"] = tokenizer.decode(encoding.ids, skip_special_tokens=False)
    return made


def record(name, made, folder, texts=TEXTS, pairs=PAIRS, words=WORDS):
    try:
        tokenizer = Tokenizer.from_str(json.dumps(made))
    except Exception as error:  # a variant that this version of the library refuses
        print(f"{name}: {error}")
        return
    cases = []
    for i, text in enumerate(texts):
        cases.append(case(tokenizer, i % 4 != 3, text))
    for a, b in pairs:
        cases.append(case(tokenizer, True, a, b))
        cases.append(case(tokenizer, False, a, b))
    for list_ in words:
        cases.append(case(tokenizer, True, words=list_))
    out = {"versions": {"tokenizers": tokenizers.__version__}, "tokenizer": made, "cases": cases}
    (folder / f"{name}.json").write_text(json.dumps(out, ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2] / "tests/golden/tokenizers"
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in variants():
        record(name, made, folder)


if __name__ == "__main__":
    main()
