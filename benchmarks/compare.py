"""Two kept runs side by side: which medians moved by more than noise."""

from __future__ import annotations

from pathlib import Path

from benchmarks import results
from benchmarks.report import duration, table

NOISE = 1.25  # on a shared machine two runs of the same code differ by up to this much


def compare(before: Path, after: Path) -> str:
    """A table of what both runs measured; faster and slower are marked beyond the noise."""
    old = {(r["workload"], r["engine"]): r for r in results.read(before)["results"]}
    rows = []
    for result in results.read(after)["results"]:
        was = old.get((result["workload"], result["engine"]))
        measure = "ratio" if "ratio" in result else "median_us"
        if was is None or measure not in result or measure not in was:
            continue
        factor = result[measure] / was[measure]
        word = "slower" if factor > NOISE else "faster" if factor < 1 / NOISE else "same"
        if result.get("atleast") and word != "same":
            word = "better" if factor > 1 else "worse"
        show = duration if measure == "median_us" else lambda ratio: f"{ratio:.3g}×"
        rows.append(
            [
                f"{result['workload']} · {result['engine']}",
                show(was[measure]),
                show(result[measure]),
                f"{factor:.2f}",
                word,
            ]
        )
    return table(["workload · engine", before.stem, after.stem, "after / before", ""], rows)
