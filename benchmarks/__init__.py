"""Benchmarks that anyone can repeat: one question a file, answers checked, JSON kept.

`python -m benchmarks` runs ours beside raw APSW, `python -m benchmarks peers` the peers from npm
in the same go, `python -m benchmarks ratios` the bars that a commit must stay under, and
`python -m benchmarks compare A B` sets two kept runs side by side.
"""
