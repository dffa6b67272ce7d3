"""Datasets: upload, append, list, download, delete."""

from __future__ import annotations

import uuid
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arrays, _chains, _names, _priors, _warnings
from creamery._errors import CreameryError, InvalidArgumentError
from creamery._text import printable_repr
from creamery._transport import Transport
from creamery.v1 import dataset_pb2, dataset_service_pb2

_CHUNK_BYTES = 1 << 20
# Keyword of upload() -> field of creamery.v1.Rows.
_FIELDS = {
    "weights": "weight",
    "chain": "chain",
    "log_likelihood": "log_likelihood",
    "log_likelihood_birth": "log_likelihood_birth",
}
_KINDS = {
    "independent": dataset_pb2.INDEPENDENT,
    "mcmc": dataset_pb2.MCMC,
    "nested": dataset_pb2.NESTED_SAMPLING,
    "nested_sampling": dataset_pb2.NESTED_SAMPLING,
}
Columns = Dict[str, NDArray[Any]]


class Dataset:
    """A dataset as it was when the server described it; it may have grown since.

    Example:
        >>> dataset = client.datasets.get("planck/chain")
        >>> dataset.num_rows, dataset.names
        (4000, ['omegam', 'sigma8'])
    """

    def __init__(self, proto: dataset_pb2.Dataset) -> None:
        self.proto = proto

    @property
    def name(self) -> str:
        """Full name, `projects/{project}/datasets/{dataset}`."""
        return str(self.proto.name)

    @property
    def names(self) -> List[str]:
        """Names of the d columns of theta, in order."""
        return [parameter.name for parameter in self.proto.parameters]

    @property
    def num_rows(self) -> int:
        """Rows over all parts."""
        return int(self.proto.num_rows)

    @property
    def revision(self) -> int:
        """Number of parts; a job pins it."""
        return int(self.proto.revision)

    @property
    def digest(self) -> str:
        """SHA-256 over the parts' digests, hexadecimal."""
        return str(self.proto.digest)

    @property
    def kind(self) -> str:
        """ "independent", "mcmc" or "nested_sampling"."""
        return str(dataset_pb2.RowKind.Name(self.proto.row_kind)).lower()

    @property
    def log_evidence(self) -> Optional[Tuple[float, float]]:
        """Natural-log evidence and its standard error, if it is known."""
        if not self.proto.HasField("log_evidence"):
            return None
        return self.proto.log_evidence.value, self.proto.log_evidence.error

    @property
    def priors(self) -> Dict[str, _priors.Prior]:
        """Analytic priors by parameter, where declared."""
        return {each.name: _priors.from_proto(each.prior) for each in self.proto.parameters if each.HasField("prior")}

    @printable_repr
    def __repr__(self) -> str:
        return f"<Dataset {_names.short(self.name)}: {self.num_rows} rows of {', '.join(self.names)}; {self.kind}>"


DatasetLike = Union[Dataset, str]


def full_name(dataset: DatasetLike) -> str:
    """Full name of a dataset given as such or by name."""
    return dataset.name if isinstance(dataset, Dataset) else _names.dataset(dataset)


