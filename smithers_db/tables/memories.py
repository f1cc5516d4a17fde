"""Memories: facts, learnings and preferences that agents keep across runs."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import msgspec

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import number_of_rows
from smithers_db.checks import text as checked
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import InvalidTransition, InvalidValue
from smithers_db.rows import Memory
from smithers_db.table import Table

#: Without a scope, the nearer one is the one that counts.
PRECEDENCE = {"session": 0, "project": 1, "global": 2}

_ALIVE = "(expires_at IS NULL OR expires_at > ?)"
_FOUND = "WHERE seq IN (SELECT rowid FROM memories_fts WHERE memories_fts MATCH ?)"
# What is left out of a second add() of the same memory stays as it is. Only an expiry that has
# passed does not: nobody would see what was just added.
_UPSERT = (
    "ON CONFLICT (category, scope, key) DO UPDATE SET content = excluded.content, "
    "source = coalesce(excluded.source, source), "
    "source_execution_id = coalesce(excluded.source_execution_id, source_execution_id), "
    "updated_at = excluded.updated_at, expires_at = coalesce(excluded.expires_at, "
    "CASE WHEN expires_at > excluded.updated_at THEN expires_at END)"
)


#: Of the characters that are no letters: those in private use, and, to be refused, half pairs.
_ALSO = ("Co", "Cs")


class MemoryStats(msgspec.Struct, frozen=True):
    """How many memories there are, expired ones left out."""

    total: int
    by_category: dict[str, int]
    by_scope: dict[str, int]


class Memories:
    """What agents remember (``db.memories``).

    Reading never writes. When a memory was last read is noted here and written together with the
    next change of a memory, or when the database is closed. A live query hears that a memory has
    expired with the next change of one.

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> sky = db.memories.add("fact", "sky", "the sky is blue", source="agent")
    >>> _ = db.memories.add_fact("sea", "the sea is deep")
    >>> _ = db.memories.add_learning("tests", "run the tests first")
    >>> _ = db.memories.add_preference("indent", "four spaces", scope="project")
    >>> db.memories.get("preference", "indent").content
    'four spaces'
    >>> [memory.key for memory in db.memories.search("blue sky")]
    ['sky']
    >>> db.memories.update(sky, confidence=0.5)
    >>> [(memory.key, memory.confidence) for memory in db.memories.list("fact")]
    [('sky', 0.5), ('sea', 1.0)]
    >>> db.memories.delete(sky)
    >>> db.memories.flush_access()  # what close() does too
    >>> db.memories.stats().by_category
    {'fact': 1, 'learning': 1, 'preference': 1}
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._table = Table(db, "memories", Memory)
        columns = ", ".join(f"m.{column}" for column in self._table.columns)
        self._search = (
            f"SELECT {columns} FROM memories_fts f JOIN memories m ON m.seq = f.rowid "
            "WHERE memories_fts MATCH ? AND (m.expires_at IS NULL OR m.expires_at > ?) "
        )
        self._accessed: dict[str, str] = {}

    def add(
        self,
        category: str,
        key: str,
        content: str,
        *,
        scope: str = "global",
        confidence: float | None = None,
        source: str | None = None,
        source_execution_id: str | None = None,
        expires_at: str | None = None,
    ) -> str:
        """Adds a memory, or replaces the one with this category, scope and key; returns its id.

        A new one has a confidence of 1.0 if that is left out. Of one that is replaced, what is
        left out stays; `update` takes an expiry away.
        """
        self.flush_access()
        moment = now()
        given, ending = {}, f"{_UPSERT} RETURNING id"
        if confidence is not None:
            given = {"confidence": confidence}
            ending = f"{_UPSERT}, confidence = excluded.confidence RETURNING id"
        result = self._table.insert(
            ending,
            **given,
            id=new_id(),
            category=category,
            scope=scope,
            key=key,
            content=content,
            source=source,
            source_execution_id=self._ambient.known_execution_id(source_execution_id),
            created_at=moment,
            updated_at=moment,
            accessed_at=moment,
            expires_at=expires_at,
        )
        return str(result.rows[0][0])

    def add_fact(self, key: str, content: str, source: str | None = None) -> str:
        """Adds a memory of the category ``fact``; returns its id."""
        return self.add("fact", key, content, source=source)

    def add_learning(self, key: str, content: str, source: str | None = None) -> str:
        """Adds a memory of the category ``learning``; returns its id."""
        return self.add("learning", key, content, source=source)

    def add_preference(self, key: str, content: str, scope: str = "global") -> str:
        """Adds a memory of the category ``preference``; returns its id."""
        return self.add("preference", key, content, scope=scope)

    def get(self, category: str, key: str, scope: str | None = None) -> Memory | None:
        """The memory with this key, or None; an expired one is none.

        Without a scope: the session's before the project's before the global one.
        """
        tail = f"WHERE category = ? AND key = ? AND {_ALIVE}"
        found = self._table.all(tail, (category, key, now()))
        if scope is not None:
            found = [memory for memory in found if memory.scope == scope]
        if not found:
            return None
        found.sort(key=lambda memory: PRECEDENCE.get(memory.scope, len(PRECEDENCE)))
        return self._read(found[:1])[0]

    def list(
        self, category: str | None = None, scope: str | None = None, limit: int = 100
    ) -> Sequence[Memory]:
        """The first ``limit`` memories of a category and scope, or of all.

        They come in the order in which they were first added; the expired ones do not.
        """
        rows = number_of_rows("limit", limit)
        conditions = [_ALIVE]
        params: list[Any] = [now()]
        for column, value in (("category", category), ("scope", scope)):
            if value is not None:
                conditions.append(f"{column} = ?")
                params.append(value)
        tail = f"WHERE {' AND '.join(conditions)} ORDER BY seq LIMIT ?"
        return self._read(self._table.all(tail, (*params, rows)))

    def search(
        self, text: str, category: str | None = None, limit: int = 20, *, syntax: bool = False
    ) -> Sequence[Memory]:
        """The memories that hold words beginning with each word of the text: the best, best first.

        There are ``limit`` of them at most.

        White space and punctuation part words. What is written without, as Chinese and Japanese
        are, is found by how an unbroken run of it begins, and not by what is inside.

        With ``syntax`` the text is an FTS5 query (https://sqlite.org/fts5.html#full_text_query_syntax)
        instead; without it no character of it means anything special.

        Raises:
            InvalidValue: the text is no str, or not Unicode; the limit is no number of rows;
            with ``syntax``, the text is no FTS5 query.
        """
        if not isinstance(text, str):
            raise InvalidValue(f"a text to search for is a str, not {type(text).__name__}")
        number_of_rows("limit", limit)
        if category is not None:
            checked("category", category)
        query = checked("text", text if syntax else _quoted(text))
        if not query.strip():
            return []
        condition, params = (
            ("AND m.category = ? ", [category]) if category is not None else ("", [])
        )
        try:
            rows = self._db.execute(
                f"{self._search}{condition}ORDER BY f.rank LIMIT ?", (query, now(), *params, limit)
            ).rows
        except UnicodeDecodeError as error:
            raise self._table.unreadable(_FOUND, (query,)) from error
        except Exception as error:
            if syntax and type(error).__name__ == "SQLError":  # SQLite's word on the text
                raise InvalidValue(f"{text!r:.60} is no FTS5 query: {error}") from error
            raise
        return self._read([self._table.typed(row) for row in rows])

    def update(self, id: str, **columns: Any) -> None:
        """Sets columns of a memory (content, confidence, expires_at, …).

        Raises:
            NotFound: there is no such memory. InvalidValue: a value does not fit its column.
            InvalidTransition: another memory has this category, scope and key.
        """
        self.flush_access()
        with self._db.transaction():
            if columns.keys() & {"category", "scope", "key"}:
                self._check_free(id, columns)
            self._table.update(id, **{"updated_at": now(), **columns})

    def _check_free(self, id: str, columns: dict[str, Any]) -> None:
        memory = self._table.one(id)
        names = ("category", "scope", "key")
        place = [columns.get(name, getattr(memory, name)) for name in names]
        tail = "WHERE category = ? AND scope = ? AND key = ? AND id <> ?"
        if self._table.first(tail, (*place, id)) is not None:
            raise InvalidTransition(f"there is another memory of {', '.join(map(repr, place))}")

    def delete(self, id: str) -> None:
        """Forgets a memory. Raises `NotFound`."""
        if not self._db.execute("DELETE FROM memories WHERE id = ?", (checked("id", id),)).changes:
            self._table.missing(id)

    def stats(self) -> MemoryStats:
        """How many memories there are, by category and by scope."""
        rows = self._table.values("category, scope", f"WHERE {_ALIVE}", (now(),))
        by_category = Counter(category for category, _ in rows)
        by_scope = Counter(scope for _, scope in rows)
        return MemoryStats(len(rows), dict(by_category), dict(by_scope))

    def flush_access(self) -> None:
        """Writes when memories were last read, if any were since the last time."""
        accessed: dict[str, str] = {}
        with suppress(KeyError):  # another thread may take them too
            for _ in range(len(self._accessed)):
                accessed.update((self._accessed.popitem(),))
        if accessed:
            self._db.executemany(
                "UPDATE memories SET accessed_at = ? WHERE id = ?",
                [(moment, memory_id) for memory_id, moment in accessed.items()],
            )

    def _read(self, found: Sequence[Memory]) -> Sequence[Memory]:
        moment = now()
        for memory in found:
            self._accessed[memory.id] = moment
        return found


def _quoted(text: str) -> str:
    """The words of a text as FTS5 strings, each of them the beginning of a word.

    They are parted where the tokenizer parts them: at all but letters, figures and the marks upon
    them. https://sqlite.org/fts5.html#unicode61_tokenizer
    """
    kinds = map(unicodedata.category, text)
    parted = "".join(
        c if k[0] in "LNM" or k in _ALSO else " " for c, k in zip(text, kinds, strict=True)
    )
    return " ".join(f'"{word}" *' for word in parted.split())
