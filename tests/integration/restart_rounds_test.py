"""Two restarts under load are noticed by no call of either client; the long form is a command of restart_rounds.py."""

import os

import restart_rounds


def test_no_call_fails_over_restarts():
    load = restart_rounds.run(os.environ["CREAMERY_BIN_DIR"], restarts=2, calls=1000, seconds=1.0)
    print(dict(load.asked))
    assert not load.messages and not sum(load.failed.values())
    assert all(load.asked[kind] > 0 for kind in ("python:log_prob", "python:stream", "python:sample", "creamery",
                                                 "c++:log_prob", "c++:stream", "c++:sample"))
