"""An issue list over 61,000 rows: what does a change cost a view that shows its newest 50?

The shape of Rindle's bench-tanstack: 1,000 users, 10,000 issues, 50,000 comments; the list alone,
with its author, with a comment count, with its 3 newest comments, one issue's detail, page two.
A pair of writes is timed as one: something that the view shows is added, then removed again.
"""

from __future__ import annotations

from benchmarks.workload import Delete, Insert, Size, Table, View, Workload, Write

COUNTS: dict[Size, tuple[int, int, int]] = {
    "smoke": (10, 200, 600),
    "quick": (300, 5_000, 25_000),
    "full": (1_000, 10_000, 50_000),
}
PAIRS: dict[Size, int] = {"smoke": 4, "quick": 20, "full": 75}
PAGE = 50

LIST = "FROM issue AS i WHERE i.open = 1 ORDER BY i.created DESC LIMIT 50"
RECENT = (
    "(SELECT json_group_array(json_array(id, body)) FROM "
    "(SELECT id, body FROM comment WHERE issue_id = i.id ORDER BY id DESC LIMIT 3))"
)
VIEWS = {
    "issues_list": View("issues_list", f"SELECT i.id, i.title, i.created {LIST}"),
    "issues_author": View(
        "issues_author",
        "SELECT i.id, i.title, u.name FROM issue AS i JOIN user AS u ON u.id = i.creator_id "
        "WHERE i.open = 1 ORDER BY i.created DESC LIMIT 50",
    ),
    "issues_count": View(
        "issues_count",
        "SELECT i.id, i.title, (SELECT count(*) FROM comment WHERE issue_id = i.id) " + LIST,
    ),
    "issues_comments": View(
        "issues_comments", f"SELECT i.id, i.title, {RECENT} {LIST}", nested=(2,)
    ),
    "issues_page2": View("issues_page2", f"SELECT i.id, i.title, i.created {LIST} OFFSET 50"),
}


def _tables(size: Size) -> tuple[Table, ...]:
    users, issues, comments = COUNTS[size]
    return (
        Table(
            "user",
            (("id", "int"), ("name", "text"), ("role", "text")),
            [(n, f"User {n}", "member" if n % 10 else "admin") for n in range(users)],
        ),
        Table(
            "issue",
            (
                ("id", "int"),
                ("title", "text"),
                ("open", "int"),
                ("created", "int"),
                ("creator_id", "int"),
            ),
            [
                (n, f"Issue {n}: a bug or a wish", int(n % 3 != 0), 2 * (issues - n), n % users)
                for n in range(issues)
            ],
            (("created",), ("creator_id",)),
        ),
        Table(
            "comment",
            (("id", "int"), ("issue_id", "int"), ("body", "text"), ("creator_id", "int")),
            [(n, n % issues, f"Comment {n} body text", n % users) for n in range(comments)],
            (("issue_id",),),
        ),
    )


def workloads(size: Size) -> list[Workload]:
    """One workload for each of the views."""
    users, issues, comments = COUNTS[size]
    shown = [n for n in range(issues) if n % 3 != 0]
    detail = View(
        "issue_detail",
        "SELECT i.id, i.title, (SELECT json_group_array(json_array(id, body)) FROM "
        "(SELECT id, body FROM comment WHERE issue_id = i.id ORDER BY id)) "
        "FROM issue AS i WHERE i.id = ?",
        (shown[1],),
        nested=(2,),
    )
    made = []
    for view in (*VIEWS.values(), detail):
        writes = []
        for step in range(PAIRS[size]):
            if view.name in ("issues_count", "issues_comments", "issue_detail"):
                key, table = comments + 11 + step, "comment"
                row: tuple[int | str, ...] = (key, shown[1], f"a new comment {step}", step % users)
            else:
                key, table = issues + 11 + step, "issue"
                newest = 2 * issues + 5_000 + step
                page_two = 2 * (issues - shown[PAGE - 1]) - 1
                created = page_two if view.name == "issues_page2" else newest
                row = (key, f"a new issue {step}", 1, created, step % users)
            writes.append(Write((Insert(table, row),), (0,)))
            writes.append(Write((Delete(table, key),), (0,)))
        label = view.name.replace("issues_", "newest 50 issues, ").replace("issue_", "one issue's ")
        made.append(
            Workload(
                name=view.name,
                question=f"{label.replace('_', ' ')}: add and remove one",
                tables=_tables(size),
                views=(view,),
                writes=tuple(writes),
                group=2,
            )
        )
    return made
