"""How gRPC is loaded: what creamery changes for it stays with the process, and nobody inherits it."""

import os
import subprocess
import sys


def _after(code, **environment):
    """What a fresh process says of GRPC_EXPERIMENTS while gRPC was loaded and after."""
    spy = (
        "import builtins, os, sys; real = builtins.__import__\n"
        "def spy(name, *rest):\n"
        "    if name == 'grpc' and 'grpc' not in sys.modules: print(os.environ.get('GRPC_EXPERIMENTS'))\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = spy\n"
    )
    variables = {name: value for name, value in os.environ.items() if name != "GRPC_EXPERIMENTS"}
    program = f"{spy}{code}\nprint(os.environ.get('GRPC_EXPERIMENTS'))"
    done = subprocess.run(
        [sys.executable, "-c", program], env={**variables, **environment}, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.split()


def test_grpc_is_loaded_without_its_event_engine_and_the_variable_is_gone_after():
    assert _after("import creamery") == ["-event_engine_client", "None"]


def test_a_choice_of_ones_own_is_left_alone():
    assert _after("import creamery", GRPC_EXPERIMENTS="-promise_based") == ["-promise_based", "-promise_based"]
    assert _after("import grpc, creamery") == ["None", "None"]
