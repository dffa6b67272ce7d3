"""Files that `creamery datasets download` wrote, and any other .safetensors whose tensors are columns."""

from __future__ import annotations

import json
import math
import struct
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np
from google.protobuf import json_format
from numpy.typing import NDArray

from creamery import _priors
from creamery._chains import Bounds, Chains, need_names
from creamery._errors import InvalidArgumentError
from creamery.v1 import dataset_pb2

_LONGEST_HEADER = 1 << 24  # bytes
_DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "U8": "u1"}
_KINDS = {dataset_pb2.MCMC: "mcmc", dataset_pb2.NESTED_SAMPLING: "nested_sampling"}
Tensors = Dict[str, NDArray[Any]]


def read(path: str, names: Optional[Sequence[str]]) -> Chains:
    """The samples of a file: tensors `theta` (n, d), weight, chain, log_likelihood, log_likelihood_birth (n,) with the
    schema in its metadata; or, without `theta`, a column of every tensor of shape (n,).

    Raises:
        InvalidArgumentError: it is malformed, or has no names and none are given.
    """
    tensors, metadata = _tensors(path)
    if "theta" not in tensors:
        return _of_columns(path, tensors)
    theta = np.asarray(tensors["theta"], dtype=np.float64)
    if theta.ndim not in (1, 2) or theta.size == 0:
        raise InvalidArgumentError(f"{path}: theta has shape {theta.shape}, expected (n, d)")
    theta = theta.reshape(len(theta), -1)
    schema = dataset_pb2.Dataset()
    try:
        json_format.Parse(metadata.get("dataset", "{}"), schema)
    except json_format.ParseError:
        schema = dataset_pb2.Dataset()
    parameters = schema.parameters if len(schema.parameters) == theta.shape[1] else []
    described = bool(parameters)

    def field(name: str) -> Optional[NDArray[Any]]:
        if name in tensors and tensors[name].shape != (len(theta),):
            raise InvalidArgumentError(f"{path}: {name} has shape {tensors[name].shape}, expected ({len(theta)},)")
        return tensors.get(name)

    bounds: Bounds = {}
    for each in parameters:
        if each.HasField("lower") or each.HasField("upper"):
            bounds[each.name] = (
                each.lower if each.HasField("lower") else None,
                each.upper if each.HasField("upper") else None,
            )
    evidence = (schema.log_evidence.value, schema.log_evidence.error)
    chain, born = field("chain"), field("log_likelihood_birth")
    carried = "nested_sampling" if born is not None else "mcmc" if chain is not None else "independent"
    said = described and schema.row_kind != dataset_pb2.ROW_KIND_UNSPECIFIED
    return Chains(
        np.ascontiguousarray(theta),
        tuple(each.name for each in parameters) if described else need_names(names, theta.shape[1], path),
        _KINDS.get(schema.row_kind, "independent") if said else carried,
        field("weight"),
        chain,
        field("log_likelihood"),
        born,
        evidence if described and schema.HasField("log_evidence") else None,
        labels={each.name: each.label for each in parameters if each.label},
        priors={each.name: _priors.from_proto(each.prior) for each in parameters if each.HasField("prior")},
        bounds=bounds,
        derived=tuple(each.name for each in parameters if each.derived),
        source=path,
    )


def _of_columns(path: str, tensors: Tensors) -> Chains:
    lengths = {tensor.shape for tensor in tensors.values()}
    if len(lengths) != 1 or len(next(iter(lengths))) != 1 or 0 in next(iter(lengths)):
        raise InvalidArgumentError(f"{path}: there is no tensor 'theta', and the tensors are not columns of one length")
    ordered = sorted(tensors, key=lambda name: name.encode())
    theta = np.column_stack([np.asarray(tensors[name], dtype=np.float64) for name in ordered])
    return Chains(np.ascontiguousarray(theta), tuple(ordered), "independent", source=path)


def _tensors(path: str) -> Tuple[Tensors, Dict[str, str]]:
    """The tensors and the metadata of a file: https://github.com/huggingface/safetensors."""
    with open(path, "rb") as file:
        content = file.read()
    length = struct.unpack("<Q", content[:8])[0] if len(content) >= 8 else _LONGEST_HEADER
    if length > min(_LONGEST_HEADER, len(content) - 8):
        raise InvalidArgumentError(f"{path} is not a .safetensors file: its header is cut or too long")
    tensors: Tensors = {}
    try:
        header = json.loads(content[8 : 8 + length])
        metadata = {str(key): str(value) for key, value in (header.pop("__metadata__", None) or {}).items()}
        for name, info in header.items():
            dtype = np.dtype(_DTYPES[info["dtype"]])
            shape = tuple(int(axis) for axis in info["shape"])
            begin, end = (8 + length + int(each) for each in info["data_offsets"])
            if min((*shape, begin - 8 - length)) < 0 or end > len(content):
                raise ValueError(f"tensor '{name}' lies outside the file")
            if math.prod(shape) * dtype.itemsize != end - begin:
                raise ValueError(f"tensor '{name}' has {end - begin} bytes for shape {shape} of {dtype}")
            tensors[name] = np.frombuffer(content[begin:end], dtype=dtype).reshape(shape)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise InvalidArgumentError(f"{path} is not a .safetensors file that can be read: {error}") from None
    return tensors, metadata
