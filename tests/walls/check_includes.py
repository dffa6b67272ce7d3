"""Folders are layers: proto <- {models, storage} <- server, client -> proto. Usage: check_includes.py ROOT

Tests are not looked at: they may reach anything that they test.
"""

import re
import sys

from sources import own_files, report

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)

# Folder -> our folders that its files may include. The longest folder that holds the file decides.
MAY_INCLUDE = {
    "proto": ("proto/",),
    "models": ("proto/", "models/"),
    "models/training": ("proto/", "models/"),
    "storage": ("proto/", "storage/"),
    "server": ("proto/", "models/", "storage/", "server/"),
    "server/worker": ("proto/", "models/", "server/"),
    "client": ("proto/", "client/"),
}
# Only these see the trainer, which brings LibTorch along.
TRAINING = ("models/training/", "server/worker/")
OURS = ("proto/", "models/", "storage/", "server/", "client/", "tests/")

# What is included -> the folders where it may be. The first pattern that matches decides.
LIBRARIES = [
    (re.compile(r"^(torch|ATen|c10|caffe2)/"), ("models/training/",), "LibTorch"),
    (re.compile(r"^sqlite3"), ("storage/",), "SQLite"),
    (re.compile(r"^(grpc|grpcpp|grpc\+\+)/|\.grpc\.pb\.h$"), ("server/", "client/"), "gRPC"),
]


def problems_in(path, text):
    folder = max((f for f in MAY_INCLUDE if path.startswith(f + "/")), key=len)
    for included in INCLUDE.findall(text):
        if included.startswith(OURS):
            if not included.startswith(MAY_INCLUDE[folder]):
                yield f"{path} includes {included}: {folder}/ may include only {', '.join(MAY_INCLUDE[folder])}"
            if included.startswith("models/training/") and not path.startswith(TRAINING):
                yield f"{path} includes {included}: only {', '.join(TRAINING)} may train"
        for pattern, allowed, library in LIBRARIES:
            if pattern.search(included) and not path.startswith(allowed):
                yield f"{path} includes {included}: {library} is seen only in {', '.join(allowed)}"


def check(root):
    problems = []
    for path in own_files(root, (".h", ".cc"), folders=[f for f in MAY_INCLUDE if "/" not in f]):
        with open(f"{root}/{path}", encoding="utf-8") as file:
            problems += problems_in(path, file.read())
    return problems


if __name__ == "__main__":
    sys.exit(report(check(sys.argv[1]), "includes"))
