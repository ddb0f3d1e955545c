"""Drives the Python peer of e-mail analysis and prints one JSON object of measurements on its last line.

    drive.py vader TEXTS      all four scores of every text of a JSON array
    drive.py mail MBOX        mails parsed, threaded and scored, as a user of mailbox and vaderSentiment would

Times leave the start of the interpreter, imports and the loading of the lexicon out. The work of `mail` is a part of
what ours does: no duplicates, classes, languages, latencies, contacts or updates.
"""

import argparse
import email.header
import email.utils
import importlib.metadata
import json
import mailbox
import platform
import re
import resource
import time

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

SENTENCE = re.compile(r"(?<=[.!?…])\s+|\n\s*\n")
ATTRIBUTION = re.compile(r"^On .{1,200} wrote:$")
ID = re.compile(r"<([^<>]+)>")


def vader(path):
    with open(path, encoding="utf-8") as file:
        texts = json.load(file)
    analyzer = SentimentIntensityAnalyzer()
    started = time.perf_counter()
    compound = sum(analyzer.polarity_scores(text)["compound"] for text in texts)
    return {"seconds": time.perf_counter() - started, "texts": len(texts), "compound": compound}


def new_text(message):
    """The first plain part without quotes, their attributions and the signature."""
    for part in message.walk():
        if part.get_content_type() == "text/plain":
            text = part.get_payload(decode=True).decode(part.get_content_charset("utf-8"), "replace")
            break
    else:
        return ""
    lines = []
    for line in text.split("\n"):
        if line.rstrip() == "--":
            break
        if not line.startswith(">") and not ATTRIBUTION.match(line):
            lines.append(line)
    return "\n".join(lines)


def root(parents, name):
    """The top of a thread; the way to it is made shorter."""
    top = name
    while parents.setdefault(top, top) != top:
        top = parents[top]
    while parents[name] != top:
        parents[name], name = top, parents[name]
    return top


def mail(path):
    analyzer = SentimentIntensityAnalyzer()
    started = time.perf_counter()
    parents, ids, means, sentences = {}, [], [], 0
    for message in mailbox.mbox(path, create=False):
        own = ID.findall(message["message-id"] or "")[0]
        ids.append(own)
        for reference in ID.findall(message["references"] or "") or ID.findall(message["in-reply-to"] or ""):
            parents[root(parents, own)] = root(parents, reference)
        email.utils.getaddresses(message.get_all("from", []) + message.get_all("to", []) + message.get_all("cc", []))
        email.utils.parsedate_to_datetime(message["date"])
        str(email.header.make_header(email.header.decode_header(message["subject"])))
        scores = [
            analyzer.polarity_scores(sentence)["compound"]
            for sentence in SENTENCE.split(new_text(message))
            if sentence.strip()
        ]
        sentences += len(scores)
        if scores:
            means.append(sum(scores) / len(scores))
    threads = len({root(parents, own) for own in ids})
    return {
        "seconds": time.perf_counter() - started,
        "mails": len(ids),
        "threads": threads,
        "sentences": sentences,
        "mean": sum(means) / max(1, len(means)),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("measure", choices=["vader", "mail"])
    parser.add_argument("path")
    args = parser.parse_args()
    measured = {"vader": vader, "mail": mail}[args.measure](args.path)
    measured["peak_mib"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    measured["versions"] = {
        "python": platform.python_version(),
        "vaderSentiment": importlib.metadata.version("vaderSentiment"),
    }
    print(json.dumps(measured))


main()
