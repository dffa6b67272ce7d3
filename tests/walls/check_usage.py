"""Every program in deploy/ shows its usage when asked, and refuses what it does not know. Usage: check_usage.py ROOT"""

import os
import subprocess
import sys

from sources import report


def run(path, argument):
    return subprocess.run([path, argument], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10)


def check(root):
    problems = []  # Only the first script that ignores --help: it may do anything when given more.
    for name in sorted(os.listdir(f"{root}/deploy")):
        path = f"{root}/deploy/{name}"
        if not name.endswith(".sh") or not os.access(path, os.X_OK):
            continue
        for argument in ("-h", "--help"):
            shown = run(path, argument)
            if shown.returncode != 0 or "usage: deploy/" + name not in shown.stdout:
                return [f"deploy/{name} {argument} ends with {shown.returncode} and does not show its usage"]
        refused = run(path, "--surely-unknown")
        if refused.returncode != 2 or "--surely-unknown" not in refused.stderr or "usage:" not in refused.stderr:
            problems.append(f"deploy/{name} ends with {refused.returncode} when given --surely-unknown, which it "
                            "should name on standard error, with its usage and status 2")
    return problems


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1]), "usage"))
