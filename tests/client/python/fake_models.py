"""Models of an in-process fake, for tests that need answers rather than a server."""

import numpy as np
from creamery.v1 import model_pb2, model_service_pb2

VERSION = "projects/planck/models/cosmo/versions/3"


def version(name=VERSION, names=("a", "b")):
    found = model_pb2.ModelVersion(name=name)
    for each in names:
        parameter = found.signature.parameters.add(name=each, label=f"\\{each}")
        parameter.prior.uniform.lower, parameter.prior.uniform.upper = 0.0, 1.0
    return found


OTHER = version("projects/des/models/cosmo/versions/1", ("b", "c"))


def get_version(*versions):
    known = {each.name: each for each in versions}

    def get(request, context):
        return known.get(request.name) or next(v for n, v in known.items() if n.startswith(request.name + "/"))

    return {"ModelService/GetModelVersion": ("unary_unary", model_service_pb2.GetModelVersionRequest, get)}


def points(seed, n):
    return np.random.default_rng(seed).random((n, 2))
