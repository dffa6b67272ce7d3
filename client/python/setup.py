"""Generates creamery/v1 from the repository's proto/ folder; everything else is in pyproject.toml.

An sdist carries the generated files, so it builds without the repository and without grpcio-tools' compiler.
"""

import pathlib
import re
import shutil
import tempfile

from setuptools import setup

HERE = pathlib.Path(__file__).resolve().parent
PROTO_ROOT = HERE.parent.parent / "proto"
GENERATED = HERE / "creamery" / "v1"


def generate() -> None:
    """Compiles proto/creamery/v1/*.proto to GENERATED, where `creamery.v1.x_pb2` is a plain sub-package."""
    import grpc_tools
    from grpc_tools import protoc

    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    sources = sorted(str(path) for path in (PROTO_ROOT / "creamery" / "v1").glob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [f"-I{PROTO_ROOT}", f"-I{well_known}", f"--python_out={scratch}", f"--pyi_out={scratch}"]
        if protoc.main(["protoc", *arguments, *sources]) != 0:
            raise RuntimeError(f"the protocol buffer compiler failed on {PROTO_ROOT}")
        for stale in GENERATED.glob("*_pb2.py*"):
            stale.unlink()
        for made in (pathlib.Path(scratch) / "creamery" / "v1").iterdir():
            shutil.copy(made, GENERATED / made.name)


def protobuf_requirement() -> str:
    """The runtimes that accept the generated code: its own version up to the end of the next major one."""
    text = (GENERATED / "array_pb2.py").read_text()
    found = re.search(r"^# Protobuf Python Version: (\d+)\.(\d+)\.(\d+)", text, re.MULTILINE)
    if found is None:  # compilers before 4.25 did not say and their code runs everywhere
        return "protobuf>=4.22"
    version = tuple(int(part) for part in found.groups())
    lowest = ".".join(str(part) for part in max(version, (4, 22, 0)))
    return f"protobuf>={lowest},<{version[0] + 2}"


if (PROTO_ROOT / "creamery" / "v1").is_dir():
    generate()
elif not (GENERATED / "array_pb2.py").is_file():
    raise RuntimeError(f"neither {PROTO_ROOT} nor generated files in {GENERATED}: build from a checkout or an sdist")

setup(
    install_requires=[
        "grpcio>=1.51",
        protobuf_requirement(),
        "numpy>=1.21",
        "rich>=12",
        "tomli>=1.1; python_version < '3.11'",
    ]
)
