"""Does a result depend on more than the tables: chance, the clock, the application?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from reactive_sqlite.understanding.access import Access
from reactive_sqlite.understanding.analysis.lexer import Token, string_value, tokens_of
from reactive_sqlite.understanding.catalog import Catalog
from reactive_sqlite.values.comparison import fold

# https://sqlite.org/lang_corefunc.html, lang_aggfunc, windowfunctions, lang_mathfunc, json1, fts5
DETERMINISTIC: Final = frozenset(
    """
    -> ->> abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil ceiling char coalesce concat
    concat_ws cos cosh count cume_dist degrees dense_rank exp first_value floor format
    geopoly_area geopoly_bbox geopoly_blob geopoly_ccw geopoly_contains_point geopoly_group_bbox
    geopoly_json geopoly_overlap geopoly_regular geopoly_svg geopoly_within geopoly_xform glob
    group_concat hex highlight if ifnull iif instr json json_array json_array_insert
    json_array_length json_error_position json_extract json_group_array json_group_object
    json_insert json_object json_patch json_pretty json_quote json_remove json_replace json_set
    json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_extract jsonb_group_array
    jsonb_group_object jsonb_insert jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set
    lag last_value lead length like likelihood likely ln log log10 log2 lower ltrim match matchinfo
    max median min mod nth_value ntile nullif octet_length offsets percent_rank percentile
    percentile_cont percentile_disc pi pow power printf quote radians rank replace round row_number
    rtreecheck rtreedepth rtreenode rtrim sign sin sinh snippet sqrt string_agg substr substring
    subtype sum tan tanh total trim trunc typeof unhex unicode unistr unistr_quote unlikely upper
    zeroblob
    """.split()  # noqa: SIM905 - a hundred quoted words are harder to read
)
# Registered by SQLite's own extensions, so `builtin` in `PRAGMA function_list` does not mark them.
_OF_EXTENSIONS: Final = frozenset(
    name
    for name in DETERMINISTIC
    if name.startswith(("geopoly_", "rtree"))
    or name in ("bm25", "highlight", "snippet", "match", "matchinfo", "offsets")
)
# https://sqlite.org/lang_datefunc.html: how many arguments leave the time value to the clock.
_CLOCK: Final = {"date": 0, "time": 0, "datetime": 0, "julianday": 0, "unixepoch": 0, "strftime": 1}
_OF_TIME: Final = frozenset({*_CLOCK, "timediff"})
OF_THE_CONNECTION: Final = frozenset({"changes", "total_changes", "last_insert_rowid"})


def only_known_functions(access: Access, catalog: Catalog) -> bool:
    """Whether every function is SQLite's own, and none of them is about the connection."""
    own = catalog.application_functions - _OF_EXTENSIONS
    return not any(
        name in own
        or name in OF_THE_CONNECTION
        or name not in DETERMINISTIC | _OF_TIME | {"random", "randomblob"}
        for name in access.functions
    )


def is_volatile(access: Access, catalog: Catalog, texts: Iterable[str | None]) -> bool:
    """Whether two runs over the same tables may differ. `texts` are the statement and its views.

    A time value that comes out of a column is taken for a time, not for the word `now`.
    """
    own = catalog.application_functions - _OF_EXTENSIONS
    unknown = {name for name in access.functions if name not in DETERMINISTIC or name in own}
    if not unknown:
        return False
    if not unknown <= _OF_TIME:
        return True
    return any(_asks_the_clock(tokens_of(text)) for text in texts if text)


def _asks_the_clock(tokens: Sequence[Token]) -> bool:
    for position, token in enumerate(tokens):
        if token.kind in ("string", "quoted"):
            if fold(string_value(token)).strip() in ("now", "localtime", "utc"):
                return True
        elif token.kind == "word" and _clock_call(tokens, position):
            return True
    return False


def _clock_call(tokens: Sequence[Token], position: int) -> bool:
    name = fold(tokens[position].text)
    if name not in _OF_TIME or tokens[position + 1 : position + 2] != [Token("operator", "(")]:
        return False
    depth, arguments = 1, 0
    for token in tokens[position + 2 :]:
        if token.text == ")":
            depth -= 1
            if not depth:
                break
        elif token.kind == "variable":
            return True  # the parameter may say 'now'
        elif token.text == "(":
            depth += 1
        if not arguments:
            arguments = 1
        if (
            token.kind in ("string", "quoted")
            and fold(string_value(token)) in ("subsec", "subsecond")
            # In the place of the time value they mean the time now.
            and arguments == _CLOCK.get(name, arguments - 1) + 1
        ):
            return True
        if token.text == "," and depth == 1:
            arguments += 1
    return arguments <= _CLOCK.get(name, -1)
