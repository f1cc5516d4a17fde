"""SQLite's lexical grammar (https://sqlite.org/lang_expr.html, tokenize.c), and no more of it.

It finds the first word of a text, and writes the text anew so that sqlglot's tokenizer, which
knows another grammar, cannot misread it: comments gone, parameters numbered as SQLite numbers
them, every quoted or unusual identifier in double quotes, hexadecimal integers in decimal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reactive_sqlite.understanding.listing import quoted
from reactive_sqlite.values.comparison import fold

_LETTER = r"A-Za-z_\x80-\U0010ffff"
_TOKEN = re.compile(
    rf"""
    (?P<space>[ \t\n\f\r\ufeff]+ | --[^\n]* | /\*(?:.*?\*/|.*\Z))
  | (?P<blob>[xX]'[0-9A-Fa-f]*')
  | (?P<string>'(?:[^']|'')*')
  | (?P<quoted>"(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^\]]*\])
  | (?P<variable>\?[0-9]* | [:@\#$][{_LETTER}$0-9](?:[{_LETTER}$0-9]|::)*(?:\([^\s)]*\))?)
  | (?P<number>0[xX][0-9A-Fa-f_]+
      | (?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?)
  | (?P<word>[{_LETTER}][{_LETTER}$0-9]*)
  | (?P<operator>->>? | \|\| | << | >> | <= | >= | == | <> | != | .)
    """,
    re.VERBOSE | re.DOTALL,
)
PARAMETER = "__parameter_"


class Token(NamedTuple):
    """One token: `kind` is the name of a group of the grammar above."""

    kind: str
    text: str


def tokens_of(sql: str) -> list[Token]:
    """The tokens of a text, without white space and comments."""
    found = []
    for match in _TOKEN.finditer(sql):
        kind = match.lastgroup
        if kind is not None and kind != "space":
            found.append(Token(kind, match[0]))
    return found


def first_word(sql: str) -> str:
    """The keyword that a statement begins with, in upper case; empty if there is none."""
    for match in _TOKEN.finditer(sql):
        if match.lastgroup != "space" and match[0] != ";":
            return match[0].upper() if match.lastgroup == "word" else ""
    return ""


def string_value(token: Token) -> str:
    """What a quoted token says."""
    if token.text[0] == "[":
        return token.text[1:-1]
    quote = token.text[0]
    return token.text[1:-1].replace(quote * 2, quote)


def numbered(tokens: Sequence[Token]) -> Iterator[Token]:
    """Parameters get the numbers by which SQLite knows them."""
    numbers: dict[str, int] = {}
    highest = 0
    for token in tokens:
        if token.kind != "variable":
            yield token
            continue
        if token.text == "?":
            number = highest + 1
        elif token.text[0] == "?":
            number = int(token.text[1:])
        else:
            number = numbers.setdefault(token.text, highest + 1)
        highest = max(highest, number)
        yield Token("variable", f"?{number}")


def rewritten(tokens: Sequence[Token]) -> str:
    """The same statement for sqlglot. Parameters become `:__parameter_<index from 0>`."""
    return " ".join(_rewritten(tokens))


def _rewritten(tokens: Sequence[Token]) -> Iterator[str]:
    skip = 0
    for position, (kind, text) in enumerate(numbered(tokens)):
        if skip:
            skip -= 1
        elif kind == "variable":
            yield f":{PARAMETER}{int(text[1:]) - 1}"
        elif kind == "quoted":
            yield quoted(string_value(Token(kind, text)))
        elif kind == "number":
            yield _number(text)
        elif kind == "word" and len(text) == 7 and _is_indexed_by(tokens, position):
            skip = 2
        elif kind == "word" and (not text.isascii() or "$" in text):
            yield f'"{text}"'
        elif text == "+":
            # sqlglot drops a unary plus, which takes the affinity of a column away.
            yield "- -"
        else:
            yield "=" if text == "==" else text


def _is_indexed_by(tokens: Sequence[Token], position: int) -> bool:
    # `INDEXED BY name` says how to find rows, not which.
    words = [fold(token.text) for token in tokens[position : position + 2]]
    return words == ["indexed", "by"] and position + 2 < len(tokens)


def _number(text: str) -> str:
    if text[:2] in ("0x", "0X"):
        value = int(text, 16)
        # Hexadecimal integers are 64-bit two's complement (https://sqlite.org/lang_expr.html).
        return str(value) if value < 1 << 63 else f"({value - (1 << 64)})"
    return text.replace("_", "")
