"""The project's own sources: what the walls are checked on."""

import os

FOLDERS = ("proto", "models", "storage", "server", "client", "tests")
SKIPPED = {"build", "__pycache__", ".venv", ".pytest_cache", "_proto", "dist"}


def own_files(root, suffixes, folders=FOLDERS):
    """Yields the paths, relative to `root`, of own files that end in one of `suffixes`."""
    for folder in folders:
        for directory, subfolders, names in os.walk(os.path.join(root, folder)):
            subfolders[:] = sorted(s for s in subfolders if s not in SKIPPED and not s.endswith(".egg-info"))
            for name in sorted(names):
                if name.endswith(suffixes) and not name.endswith("_pb2.py"):  # generated
                    yield os.path.relpath(os.path.join(directory, name), root)


def report(problems, what):
    """Prints one line per problem and returns the exit status."""
    for problem in problems:
        print(problem)
    print(f"{what}: {len(problems)} problem(s)")
    return 1 if problems else 0
