"""The tables of a join by name, about which the engine does not say a word.

For ``USING (…)`` and ``NATURAL JOIN`` SQLite finds the columns itself, without asking its
authorizer: ``SELECT count(*) FROM t NATURAL JOIN u`` names neither table, and with
``SELECT t.b FROM t JOIN u USING (a)`` the column ``t.a`` goes unnamed as well. But a text that
reads a table must spell its name, or that of a view which does.
"""

from __future__ import annotations

from collections.abc import Sequence

from reactive_sqlite.understanding.analysis.lexer import Token, string_value, tokens_of
from reactive_sqlite.understanding.catalog import Catalog, TableInfo
from reactive_sqlite.values.comparison import fold


def _is_by_name(token: Token) -> bool:
    return token.kind == "word" and fold(token.text) in ("using", "natural")


def tables_joined_by_name(
    tokens: Sequence[Token], catalog: Catalog, through_views: bool = True
) -> list[TableInfo]:
    """Every table that the text and its views spell, if one of them joins by name; else none."""
    if not through_views and not any(map(_is_by_name, tokens)):
        return []
    spelled: dict[str, TableInfo] = {}
    texts = [tokens]
    by_name = False
    while texts:
        for token in texts.pop():
            if token.kind == "word":
                name = fold(token.text)
                by_name = by_name or _is_by_name(token)
            elif token.kind in ("quoted", "string"):  # SQLite takes FROM 'u' for a name too
                name = fold(string_value(token))
            else:
                continue
            for table in catalog.named(name):
                if table.key not in spelled:
                    spelled[table.key] = table
                    if table.kind == "view" and table.sql is not None:
                        texts.append(tokens_of(table.sql))
    return list(spelled.values()) if by_name else []
