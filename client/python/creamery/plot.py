"""Corner plots from the command line: what `creamery plot` runs.

Example:
    python -m creamery.plot --server=localhost:50051 --model=planck/cosmo --chain=chains/planck --out=corner.png
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any, Optional, Sequence


def main(words: Optional[Sequence[str]] = None) -> int:
    """Draws a model, with a chain or a dataset next to it, and writes the picture.

    Args:
        words: the command line without the program's name; None for this process's.

    Returns:
        The exit code: 0 done, 1 an error, which is on standard error.
    """
    parser = argparse.ArgumentParser(prog="python -m creamery.plot", description="Corner plot of a model.")
    parser.add_argument("--model", required=True, help="PROJECT/MODEL[@VERSION]")
    chain = parser.add_mutually_exclusive_group()
    chain.add_argument("--chain", help="chain file or root, as read_chains takes it")
    chain.add_argument("--dataset", help="PROJECT/NAME of rows on the server")
    parser.add_argument("--out", default="corner.png", help="picture to write, by its ending")
    parser.add_argument("--server", default="localhost:50051", help="host:port or unix:PATH")
    parser.add_argument("--token_file", help="file with the bearer token")
    parser.add_argument("--tls_ca", help="PEM file of the authority of the server's certificate")
    arguments = parser.parse_args(words)
    os.environ.setdefault("MPLBACKEND", "Agg")  # a picture needs no window
    import creamery

    try:
        with creamery.Client(arguments.server, token_file=arguments.token_file, tls_ca=arguments.tls_ca) as client:
            chain: Any = arguments.dataset
            if arguments.chain is not None:
                chain = creamery.read_chains(arguments.chain)
            client.model(arguments.model).corner(chain=chain, path=arguments.out)
    except (creamery.CreameryError, ImportError, OSError, ValueError) as error:
        # Text of a server does not steer the terminal.
        print(f"error: {ascii(str(error))[1:-1]}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
