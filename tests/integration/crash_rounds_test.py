"""Fifty rounds of kill -9 lose nothing that was acknowledged."""

import os

import crash_rounds


def test_nothing_acknowledged_is_lost():
    report, problems = crash_rounds.run(os.environ["CREAMERY_BIN_DIR"], rounds=50, seed=1)
    print(report)
    assert not problems
    assert sum(report["hits"].values()) >= 50
    assert min(report["hits"].values()) >= 10
