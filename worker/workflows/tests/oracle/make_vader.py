"""Writes vader.zip beside this file: what vaderSentiment 3.3.2 says about the lines of its own distribution.

    pip install vaderSentiment==3.3.2          (Python 3.11: from 3.12 on, sum() of floats is compensated)
    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python make_vader.py vaderSentiment-3.3.2.tar.gz

Members: the four rated sets, and `synthetic`, seeded sentences that press on the rules that a port gets wrong.
A line is: human mean (empty for synthetic), neg, neu, pos, compound, the text as a JSON string; split by tabs.
"""

import importlib.metadata
import io
import json
import pathlib
import random
import sys
import tarfile
import zipfile

from vaderSentiment import vaderSentiment as vader

SETS = ["tweets", "nytEditorialSnippets", "movieReviewSnippets", "amazonReviewSnippets"]
INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
SYNTHETIC = 8_000

PLAIN = "the a I it is was film we they report x y z 7 3rd and or nor so this doubt at very of kind just enough".split()
MODIFIERS = (
    "but BUT But least Least LEAST no No NO never without doubt despite n't ain't DON'T isn't cannot rarely uh-uh kind-of".split()
)
PHRASES = [
    "the shit", "the bomb", "bad ass", "badass", "bus stop", "yeah right", "kiss of death", "to die for",
    "beating heart", "kind of", "sort of", "just enough", "at least", "very least", "the least", "never so", "never this",
    "without doubt", "without a doubt", "no good", "no good or bad", "not good nor great", "least good", "so this",
    "hand to mouth", "can't stand", "fed up", "screwed up", "no", "no no", "but but", "kind", "KIND OF", "Sort Of",
]
EMOTICONS = [":)", ":(", ":D", ":-Þ", ":-þ", ";D", "=D", "o.O", "O_o", ":-)", "<3", "</3", "XD", "xp", ":P", "8)", "(:", "):"]
EMOJI = ["😀", "😁😂", "💘", "💋!", "a💔b", "❤", "❤️", "👍🏽", "©", "‼", "⁉", "🇬🇧", "🤣 🤣", "\u200d", "😡😡😡", "👨‍👩‍👧"]
ODD = [
    "İYİ", "ΣΊΓΜΑΣ", "GOODΣ", "straße", "STRASSE", "ǅ", "ǅABC", "ᾈB", "ª", "ªGREAT", "ⅣX", "ⓐ", "ⒶBC", "中文", "GREAT中",
    "«good»", "“great”", "good—bad", "good…", "‘LOVE’", "GREAT¡", "g\u0301ood", "1", "22", "333", "A", "I", "'", "--", "...", "_x_",
]
SPACES = [" "] * 30 + ["  ", "\t", "\n", "\r\n", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u2003",
                       "\u2009", "\u2028", "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\ufeff", "\u180e", ""]
ENDS = ["", "", "", ".", "!", "!!", "!!!", "!!!!", "!!!!!!", "?", "??", "???", "????", "?????", "?!", "!?!?", " !", "...", '"', "')"]


def word(rng, words, boosters):
    kind = rng.randrange(10)
    if kind < 3:
        text = rng.choice(words)
    elif kind == 3:
        text = rng.choice(boosters)
    elif kind == 4:
        text = rng.choice(MODIFIERS)
    elif kind == 5:
        text = rng.choice(PHRASES)
    elif kind == 6:
        text = rng.choice(rng.choice([EMOTICONS, EMOJI, ODD]))
    elif kind == 7:
        text = rng.choice(vader.NEGATE)
    else:
        text = rng.choice(PLAIN)
    case = rng.randrange(12)
    if case < 2:
        text = text.upper()
    elif case == 2:
        text = text.capitalize()
    if rng.randrange(8) == 0:
        text = rng.choice(["(", '"', "'", "*", "#", "@", "¿", "-"]) + text
    if rng.randrange(6) == 0:
        text += rng.choice([",", ".", "!", "?", ";", ")", "'s", '"', "***", "…"])
    return text


def sentence(rng, words, boosters):
    length = rng.choice([0, 1, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, rng.randrange(30, 120)])
    # A small vocabulary makes equal values, which is what trips the search by value after "but".
    pool = words if rng.randrange(2) else rng.sample(words, 6)
    text = rng.choice(SPACES) if rng.randrange(10) == 0 else ""
    for _ in range(length):
        text += word(rng, pool, boosters) + rng.choice(SPACES)
    return text + rng.choice(ENDS)


def synthetic(analyzer):
    rng = random.Random(20140530)
    words = sorted(analyzer.lexicon)
    boosters = sorted(vader.BOOSTER_DICT)
    return [("", sentence(rng, words, boosters)) for _ in range(SYNTHETIC)]


def rated(sdist):
    with tarfile.open(sdist) as outer, tarfile.open(fileobj=io.BytesIO(outer.extractfile(INNER).read())) as inner:
        for name in SETS:
            data = inner.extractfile(f"hutto_ICWSM_2014/{name}_GroundTruth.txt").read().decode("utf-8")
            yield name, [tuple(line.split("\t")[1:3]) for line in data.replace("\r\n", "\n").rstrip("\n").split("\n")]


def main(sdist):
    assert importlib.metadata.version("vaderSentiment") == "3.3.2" and sys.version_info[:2] == (3, 11)
    analyzer = vader.SentimentIntensityAnalyzer()
    sets = dict(rated(sdist))
    assert sum(map(len, sets.values())) == 23_703
    sets["synthetic"] = synthetic(analyzer)
    with zipfile.ZipFile(pathlib.Path(__file__).with_name("vader.zip"), "w", zipfile.ZIP_DEFLATED, compresslevel=9) as out:
        for name, lines in sets.items():
            rows = []
            for mean, text in lines:
                s = analyzer.polarity_scores(text)
                quoted = json.dumps(text, ensure_ascii=False)
                rows.append(f"{mean}\t{s['neg']}\t{s['neu']}\t{s['pos']}\t{s['compound']}\t{quoted}\n")
            print(name, len(lines), sum(float(r.split("\t")[4]) for r in rows) / len(rows))
            entry = zipfile.ZipInfo(f"{name}.tsv", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            out.writestr(entry, "".join(rows).encode("utf-8"), compresslevel=9)


if __name__ == "__main__":
    main(sys.argv[1])
