"""Scores of sentences as sacreBLEU and jiwer compute them: `python text_metrics.py > text_metrics.json`.

Needs sacrebleu 2.6.0 and jiwer 4.0.0. The sentences are made up.
"""

import json

import jiwer
from sacrebleu.metrics import BLEU, CHRF

# A text, and one or more references.
PAIRS = [
    ("The cat sat on the mat.", ["The cat sat on the mat."]),
    ("the the the the the the the", ["The cat is on the mat.", "There is a cat on the mat."]),
    ("Costs rose by 3.5%, to 1,200 dollars - or so.", ["Costs rose 3.5 % to 1,200 dollars, or so!"]),
    ("He said: \"No\" (twice); it's 1990-1995...", ["He said \"no\" twice; it's 1990 - 1995."]),
    ("\u201cNo\u201d, dijo \u00c9l \u2014 \u00bfqu\u00e9?", ["\u201cNo\u201d, dijo \u00e9l: \u00bfqu\u00e9?"]),
    ("a&amp;b &lt;x&gt; &quot;q&quot; <skipped> end-\nof line\nhere", ["a & b <x> \"q\" end of line here"]),
    ("", ["Something."]),
    ("Nothing", [""]),
    ("a b", ["a b c d e f g"]),
    ("one two three four five", ["one two three four", "one two three four five six seven"]),
    ("e-mail .5 5. ,, .. a.b 1.a a.1 {x} ~ ` | \\ / @ _ ^ [y] +z= <> 'tis", ["e-mail 0.5 5 a.b 1.a a.1 {x} ~ [y] 'tis"]),
    ("  spaces\u00a0and\ttabs \u2003 here  ", ["spaces and tabs here"]),
    ("STRASSE \u0130stanbul", ["stra\u00dfe istanbul"]),
    ("aaaaaaa", ["aaaa"]),
    ("xyz", ["abc"]),
]
RECOGNISED = [
    ("the cat sat on the mat", "the cat sat on mat"),
    ("one two three", "one  two two three four"),
    ("  \u00e9t\u00e9 ", "ete"),
    ("", ""),
    ("", "a"),
    ("a b c", ""),
    ("kitten", "sitting"),
    ("to be or not to be", "two bee or knot to be"),
]

bleus, chrfs = [], []
for lowercase in [False, True]:
    for metric, rows in [(BLEU(lowercase=lowercase), bleus), (CHRF(lowercase=lowercase), chrfs)]:
        score = lambda pairs: metric.corpus_score(
            [text for text, _ in pairs],
            [[of[min(place, len(of) - 1)] for _, of in pairs] for place in range(max(len(of) for _, of in pairs))],
        ).score
        rows.append({"lowercase": lowercase, "each": [score([pair]) for pair in PAIRS], "all": score(PAIRS)})

rates = [{"reference": a, "recognised": b, "wer": jiwer.wer(a, b), "cer": jiwer.cer(a, b)} for a, b in RECOGNISED]
both = [list(texts) for texts in zip(*RECOGNISED)]
print("{")
for name, value in [
    ("pairs", PAIRS),
    ("bleu", bleus),
    ("chrf", chrfs),
    ("rates", rates),
    ("all", {"wer": jiwer.wer(*both), "cer": jiwer.cer(*both)}),
]:
    print(f'"{name}": {json.dumps(value)}' + ("" if name == "all" else ","))
print("}")
