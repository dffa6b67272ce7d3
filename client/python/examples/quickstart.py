"""Uploads a weighted posterior, trains a flow on two of its parameters, and asks it questions.

    python quickstart.py [--server=localhost:50051] [--token-file=FILE] [--tls-ca=FILE]

The posterior is a Gaussian in a uniform box, so that the answers can be compared with the exact ones.
"""

import argparse
import math
import time

import creamery
import numpy as np

NAMES = ["omegam", "sigma8", "nuisance"]
MEAN = np.array([0.31, 0.81, 1.0])
STDDEV = np.array([0.01, 0.02, 0.1])
BOX = {"omegam": (0.1, 0.5), "sigma8": (0.6, 1.0), "nuisance": (0.0, 2.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="localhost:50051")
    parser.add_argument("--token-file")
    parser.add_argument("--tls-ca")
    arguments = parser.parse_args()

    random = np.random.default_rng(1)
    theta = random.normal(MEAN, 1.5 * STDDEV, size=(5000, 3))  # drawn too wide, weighted back to the posterior
    standardized = (theta - MEAN) / STDDEV
    weights = np.exp(-0.5 * (1 - 1 / 1.5**2) * (standardized**2).sum(axis=1))

    with creamery.Client(arguments.server, token_file=arguments.token_file, tls_ca=arguments.tls_ca) as client:
        chain = client.datasets.upload(
            f"quickstart/chain-{time.time_ns()}",
            theta,
            names=NAMES,
            weights=weights,
            priors=BOX,
            labels=[r"\Omega_m", r"\sigma_8", r"\eta"],
            log_evidence=(-3.5, 0.1),
        )
        print(chain)
        job = client.train("quickstart/cosmo", chain, creamery.MAF(transforms=3, seed=1), ["omegam", "sigma8"])
        print(f"training as {job.name}: reattach from anywhere with client.job({job.name!r})")
        model = job.result(progress=True)
        print(model)

        print("log p at the mean       ", model.log_prob(MEAN[:2]))
        print("one sample              ", model.sample(1, seed=1)[0])
        print("median of each parameter", model.prior_transform([0.5, 0.5]))
        print("log L at the mean       ", model.log_likelihood({"omegam": MEAN[0], "sigma8": MEAN[1]}))
        volume = math.prod(BOX[name][1] - BOX[name][0] for name in model.parameters)
        exact = math.log(volume) - 0.5 * np.log(2 * math.pi * math.e * STDDEV[:2] ** 2).sum()
        print(f"D_KL                     {model.kl(seed=1)}   (exact {exact:.3f})")
        print(f"dimensionality           {model.dimensionality(seed=1)}   (exact 2)")


if __name__ == "__main__":
    main()
