"""Answers what RE2 makes of regular expressions: a list of [pattern, [text, ...]] comes in as JSON, and for each pattern
goes out what is wrong with it, or null, and for each text whether some part of it matches."""

import json
import sys

import re2

options = re2.Options()
options.log_errors = False


def ask(pattern, texts):
    try:
        expression = re2.compile(pattern.encode(), options=options)
    except re2.error as error:
        said = error.args[0]
        return [said.decode(errors="replace") if isinstance(said, bytes) else said, []]
    return [None, [expression.search(text.encode()) is not None for text in texts]]


json.dump([ask(*question) for question in json.load(sys.stdin)], sys.stdout)
