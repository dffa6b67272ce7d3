"""Makes one artifact of every family in the format of today, and what it answers: for tests that it can be read for ever.

    build/python-venv/bin/python tests/golden/make_artifacts.py ADDRESS FOLDER

Run once for a released format, against a server of that release; never again for the same format.
"""

import json
import pathlib
import sys

import numpy as np

import creamery


def main(address, folder):
    rng = np.random.default_rng(1)
    first = rng.normal(size=2000)
    theta = np.column_stack([first, rng.uniform(0, 1, size=2000) ** 2, np.exp(0.5 * first + 0.3 * rng.normal(size=2000))])
    with creamery.Client(address) as client:
        data = client.datasets.upload("golden/rows", theta, names=["a", "b", "c"], bounds={"c": (0, None)},
                                      priors={"b": "uniform(0,1)"})
        for name, spec in {
            "maf": creamery.MAF(transforms=2, hidden_units=[8, 8], members=2, max_epochs=20),
            "nsf": creamery.NSF(transforms=1, hidden_units=[8], bins=4, members=2, max_epochs=20),
        }.items():
            model = client.train(f"golden/{name}", data, spec).result(progress=False)
            points = np.vstack([theta[:5], [[0, -1, 1], [0, 0.5, -1]]])
            model.export(pathlib.Path(folder) / f"{name}.format1.safetensors")
            answers = {"theta": points.tolist(), "log_prob": [x if np.isfinite(x) else "-Infinity" for x in model.log_prob(points)]}
            (pathlib.Path(folder) / f"{name}.format1.json").write_text(json.dumps(answers, indent=1) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
