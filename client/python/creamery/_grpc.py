"""Loads gRPC without its event engine, where this package is the first of the process to load it.

A blocking call through the event engine changes threads twice more: 280 us instead of 180 for a single point (grpcio
1.85, two cores). gRPC reads the variable while it is loaded, so neither the process nor its children keep it; whoever
sets GRPC_EXPERIMENTS or imports grpc before creamery decides for himself.
"""

import os
import sys

_VARIABLE = "GRPC_EXPERIMENTS"

if "grpc" not in sys.modules and _VARIABLE not in os.environ:
    os.environ[_VARIABLE] = "-event_engine_client"
    try:
        import grpc  # noqa: F401
    finally:
        del os.environ[_VARIABLE]
