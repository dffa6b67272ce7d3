"""No own source has more than 500 lines: a file holds one idea. Usage: check_length.py ROOT"""

import sys

from sources import own_files, report

LIMIT = 500


def check(root):
    problems = []
    for path in own_files(root, (".h", ".cc", ".proto", ".py", ".sh", ".sql", ".cmake", "CMakeLists.txt"),
                          folders=("proto", "models", "storage", "server", "client", "tests", "deploy")):
        with open(f"{root}/{path}", encoding="utf-8") as file:
            lines = sum(1 for _ in file)
        if lines > LIMIT:
            problems.append(f"{path} has {lines} lines, at most {LIMIT} are allowed")
    return problems


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1]), "length"))
