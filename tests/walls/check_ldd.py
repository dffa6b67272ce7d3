"""The server is free of LibTorch. Usage: check_ldd.py PROGRAM FORBIDDEN...

Linking it would cost the server start-up time and memory, and a crash of training would be a crash of serving.
"""

import subprocess
import sys

from sources import report


def check(program, forbidden):
    ldd = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    libraries = ldd.stdout.splitlines()
    if ldd.returncode != 0 or not libraries:
        return [f"{program}: ldd says nothing: {ldd.stderr.strip()}"]
    return [f"{program} links {line.strip()}" for line in libraries for word in forbidden if word in line]


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1], sys.argv[2:]), "libraries"))
