"""Peer for translation: CTranslate2 (its wheel from PyPI) on the same Marian folder, given tokens.

  ct2-transformers-converter --model MODEL --output_dir MODEL.ct2
  CT2_FORCE_CPU_ISA=AVX512 python ctranslate2_translate.py MODEL.ct2 MODEL test.en --beam 5 --inter 2 --intra 1 --batch 32

Prints one JSON line: seconds from loading the model to the last translation, the tokenising left out (it is done first).
"""
import argparse, json, time
ap = argparse.ArgumentParser()
ap.add_argument("converted"); ap.add_argument("folder"); ap.add_argument("source")
ap.add_argument("--beam", type=int, default=1); ap.add_argument("--inter", type=int, default=2); ap.add_argument("--intra", type=int, default=1)
ap.add_argument("--batch", type=int, default=32); ap.add_argument("--runs", type=int, default=5); ap.add_argument("--output")
o = ap.parse_args()
import ctranslate2, sentencepiece
spm = sentencepiece.SentencePieceProcessor(model_file=o.folder + "/source.spm")
tokens = [spm.encode(l.rstrip("\n"), out_type=str) + ["</s>"] for l in open(o.source, encoding="utf-8")]
times = []
for _ in range(o.runs):
    begin = time.perf_counter()
    model = ctranslate2.Translator(o.converted, device="cpu", compute_type="float32", inter_threads=o.inter, intra_threads=o.intra)
    loaded = time.perf_counter()
    if o.batch == 1: out = [model.translate_batch([t], beam_size=o.beam, max_decoding_length=80)[0] for t in tokens]
    else: out = model.translate_batch(tokens, beam_size=o.beam, max_decoding_length=80, max_batch_size=o.batch)
    times.append((time.perf_counter() - begin, loaded - begin))
times.sort()
if o.output: open(o.output, "w").write("".join(spm.decode(r.hypotheses[0]) + "\n" for r in out))
print(json.dumps(dict(peer="ctranslate2", version=ctranslate2.__version__, beam=o.beam, inter=o.inter, intra=o.intra, batch=o.batch, seconds=round(times[len(times) // 2][0], 3), load=round(times[len(times) // 2][1], 3))))
