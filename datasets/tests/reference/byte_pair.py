"""Byte pairs as Hugging Face's tokenizers finds them: `python byte_pair.py > byte_pair.json`.

Needs tokenizers 0.23.3. Trains on the plays in data/shakespeare, and on made-up words in which letters repeat.
"""

import gzip
import json
import pathlib

from tokenizers import ByteLevelBPETokenizer

PLAYS = pathlib.Path(__file__).parent.parent.parent / "data/shakespeare/eight_plays.txt.gz"
SPECIAL = ["[PAD]", "[START]", "[END]"]
TEXTS = [
    "To be, or not to be: that is the question.",
    "I'll  make a ghost of him that lets me!\n\n\tLet us go; 'tis '99.\n",
    "En el principio crió Dios los cielos y la tierra — “á la verdad”",
    "naïve Œuvre Ünïcödé ΑΒΓ где 北京 👩‍👩‍👧 e\u0301 \u00a0 \u2003x",
    "aaaaaaa abababab xyz[PAD]",
    "",
    "   ",
]
REPEATED = ["aaaa aaab abab ababab aabaab", "aaaaaaaaa aab baaab bababa aaaa aaaa", "the theory thee there then he the"]


def trained(texts, size, special, least):
    tokens = ByteLevelBPETokenizer()
    tokens.train_from_iterator(texts, vocab_size=size, min_frequency=least, special_tokens=special, show_progress=False)
    merges = json.loads(tokens.to_str())["model"]["merges"]
    # The model alone, since the tokenizer looks for special tokens in texts.
    plain = ByteLevelBPETokenizer(tokens.get_vocab(), [tuple(pair) for pair in merges])
    encoded = [plain.encode(text).ids for text in TEXTS]
    return {"size": size, "special": special, "least": least, "merges": [" ".join(pair) for pair in merges], "encoded": encoded}


plays = trained([gzip.open(PLAYS, "rt").read()], 1500, SPECIAL, 2)
made_up = [trained(REPEATED, 300, [], least) for least in [1, 2, 3]]
print("{")
for name, value in [("texts", TEXTS), ("repeated", REPEATED), ("made_up", made_up), ("plays", plays)]:
    print(f'"{name}": {json.dumps(value)}' + ("" if name == "plays" else ","))
print("}")
