"""Nothing lies at the top that programs have left there, for it would be committed. Usage: check_top_level.py ROOT"""

import os
import sys

from sources import FOLDERS, report

BELONGS = {*FOLDERS, "deploy", "build", "CMakeLists.txt", "CMakePresets.json", "LICENSE", "README.md"}


def check(root):
    return [f"{name} does not belong at the top" for name in sorted(os.listdir(root))
            if name not in BELONGS and not name.startswith(".")]


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1]), "top level"))
