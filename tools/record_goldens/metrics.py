"""Records scores of tagging, summarisation, question answering and classification for tests/metrics.

  python3 tools/record_goldens/metrics.py tests/golden/metrics/scores.json

Needs seqeval, rouge-score, scikit-learn, scipy and nltk (only its PorterStemmer) from PyPI. The inputs are drawn from a
seed. SQuAD's scores come from the functions below, which follow the definitions of the official evaluate-v1.1.py and
evaluate-v2.0.py.
"""
import collections, json, random, re, string, sys
from importlib.metadata import version
from nltk.stem.porter import PorterStemmer
from rouge_score import rouge_scorer
from scipy.stats import pearsonr, spearmanr
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.metrics.sequence_labeling import get_entities
from sklearn.metrics import accuracy_score, f1_score as sk_f1, matthews_corrcoef

rng = random.Random(20261125)
out = {"versions": {p: version(p) for p in ("seqeval", "rouge-score", "scikit-learn", "scipy", "nltk")}}

# --- tags: random ones, ill-formed sequences included
TAGS = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC", "E-PER", "S-LOC", "I-ORG-X", "B", "I", "E-ORG"]
cases = []
for _ in range(60):
    n = [rng.randint(0, 12) for _ in range(3)]
    true = [[rng.choice(TAGS) for _ in range(k)] for k in n]
    pred = [[t if rng.random() < 0.7 else rng.choice(TAGS) for t in row] for row in true]
    cases.append({"true": true, "pred": pred, "entities": [[list(e) for e in get_entities(row)] for row in true],
                  "precision": precision_score(true, pred, zero_division=0) if any(n) else 0, "recall": recall_score(true, pred, zero_division=0) if any(n) else 0,
                  "f1": f1_score(true, pred, zero_division=0) if any(n) else 0})
out["tags"] = cases

# --- ROUGE
WORDS = ("the cat cats running runs ran skies dying hopefulness relational generalli feudalism it's don't 3.5 Über İstanbul naïve caf\u00e9 "
         "happily happy enjoyment agreed plastered hopping falling controll news yyyy archaeology conflated sized A.B.C. x-ray").split()
def text(): return "\n".join(" ".join(rng.choice(WORDS) for _ in range(rng.randint(0, 9))) for _ in range(rng.randint(1, 3)))
cases = []
for k in range(60):
    refs, hyp = [text() for _ in range(rng.randint(1, 3))], text()
    case = {"references": refs, "summary": hyp}
    for stem in (False, True):
        s = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL", "rougeLsum"], use_stemmer=stem).score_multi(refs, hyp)
        case["stem" if stem else "plain"] = {n: list(v) for n, v in s.items()}
    cases.append(case)
out["rouge"] = cases
stemmer = PorterStemmer()
VOCAB = sorted(set("""caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled sized hopping tanned falling hissing fizzed
failing filing happy sky enjoy relational conditional rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli vietnamization
predication operator feudalism decisiveness hopefulness callousness formaliti sensitiviti sensibiliti triplicate formative formalize electriciti electrical hopeful
goodness revival allowance inference airliner gyroscopic adjustable defensible irritant replacement adjustment dependent adoption homologou communism activate
angulariti homologous effective bowdlerize probate rate cease controll roll dies died flies spied skies dying innings news geologi theologi archaeologi fulli
gainfulli say by yyy a1b2 generally probably 2nd""".split()) | {"".join(rng.choice("aeiouybcdglnrstz") for _ in range(rng.randint(3, 9))) + rng.choice(
    ["", "s", "ed", "ing", "ly", "ness", "ational", "alli", "ement", "ion", "e", "ll", "y", "ies", "eed"]) for _ in range(300)})
out["stems"] = {w: stemmer.stem(w) for w in VOCAB}

# --- SQuAD
def normalize(s):
    s = "".join(c for c in s.lower() if c not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", s).split())
def f1(p, g, v2):
    p, g = normalize(p).split(), normalize(g).split()
    if v2 and (not p or not g): return float(p == g)
    same = sum((collections.Counter(p) & collections.Counter(g)).values())
    return 0.0 if same == 0 else 2 * (same / len(p)) * (same / len(g)) / (same / len(p) + same / len(g))
ANS = ["the", "a", "Paris", "in Paris,", "1,000", "a–b the–end", "Thé", "an apple", "(the) U.S.", "", "_the_", "the  cat\u00a0sat", "A.", "the²"]
cases = []
for k in range(60):
    golds, pred = [" ".join(rng.choice(ANS) for _ in range(rng.randint(1, 4))) for _ in range(rng.randint(1, 3))], " ".join(rng.choice(ANS) for _ in range(rng.randint(0, 4)))
    case = {"answer": pred, "references": golds, "normalized": normalize(pred)}
    for v2 in (False, True):
        g = ([x for x in golds if normalize(x)] or [""]) if v2 else golds
        case["v2" if v2 else "v1"] = [max(float(normalize(pred) == normalize(x)) for x in g), max(f1(pred, x, v2) for x in g)]
    cases.append(case)
out["squad"] = cases

# --- classes and series
cases = []
for k in range(30):
    n, c = rng.randint(2, 40), rng.randint(1, 5)
    true = [rng.randrange(c) for _ in range(n)]
    pred = [t if rng.random() < 0.6 else rng.randrange(c + 1) for t in true]
    x = [rng.choice([0.0, 0.5, rng.gauss(0, 1)]) for _ in range(n)]; y = [a + rng.gauss(0, 1) for a in x]
    cases.append({"true": true, "pred": pred, "accuracy": accuracy_score(true, pred), "macro_f1": sk_f1(true, pred, average="macro", zero_division=0),
                  "matthews": matthews_corrcoef(true, pred), "x": x, "y": y, "pearson": None if len(set(x)) < 2 else pearsonr(x, y)[0],
                  "spearman": None if len(set(x)) < 2 else spearmanr(x, y)[0]})
out["classes"] = cases
cases = []
for k in range(15):
    n, l = rng.randint(1, 12), rng.randint(1, 5)
    true = [[rng.randrange(2) for _ in range(l)] for _ in range(n)]; pred = [[rng.randrange(2) for _ in range(l)] for _ in range(n)]
    if l > 1:
        cases.append({"true": true, "pred": pred, "accuracy": accuracy_score(true, pred), "micro_f1": sk_f1(true, pred, average="micro", zero_division=0),
                      "macro_f1": sk_f1(true, pred, average="macro", zero_division=0)})
out["multi_label"] = cases
json.dump(out, open(sys.argv[1], "w"), ensure_ascii=True, separators=(",", ":"))
