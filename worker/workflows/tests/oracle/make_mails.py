#!/usr/bin/env python3
"""Writes mails.json: what Python's email package (policy default) reads in the .eml files of the crate mail-parser.

Run: python3.11 make_mails.py DIRECTORY   (DIRECTORY = resources/eml of mail-parser 0.11.9)
Per file: sender, recipients, date in UTC, subject, Message-ID, References, text/plain; null where Python raises.
Personal texts stay where they are: the body is kept as its length and the SHA-256 of its normal form.
"""
import datetime
import email
import email.policy
import email.utils
import hashlib
import json
import pathlib
import re
import sys

assert sys.version_info[:2] == (3, 11), "pinned: other versions parse some defects otherwise"


def attempt(read):
    try:
        return read()
    except Exception:  # the package raises many kinds on malformed mail
        return None


def addresses(message, name):
    fields = message.get_all(name) or []
    return [a.addr_spec for field in fields[:1 if name == "from" else None] for a in field.addresses if a.addr_spec]


def date(message):
    value = message["date"]
    if value is None or value.datetime is None:
        return None
    moment = value.datetime
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.timezone.utc)
    return int(moment.timestamp())


def ids(message, name):
    value = message[name]
    return None if value is None else ["".join(i.split()) for i in re.findall(r"<([^<>]*)>", str(value)) if i.strip()]


def normal(text):
    """Line ends as \\n, white space at line ends and empty lines at the end gone."""
    return "\n".join(line.rstrip() for line in re.split(r"\r\n|\n", text)).rstrip()


def plain(message):
    part = message.get_body(preferencelist=("plain",))
    if part is None:
        return None
    text = normal(part.get_content())
    return {"chars": len(text), "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def main(directory):
    cases = {}
    for path in sorted(pathlib.Path(directory).rglob("*.eml")):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        cases[path.relative_to(directory).as_posix()] = {
            "from": attempt(lambda: addresses(message, "from")),
            "to": attempt(lambda: addresses(message, "to")),
            "cc": attempt(lambda: addresses(message, "cc")),
            "date": attempt(lambda: date(message)),
            "subject": attempt(lambda: " ".join(str(message["subject"] or "").split())),
            "message_id": attempt(lambda: ids(message, "message-id")),
            "references": attempt(lambda: ids(message, "references")),
            "in_reply_to": attempt(lambda: ids(message, "in-reply-to")),
            "plain": attempt(lambda: plain(message)),
        }
    out = pathlib.Path(__file__).with_name("mails.json")
    out.write_text(json.dumps(cases, indent=1, sort_keys=True, ensure_ascii=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