class Datasets:
    """The datasets of a server, `client.datasets`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def upload(
        self,
        name: str,
        theta: Any,
        names: Optional[Sequence[str]] = None,
        *,
        weights: Optional[Any] = None,
        chain: Optional[Any] = None,
        log_likelihood: Optional[Any] = None,
        log_likelihood_birth: Optional[Any] = None,
        priors: Optional[Mapping[str, _priors.PriorLike]] = None,
        log_evidence: Optional[Tuple[float, float]] = None,
        kind: Optional[str] = None,
        labels: Union[Mapping[str, str], Sequence[str], None] = None,
        units: Optional[Mapping[str, str]] = None,
        derived: Sequence[str] = (),
        bounds: Optional[Mapping[str, Tuple[Optional[float], Optional[float]]]] = None,
        description: str = "",
        request_id: Optional[str] = None,
    ) -> Dataset:
        """Makes a dataset, and its project if needed, and uploads its rows: all of them or none.

        Args:
            name: `planck/chain`.
            theta: (n, d) numbers; or a dict of (n,) columns; or anything like a pandas DataFrame.
            names: d names of the columns; of a table, the columns to take (default: all).
            weights: (n,) at least 0; taken from an anesthetic frame if not given.
            chain: (n,) whole numbers, the Markov chain of each row; rows keep their order.
            log_likelihood: (n,) natural log, higher is better.
            log_likelihood_birth: (n,) natural log; -inf for the first live points.
            priors: by parameter: `creamery.Uniform(0, 1)`, "uniform(0,1)", ("normal", 0, 1) or (lower, upper).
            log_evidence: natural-log evidence and its standard error.
            kind: "independent", "mcmc" or "nested_sampling"; default by what is given: nested sampling with
                `log_likelihood_birth`, MCMC with `chain`, else independent.
            labels: LaTeX labels without dollar signs, by parameter or d of them in order.
            units: units as text, by parameter.
            derived: names of parameters that are computed from the sampled ones.
            bounds: hard bounds by parameter where there is no bounded prior; None for an open side.
            description: free text.
            request_id: makes a repeat of the same upload safe; chosen at random if not given.

        Returns:
            The dataset with its rows.

        Raises:
            InvalidArgumentError: shapes, names or numbers are wrong; nothing is kept.
            AlreadyExistsError: the name is taken.

        Example:
            >>> client.datasets.upload("planck/chain", theta, names=["omegam", "sigma8"], weights=w,
            ...                        priors={"omegam": "uniform(0.1,0.9)"}, log_evidence=(-12.3, 0.1))
            <Dataset planck/chain: 4000 rows of omegam, sigma8; independent>
        """
        full = _names.dataset(name)
        if kind is None and chain is None and log_likelihood_birth is None and _is_run(theta):
            _warnings.warn_client(
                f"{type(theta).__name__} are uploaded as independent rows: upload_chains keeps what they are"
            )
        if weights is None and callable(getattr(theta, "get_weights", None)):
            weights = theta.get_weights()
        values, columns = _arrays.table(theta, names)
        _need_columns(columns, names)
        columns = list(names) if names is not None else columns
        if columns is None:
            raise InvalidArgumentError("names of the columns of theta are missing: give names=[...]")
        rows = _rows(values, weights, chain, log_likelihood, log_likelihood_birth)
        schema = _schema(columns, rows, priors, log_evidence, kind, labels, units, derived, bounds, description)
        parent, dataset_id = _names.split(full)
        own_id = request_id is None
        request_id = request_id or uuid.uuid4().hex
        self._transport.make_project(_names.project_id(parent))
        self._transport.call(
            "CreateDataset",
            dataset_service_pb2.CreateDatasetRequest(
                parent=parent, dataset_id=dataset_id, dataset=schema, request_id=f"{request_id}.schema"
            ),
        )
        try:
            return self._append(full, rows, f"{request_id}.rows", 0)
        except (CreameryError, KeyboardInterrupt):
            if own_id:  # the empty dataset is certainly of this call: do not leave its name taken
                self._delete_if_empty(full)
            raise

    def upload_chains(
        self,
        name: str,
        source: Any,
        parameters: Optional[Sequence[str]] = None,
        priors: Optional[Mapping[str, _priors.PriorLike]] = None,
        *,
        names: Optional[Sequence[str]] = None,
        burn_in: Optional[Union[int, float]] = None,
        log_likelihood: Optional[bool] = None,
        stated_priors: bool = True,
        **more: Any,
    ) -> Dataset:
        """Uploads the chains of a sampler: files by their root, or what the sampler returned; see `read_chains`.

        Args:
            name: `planck/chain`.
            source: root of files of PolyChord, MultiNest, UltraNest, GetDist, MontePython or Cobaya; an HDF5 file of
                emcee; samples of anesthetic or GetDist, results of dynesty or UltraNest, a sampler of emcee; or the
                Chains of `read_chains`.
            parameters: names of the parameters to upload, in order; default: all, derived ones too.
            priors: by parameter, as for `upload`; they go before those that the files state.
            names: names of the parameters, where the source has none.
            burn_in: Markov chains: rows to drop from the start of each chain, or the share of it below 1.
            log_likelihood: Markov chains: take the log-likelihoods along; default: where they are certain.
            stated_priors: False leaves away priors and bounds that the files state.
            more: further arguments of `upload`, such as `units`, `log_evidence` or `description`; they go before what
                the files say.

        Returns:
            The dataset with its rows.

        Raises:
            FileNotFoundError: there are no chains that anesthetic knows.
            ImportError: anesthetic is not installed; the message says what installs it.
            AlreadyExistsError: the name is taken.

        Example:
            >>> client.datasets.upload_chains("planck/chain", "chains/planck", ["omegam", "sigma8"], burn_in=0.3)
            <Dataset planck/chain: 4000 rows of omegam, sigma8; mcmc>
        """
        chains = _chains.read_chains(source, names, burn_in=burn_in, log_likelihood=log_likelihood)
        if parameters is not None:
            chains = chains.select(parameters)
        chosen = {**(chains.priors if stated_priors else {}), **_priors.parse_all(priors or {})}
        bounds = chains.bounds if stated_priors else {}
        given: Dict[str, Any] = {
            "weights": chains.weights,
            "chain": chains.chain,
            "log_likelihood": chains.log_likelihood,
            "log_likelihood_birth": chains.log_likelihood_birth,
            "log_evidence": chains.log_evidence,
            "kind": chains.kind,
            "labels": chains.labels,
            "derived": [each for each in chains.derived if each not in chosen],
            "bounds": {each: pair for each, pair in bounds.items() if each not in chosen},
            "description": f"from {chains.source}" if chains.source else "",
        }
        return self.upload(name, chains.theta, list(chains.names), priors=chosen, **{**given, **more})

    def append(
        self,
        dataset: DatasetLike,
        theta: Any,
        *,
        weights: Optional[Any] = None,
        chain: Optional[Any] = None,
        log_likelihood: Optional[Any] = None,
        log_likelihood_birth: Optional[Any] = None,
        expected_num_rows: Optional[int] = None,
        request_id: Optional[str] = None,
    ) -> Dataset:
        """Adds one part: all of its rows or none.

        Args:
            dataset: the dataset or its name.
            theta: (n, d) numbers in the dataset's order of columns, or a table with these columns.
            weights, chain, log_likelihood, log_likelihood_birth: (n,), those that the dataset has.
            expected_num_rows: rows the dataset must have before.
            request_id: makes a repeat safe; chosen at random if not given.

        Returns:
            The dataset with the new part.

        Raises:
            AbortedError: `expected_num_rows` does not hold.
            InvalidArgumentError: the rows do not fit the dataset.

        Example:
            >>> client.datasets.append("planck/chain", more, weights=w, expected_num_rows=4000).revision
            2
        """
        full = full_name(dataset)
        if _arrays.is_table(theta):
            wanted = self.get(full).names
            theta, columns = _arrays.table(theta, wanted)
            _need_columns(columns, wanted)
        rows = _rows(_arrays.floats("theta", theta), weights, chain, log_likelihood, log_likelihood_birth)
        return self._append(full, rows, request_id or uuid.uuid4().hex, expected_num_rows)

    def get(self, name: str) -> Dataset:
        """Describes one dataset.

        Raises:
            NotFoundError: there is none.

        Example:
            >>> client.datasets.get("planck/chain").num_rows
            4000
        """
        return Dataset(
            self._transport.call("GetDataset", dataset_service_pb2.GetDatasetRequest(name=_names.dataset(name)))
        )

    def list(self, project: str) -> List[Dataset]:
        """The datasets of a project by name.

        Example:
            >>> [dataset.name for dataset in client.datasets.list("planck")]
            ['projects/planck/datasets/chain']
        """
        request = dataset_service_pb2.ListDatasetsRequest(parent=f"projects/{_names.project_id(project)}")
        return [Dataset(proto) for proto in self._transport.pages("ListDatasets", request, "datasets")]

    def download(self, dataset: DatasetLike, revision: int = 0) -> Columns:
        """All rows in order.

        Args:
            dataset: the dataset or its name.
            revision: revision to read; 0 for the newest.

        Returns:
            Arrays under the keywords of `upload`: "theta" (n, d) and, as the dataset has them, "weights", "chain",
            "log_likelihood" and "log_likelihood_birth" (n,).

        Raises:
            NotFoundError: there is no such dataset or revision.

        Example:
            >>> client.datasets.download("planck/chain")["theta"].shape
            (4000, 2)
        """
        described = self.get(full_name(dataset))
        request = dataset_service_pb2.DownloadRowsRequest(name=described.name, revision=revision)
        keys = {"theta": "theta", **{field: key for key, field in _FIELDS.items()}}
        found: Dict[str, List[NDArray[Any]]] = {}
        for reply in self._transport.stream("DownloadRows", request):
            for field, array in reply.rows.ListFields():
                found.setdefault(keys[field.name], []).append(_arrays.from_proto(array))
        if not found:
            return {"theta": np.empty((0, len(described.names)))}
        return {key: np.concatenate(parts) for key, parts in found.items()}

    def delete(self, dataset: DatasetLike) -> None:
        """Deletes a dataset.

        Raises:
            NotFoundError: there is none.
            FailedPreconditionError: a job that is not finished needs it.

        Example:
            >>> client.datasets.delete("planck/chain")
        """
        self._transport.call("DeleteDataset", dataset_service_pb2.DeleteDatasetRequest(name=full_name(dataset)))

    def _append(self, full: str, rows: Columns, request_id: str, expected: Optional[int]) -> Dataset:
        return Dataset(self._transport.upload("AppendRows", lambda: _append_requests(full, rows, request_id, expected)))

    def _delete_if_empty(self, full: str) -> None:
        try:
            if self.get(full).num_rows == 0:
                self.delete(full)
        except CreameryError:
            pass


def _is_run(theta: Any) -> bool:
    """True for nested-sampling and Markov-chain samples of anesthetic, whose rows are not independent."""
    return bool({"NestedSamples", "MCMCSamples"} & {cls.__name__ for cls in type(theta).__mro__})


def _need_columns(columns: Optional[List[str]], wanted: Optional[Sequence[str]]) -> None:
    if columns is not None and wanted is not None and columns != list(wanted):
        missing = [name for name in wanted if name not in columns]
        raise InvalidArgumentError(f"theta has no column {', '.join(missing)}; its columns are {', '.join(columns)}")


def _rows(theta: NDArray[Any], weights: Any, chain: Any, log_likelihood: Any, log_likelihood_birth: Any) -> Columns:
    """The given fields as arrays with one number of rows: what cannot be cut into chunks is refused here."""
    if theta.ndim != 2:
        raise InvalidArgumentError(f"theta has shape {theta.shape}, expected (n, d)")
    rows: Columns = {"theta": theta}
    if weights is not None:
        rows["weight"] = _arrays.floats("weights", weights)
    if chain is not None:
        rows["chain"] = _arrays.integers("chain", chain)
    if log_likelihood is not None:
        rows["log_likelihood"] = _arrays.floats("log_likelihood", log_likelihood)
    if log_likelihood_birth is not None:
        rows["log_likelihood_birth"] = _arrays.floats("log_likelihood_birth", log_likelihood_birth)
    for name, values in rows.items():
        if name != "theta" and values.shape != theta.shape[:1]:
            raise InvalidArgumentError(f"{name} has shape {values.shape}, expected ({len(theta)},) as theta has rows")
    return rows


def _append_requests(
    full: str, rows: Columns, request_id: str, expected: Optional[int]
) -> Iterator[dataset_service_pb2.AppendRowsRequest]:
    total = len(rows["theta"])
    step = _arrays.chunk_rows(sum(values.nbytes for values in rows.values()) // max(1, total), _CHUNK_BYTES)
    for start in range(0, max(1, total), step):
        request = dataset_service_pb2.AppendRowsRequest()
        if start == 0:
            request.name, request.request_id, request.total_rows = full, request_id, total
            if expected is not None:
                request.expected_num_rows = expected
        for field, values in rows.items():
            getattr(request.rows, field).CopyFrom(_arrays.to_proto(values[start : start + step]))
        yield request


def _schema(
    names: Sequence[str],
    rows: Columns,
    priors: Optional[Mapping[str, _priors.PriorLike]],
    log_evidence: Optional[Tuple[float, float]],
    kind: Optional[str],
    labels: Union[Mapping[str, str], Sequence[str], None],
    units: Optional[Mapping[str, str]],
    derived: Sequence[str],
    bounds: Optional[Mapping[str, Tuple[Optional[float], Optional[float]]]],
    description: str,
) -> dataset_pb2.Dataset:
    if labels is None:
        labels = {}
    elif not isinstance(labels, Mapping):
        if len(labels) != len(names):
            raise InvalidArgumentError(f"labels has {len(labels)} entries, expected {len(names)}, one for each name")
        labels = dict(zip(names, labels))
    units, bounds = units or {}, bounds or {}
    prior_protos = _priors.mapping_to_proto(priors or {})
    described = {"priors": prior_protos, "labels": labels, "units": units, "derived": derived, "bounds": bounds}
    for what, given in described.items():
        wrong = [name for name in given if name not in names]
        if wrong:
            raise InvalidArgumentError(f"{what} names {', '.join(wrong)}; the parameters are {', '.join(names)}")
    dataset = dataset_pb2.Dataset(
        row_kind=_row_kind(kind, rows),
        has_weight="weight" in rows,
        has_chain="chain" in rows,
        has_log_likelihood="log_likelihood" in rows,
        has_log_likelihood_birth="log_likelihood_birth" in rows,
        description=description,
    )
    for name in names:
        parameter = dataset.parameters.add(
            name=name, label=labels.get(name, ""), unit=units.get(name, ""), derived=name in derived
        )
        if name in prior_protos:
            parameter.prior.CopyFrom(prior_protos[name])
        lower, upper = bounds.get(name, (None, None))
        if lower is not None:
            parameter.lower = lower
        if upper is not None:
            parameter.upper = upper
    if log_evidence is not None:
        dataset.log_evidence.value, dataset.log_evidence.error = (float(each) for each in log_evidence)
    return dataset


def _row_kind(kind: Optional[str], rows: Columns) -> dataset_pb2.RowKind:
    if kind is None:
        if "log_likelihood_birth" in rows:
            return dataset_pb2.NESTED_SAMPLING
        return dataset_pb2.MCMC if "chain" in rows else dataset_pb2.INDEPENDENT
    if kind.lower() not in _KINDS:
        raise InvalidArgumentError(f"kind is {kind!r}, expected independent, mcmc or nested_sampling")
    return _KINDS[kind.lower()]
