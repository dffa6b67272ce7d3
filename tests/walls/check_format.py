"""Own C++ files are formatted. Usage: check_format.py CLANG_FORMAT ROOT"""

import re
import subprocess
import sys

from sources import own_files, report


def check(clang_format, root):
    paths = list(own_files(root, (".h", ".cc")))
    if not paths:
        return []
    run = subprocess.run([clang_format, "--style=file", "--dry-run", *paths], cwd=root, capture_output=True, text=True,
                         check=False)
    bad = {match for match in re.findall(r"^(\S+?):\d+:\d+:", run.stderr, re.MULTILINE)}
    problems = [f"{path} is not formatted: run {clang_format} -i {path}" for path in sorted(bad)]
    if run.returncode != 0 and not problems:
        problems.append(f"{clang_format} failed: {run.stderr.strip()}")
    return problems


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1], sys.argv[2]), "format"))
