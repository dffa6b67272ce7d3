"""Two experiments that share two parameters: their joint posterior, and whether they agree.

    python joint.py [--server=localhost:50051] [--token-file=FILE] [--tls-ca=FILE] [--rows=8000] [--apart=1.5]

Each experiment measures (omegam, sigma8) with a nuisance of its own, which is marginalised by leaving its column away.
Everything is Gaussian in a wide box, so that log R can be compared with the exact one.
"""

import argparse
import math
import time

import creamery
import numpy as np

PRIORS = {"omegam": (0.1, 0.9), "sigma8": (0.4, 1.4)}
COVARIANCES = (
    np.array([[4.0e-4, -1.5e-4], [-1.5e-4, 4.0e-4]]),
    np.array([[9.0e-4, 4.0e-4], [4.0e-4, 6.0e-4]]),
)
CENTRE = np.array([0.32, 0.80])


def exact_log_r(means: "list[np.ndarray]") -> float:
    """log of the integral of P_A P_B / prior: a Gaussian of the difference of the means, times the box."""
    box = sum(math.log(upper - lower) for lower, upper in PRIORS.values())
    total = COVARIANCES[0] + COVARIANCES[1]
    difference = means[0] - means[1]
    log_norm = 0.5 * math.log(np.linalg.det(2 * math.pi * total))
    return box - log_norm - 0.5 * float(difference @ np.linalg.solve(total, difference))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="localhost:50051")
    parser.add_argument("--token-file")
    parser.add_argument("--tls-ca")
    parser.add_argument("--rows", type=int, default=8000, help="rows of each chain")
    parser.add_argument("--apart", type=float, default=1.5, help="distance of the two means, in their combined errors")
    arguments = parser.parse_args()

    total = COVARIANCES[0] + COVARIANCES[1]
    direction = np.linalg.cholesky(total)[:, 0]
    means = [CENTRE, CENTRE + arguments.apart * direction]
    random = np.random.default_rng(1)

    with creamery.Client(arguments.server, token_file=arguments.token_file, tls_ca=arguments.tls_ca) as client:
        trainings = []
        for name, mean, covariance in zip(("planck", "des"), means, COVARIANCES):
            theta = random.multivariate_normal(mean, covariance, size=arguments.rows)
            nuisance = random.normal(size=(arguments.rows, 1))
            chain = client.datasets.upload(
                f"joint/{name}-{time.time_ns()}",
                np.hstack([theta, nuisance]),
                names=["omegam", "sigma8", f"calibration_{name}"],
                labels=[r"\Omega_m", r"\sigma_8", "c"],
                priors={**PRIORS, f"calibration_{name}": ("normal", 0.0, 1.0)},
                log_evidence=(-10.0, 0.1),
            )
            trainings.append((f"joint/{name}", chain))
        array = client.train_array(trainings, creamery.MAF(transforms=3, seed=1), parameters=["omegam", "sigma8"])
        planck, des = array.results(progress=True)

        joint = client.joint([planck, des], num_samples=4000, seed=1)
        print(joint)
        print(f"log R                {joint.log_r}   (exact {exact_log_r(means):.3f})")
        mean = np.average(joint.theta, weights=joint.weights, axis=0)
        inverses = [np.linalg.inv(covariance) for covariance in COVARIANCES]
        exact = np.linalg.solve(inverses[0] + inverses[1], inverses[0] @ means[0] + inverses[1] @ means[1])
        print(f"joint mean           {mean}   (exact {exact})")
        at = {"omegam": exact[:1], "sigma8": exact[1:]}
        print(f"summed log L there   {client.log_likelihood([planck, des], at)[0]:.3f}")


if __name__ == "__main__":
    main()
