"""A population: one posterior for each object, trained as one array of jobs, multiplied into one answer.

    python population.py [--server=localhost:50051] [--token-file=FILE] [--tls-ca=FILE] [--objects=20] [--rows=2000]

Every object measures the same two parameters, with errors of its own and a nuisance of its own. The joint posterior is
the product of all of them with the prior once; everything is Gaussian, so that the exact answer is known.
"""

import argparse
import time

import creamery
import numpy as np

TRUTH = np.array([0.3, -1.0])
PRIORS = {"omegam": (0.0, 1.0), "w": (-3.0, 1.0)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="localhost:50051")
    parser.add_argument("--token-file")
    parser.add_argument("--tls-ca")
    parser.add_argument("--objects", type=int, default=20)
    parser.add_argument("--rows", type=int, default=2000, help="rows of each chain")
    arguments = parser.parse_args()

    random = np.random.default_rng(1)
    precision, weighted = np.zeros((2, 2)), np.zeros(2)
    with creamery.Client(arguments.server, token_file=arguments.token_file, tls_ca=arguments.tls_ca) as client:
        trainings = []
        for i in range(arguments.objects):
            spread = random.uniform([0.03, 0.1], [0.06, 0.2])
            correlation = random.uniform(-0.6, 0.6)
            covariance = np.outer(spread, spread) * np.array([[1, correlation], [correlation, 1]])
            mean = random.multivariate_normal(TRUTH, covariance)
            inverse = np.linalg.inv(covariance)
            precision, weighted = precision + inverse, weighted + inverse @ mean
            rows = np.hstack(
                [
                    random.multivariate_normal(mean, covariance, size=arguments.rows),
                    random.normal(size=(arguments.rows, 1)),
                ]
            )
            chain = client.datasets.upload(
                f"population/chain-{i}-{time.time_ns()}", rows, names=["omegam", "w", f"dust_{i}"], priors=PRIORS
            )
            trainings.append((f"population/object-{i}", chain))
        spec = creamery.MAF(transforms=2, hidden_units=[16, 16], members=2, seed=1)
        array = client.train_array(trainings, spec, parameters=["omegam", "w"])
        print(f"training {len(array)} objects as {array.name}: reattach with client.job_array({array.name!r})")
        models = array.results(progress=True)

        joint = client.joint(models, num_samples=2000, seed=1)
        mean = np.average(joint.theta, weights=joint.weights, axis=0)
        deviation = np.sqrt(np.average((joint.theta - mean) ** 2, weights=joint.weights, axis=0))
        exact, error = np.linalg.solve(precision, weighted), np.sqrt(np.diag(np.linalg.inv(precision)))
        for name, *row in zip(joint.columns, mean, deviation, exact, error):
            print("{:8} {:8.4f} ± {:.4f}   (exact {:8.4f} ± {:.4f})".format(name, *row))
        print(f"effective size {joint.effective_size:.0f}, k-hat {joint.k_hat:.2f}, {joint.evaluations} evaluations")
        total = client.log_likelihood(models, [exact, TRUTH], evidence=False)
        print(f"summed log L of the best point over that of the truth: {total[0] - total[1]:.3f}")


if __name__ == "__main__":
    main()
