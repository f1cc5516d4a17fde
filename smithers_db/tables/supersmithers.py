"""Plan modules that rewrite themselves: registry, analyses, versions, and which one is active."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from reactive_sqlite import ReactiveDatabase
from smithers_db.checks import text
from smithers_db.clock import new_id, now
from smithers_db.context import Ambient
from smithers_db.errors import NotFound
from smithers_db.rows import SupersmithersAnalysis, SupersmithersModule, SupersmithersVersion
from smithers_db.table import Table


class Supersmithers:
    """Self-rewriting plan modules (``db.supersmithers``).

    >>> from smithers_db import create_smithers_db
    >>> db = create_smithers_db()
    >>> run = db.execution.start("nightly", "workflow.py")
    >>> db.supersmithers.register_module("h1", "project", "/src/plan.tsx")
    >>> db.supersmithers.get_module("h1").export_name
    'default'
    >>> _ = db.supersmithers.record_analysis(module_hash="h1", iteration=1, trigger="error")
    >>> [analysis.trigger for analysis in db.supersmithers.list_analyses("h1")]
    ['error']
    >>> version = db.supersmithers.add_version(
    ...     module_hash="h1", code_tsx="export default 1", overlay_rel_path="o.tsx", trigger="error"
    ... )
    >>> db.supersmithers.set_active_version("h1", version)
    >>> [db.supersmithers.active_version("h1")] == db.supersmithers.list_versions("h1")
    True
    """

    def __init__(self, db: ReactiveDatabase, ambient: Ambient) -> None:
        self._db = db
        self._ambient = ambient
        self._modules = Table(db, "supersmithers_modules", SupersmithersModule)
        self._analyses = Table(db, "supersmithers_analyses", SupersmithersAnalysis)
        self._versions = Table(db, "supersmithers_versions", SupersmithersVersion)

    def register_module(
        self, module_hash: str, scope: str, module_abs_path: str, export_name: str = "default"
    ) -> None:
        """Registers a module; again is fine, and brings its path up to date."""
        self._modules.insert(
            "ON CONFLICT (module_hash) DO UPDATE SET scope = excluded.scope, "
            "module_abs_path = excluded.module_abs_path, export_name = excluded.export_name",
            module_hash=module_hash,
            scope=scope,
            module_abs_path=module_abs_path,
            export_name=export_name,
            created_at=now(),
        )

    def get_module(self, module_hash: str) -> SupersmithersModule | None:
        """The module with this hash, or None."""
        return self._modules.get(module_hash)

    def record_analysis(
        self,
        *,
        module_hash: str,
        iteration: int,
        trigger: str,
        execution_id: str | None = None,
        **columns: Any,
    ) -> str:
        """Records an analysis of a module; returns its id.

        ``columns``: tree_xml, metrics_json, errors_json, analysis_result_json,
        rewrite_recommended, recommendation, model.
        """
        analysis_id = new_id()
        self._analyses.insert(
            id=analysis_id,
            execution_id=self._ambient.execution_id(execution_id),
            module_hash=module_hash,
            iteration=iteration,
            trigger=trigger,
            created_at=now(),
            **columns,
        )
        return analysis_id

    def list_analyses(self, module_hash: str) -> Sequence[SupersmithersAnalysis]:
        """The analyses of a module, in order."""
        return self._analyses.all("WHERE module_hash = ? ORDER BY rowid", (module_hash,))

    def add_version(
        self,
        *,
        module_hash: str,
        code_tsx: str,
        overlay_rel_path: str,
        trigger: str,
        code_sha256: str | None = None,
        **columns: Any,
    ) -> str:
        """Adds a rewritten version of a module; returns its version id.

        ``columns``: parent_version_id, analysis_json, metrics_json, vcs_kind, vcs_commit_id. The
        hash is computed where it is left out.
        """
        version_id = new_id()
        code = text("code_tsx", code_tsx)
        self._versions.insert(
            version_id=version_id,
            module_hash=module_hash,
            code_tsx=code,
            code_sha256=code_sha256 or hashlib.sha256(code.encode()).hexdigest(),
            overlay_rel_path=overlay_rel_path,
            trigger=trigger,
            created_at=now(),
            **columns,
        )
        return version_id

    def list_versions(self, module_hash: str) -> Sequence[SupersmithersVersion]:
        """The versions of a module, in order."""
        return self._versions.all("WHERE module_hash = ? ORDER BY rowid", (module_hash,))

    def set_active_version(self, module_hash: str, version_id: str) -> None:
        """Makes a version the active one of its module.

        Raises:
            NotFound: the module has no such version.
        """
        made = self._db.execute(
            "INSERT INTO supersmithers_active_overrides "
            "(module_hash, active_version_id, updated_at) "
            "SELECT module_hash, version_id, ? FROM supersmithers_versions "
            "WHERE version_id = ? AND module_hash = ? "
            "ON CONFLICT (module_hash) DO UPDATE SET "
            "active_version_id = excluded.active_version_id, updated_at = excluded.updated_at",
            (now(), text("version_id", version_id), text("module_hash", module_hash)),
        )
        if not made.changes:
            raise NotFound(f"module {module_hash!r} has no version {version_id!r}")

    def active_version(self, module_hash: str) -> SupersmithersVersion | None:
        """The active version of a module, or None."""
        return self._versions.first(
            "WHERE version_id = (SELECT active_version_id FROM supersmithers_active_overrides "
            "WHERE module_hash = ?)",
            (module_hash,),
        )
