"""Checks a model against the chain it was trained on, and draws both into one corner plot.

    python check.py MODEL [--chain=DATASET_OR_ROOT] [--out=corner.pdf] [--server=localhost:50051] [--token-file=FILE]

MODEL is a name such as `planck/cosmo`. The plot needs getdist or anesthetic: pip install creamery[getdist].
"""

import argparse

import creamery
from rich.console import Console


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--chain", help="a dataset, or a root of files; default: what the model was trained on")
    parser.add_argument("--out", help="file of the corner plot, in the format of its ending")
    parser.add_argument("--server")
    parser.add_argument("--token-file")
    parser.add_argument("--tls-ca")
    arguments = parser.parse_args()

    with creamery.Client(arguments.server, token_file=arguments.token_file, tls_ca=arguments.tls_ca) as client:
        model = client.model(arguments.model)
        report = model.check(arguments.chain, seed=1)
        Console().print(report)
        print("the density fits its chain" if report.ok else "where it is off stands above")
        if arguments.out:
            model.corner(chain=arguments.chain or model.training.dataset, path=arguments.out, seed=1)
            print(f"written to {arguments.out}")


if __name__ == "__main__":
    main()
