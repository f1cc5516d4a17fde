"""Understanding says nothing on anybody's log, and leaves everybody's logging as it is."""

from __future__ import annotations

import logging
from random import Random

import apsw
import pytest

from tests.understanding.engine import Engine
from tests.understanding.queries import SCHEMA, Queries


def test_nothing_is_logged_and_no_logger_is_changed(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("sqlglot")
    before = (logger.disabled, logger.level, list(logger.filters), list(logger.handlers))
    assert not logger.disabled
    random = Random(1)
    with caplog.at_level(logging.DEBUG):
        engine = Engine(*SCHEMA(random))
        engine.analyse("SELECT a ->> '$.x[', json_extract(a, '$[') FROM t WHERE a -> '$..' = 1")
        engine.analyse("EXPLAIN QUERY PLAN SELECT a FROM t")
        engine.analyse("ANALYZE")
        engine.analyse("CREATE VIEW odd AS SELECT a ->> '$[' AS x FROM t")
        for _ in range(300):
            try:
                engine.analyse(Queries(random).query())
            except apsw.SQLError:
                continue
    assert not caplog.records
    assert before == (logger.disabled, logger.level, logger.filters, logger.handlers)
