"""Writes vader_lexicon.txt and vader_emoji.txt beside this file from the sdist of vaderSentiment 3.3.2 (MIT).

    pip download --no-deps --no-binary :all: vaderSentiment==3.3.2
    python make_vader.py vaderSentiment-3.3.2.tar.gz

Kept are the word and its mean (the raw ratings are not used by the algorithm), the last one where a word occurs
twice, as its dict does; and the emoji of one code point, for longer ones are never looked up by its loop over characters.
"""

import pathlib
import sys
import tarfile

ROOT = "vaderSentiment-3.3.2/vaderSentiment/"


def pairs(archive, name):
    text = archive.extractfile(ROOT + name).read().decode("utf-8")
    lines = (line for line in text.rstrip("\n").split("\n") if line)
    return dict(line.strip().split("\t")[0:2] for line in lines)


def main(sdist):
    here = pathlib.Path(__file__).parent
    with tarfile.open(sdist) as archive:
        words = pairs(archive, "vader_lexicon.txt")
        emoji = pairs(archive, "emoji_utf8_lexicon.txt")
    tables = {
        "vader_lexicon.txt": words.items(),
        "vader_emoji.txt": ((c, text) for c, text in emoji.items() if len(c) == 1),
    }
    for name, table in tables.items():
        lines = "".join(f"{key}\t{value}\n" for key, value in table)
        (here / name).write_bytes(lines.encode("utf-8"))


if __name__ == "__main__":
    main(sys.argv[1])
