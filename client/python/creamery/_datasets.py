"""Datasets: upload, append, list, download, delete."""

from __future__ import annotations

import uuid
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import numpy as np
from numpy.typing import NDArray

from creamery import _arguments, _arrays, _chains, _names, _priors, _samples, _schema, _warnings
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
# Arguments of upload() that upload_chains() hands on.
_FURTHER = (
    *("weights", "chain", "log_likelihood_birth", "log_evidence", "kind", "labels", "units", "derived", "bounds"),
    *("marginalised", "description", "request_id"),
)
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
    def num_rows_outside(self) -> int:
        """Rows on or outside the declared bounds of a parameter, which no training uses."""
        return int(self.proto.num_rows_outside)

    @property
    def marginalised(self) -> List[str]:
        """Sampled parameters of the analysis that are not among `names`: integrated out by leaving them away."""
        return list(self.proto.marginalised)

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
        outside = f", {self.num_rows_outside} of them outside the bounds" if self.num_rows_outside else ""
        rows = f"{self.num_rows} rows of {', '.join(self.names)}{outside}"
        return f"<Dataset {_names.short(self.name)}: {rows}; {self.kind}>"


DatasetLike = Union[Dataset, str]


def full_name(dataset: DatasetLike, project: Optional[str] = None) -> str:
    """Full name of a dataset given as such or by name; a name alone is of `project`.

    Raises:
        InvalidArgumentError: it is neither.
    """
    if isinstance(dataset, Dataset):
        return dataset.name
    if not isinstance(dataset, str):
        raise _arguments.wrong("dataset", dataset, "a dataset or its name")
    return _names.dataset(dataset, project)


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
        marginalised: Sequence[str] = (),
        description: str = "",
        request_id: Optional[str] = None,
    ) -> Dataset:
        """Makes a dataset, and its project if needed, and uploads its rows: all of them or none.

        Args:
            name: `planck/chain`.
            theta: (n, d) numbers; or a table: a dict of (n,) columns, a frame, a structured array, samples of GetDist.
                Integers that float64 does not hold, masked entries, complex numbers, dates and texts are refused.
            names: d names of the columns; of a table, the columns to take (default: all).
            weights: (n,) at least 0; taken from samples of anesthetic or GetDist if not given.
            chain: (n,) whole numbers, the Markov chain of each row; rows keep their order.
            log_likelihood: (n,) natural log, higher is better.
            log_likelihood_birth: (n,) natural log; -inf, or NaN, for the first live points.
            priors: by parameter: `creamery.Uniform(0, 1)`, "uniform(0,1)", ("normal", 0, 1) or (lower, upper).
            log_evidence: natural-log evidence and its standard error.
            kind: "independent", "mcmc" or "nested_sampling"; default by what is given: nested sampling with
                `log_likelihood_birth`, MCMC with `chain`, else independent.
            labels: LaTeX labels without dollar signs, by parameter or d of them in order.
            units: units as text, by parameter.
            derived: names of parameters that are computed from the sampled ones.
            bounds: hard bounds by parameter where there is no bounded prior; None for an open side.
            marginalised: names of sampled parameters of the analysis that are left away. A joint analysis then says
                when another model left the same nuisance away, and what needs all parameters is refused.
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
        full = _names.dataset(name, self._transport.project)
        names = None if names is None else _arguments.names("names", names)
        if kind is None and chain is None and log_likelihood_birth is None and is_run(theta):
            _warnings.warn_client(
                f"{type(theta).__name__} are uploaded as independent rows: upload_chains keeps what they are"
            )
        if weights is None:
            weights = _arrays.weights_of(theta)
        values, columns = _arrays.table(theta, names)
        _need_columns(columns, names)
        columns = names if names is not None else columns
        if columns is None:
            raise InvalidArgumentError("names of the columns of theta are missing: give names=[...]")
        rows = _rows(values, weights, chain, log_likelihood, log_likelihood_birth)
        schema = _schema.make(columns, rows, priors, log_evidence, kind, labels, units, derived, bounds)
        _arguments.fill(schema, description=description, marginalised=_schema.left_away(marginalised, columns))
        parent, dataset_id = _names.split(full)
        own_id = request_id is None
        request_id = uuid.uuid4().hex if request_id is None else _arguments.text("request_id", request_id)
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
            parameters: names of the parameters to upload, in order; default: all, derived ones too. The dataset keeps
                the names of the sampled ones that are left away.
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
            FileNotFoundError: there are no chains.
            InvalidArgumentError: a malformed file, with line and column.
            ImportError: h5py is not installed where it is needed; the message says what installs it.
            AlreadyExistsError: the name is taken.

        Example:
            >>> client.datasets.upload_chains("planck/chain", "chains/planck", ["omegam", "sigma8"], burn_in=0.3)
            <Dataset planck/chain: 4000 rows of omegam, sigma8; mcmc>
        """
        chains = _chains.read_chains(source, names, burn_in=burn_in, log_likelihood=log_likelihood)
        if parameters is not None:
            chains = chains.select(parameters)
        stated = _arguments.flag("stated_priors", stated_priors)
        chosen = {**(chains.priors if stated else {}), **_priors.parse_all({} if priors is None else priors)}
        bounds = chains.bounds if stated else {}
        unknown = [each for each in more if each not in _FURTHER]
        if unknown:
            raise InvalidArgumentError(
                f"upload_chains has no argument {', '.join(unknown)}; further ones are {', '.join(_FURTHER)}"
            )
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
            "marginalised": chains.marginalised,
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
        full = full_name(dataset, self._transport.project)
        if weights is None:
            weights = _arrays.weights_of(theta)
        if _arrays.is_table(theta):
            wanted = self.get(full).names
            theta, columns = _arrays.table(theta, wanted)
            _need_columns(columns, wanted)
        rows = _rows(_arrays.floats("theta", theta), weights, chain, log_likelihood, log_likelihood_birth)
        request_id = uuid.uuid4().hex if request_id is None else _arguments.text("request_id", request_id)
        if expected_num_rows is not None:
            expected_num_rows = _arguments.whole("expected_num_rows", expected_num_rows, 0)
        return self._append(full, rows, request_id, expected_num_rows)

    def get(self, name: str) -> Dataset:
        """Describes one dataset.

        Raises:
            NotFoundError: there is none.

        Example:
            >>> client.datasets.get("planck/chain").num_rows
            4000
        """
        request = dataset_service_pb2.GetDatasetRequest(name=_names.dataset(name, self._transport.project))
        return Dataset(self._transport.call("GetDataset", request))

    def list(self, project: Optional[str] = None, *, parameter: Optional[str] = None) -> List[Dataset]:
        """The datasets of a project, or of all projects, by name.

        Args:
            project: `planck`; None or "-" for all projects.
            parameter: only datasets with a parameter of this name.

        Raises:
            NotFoundError: there is no such project.

        Example:
            >>> [dataset.name for dataset in client.datasets.list("planck", parameter="omegam")]
            ['projects/planck/datasets/chain']
        """
        request = _arguments.message(
            dataset_service_pb2.ListDatasetsRequest, parent=_names.parent(project), parameter=parameter
        )
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
        described = self.get(full_name(dataset, self._transport.project))
        request = _arguments.message(dataset_service_pb2.DownloadRowsRequest, name=described.name, revision=revision)
        # Pinned, so that a stream that breaks goes on with the same rows.
        request.revision = request.revision or described.proto.revision
        keys = {"theta": "theta", **{field: key for key, field in _FIELDS.items()}}
        found: Dict[str, List[NDArray[Any]]] = {}
        for reply in self._transport.stream("DownloadRows", request, immutable=True):
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
        name = full_name(dataset, self._transport.project)
        self._transport.call("DeleteDataset", dataset_service_pb2.DeleteDatasetRequest(name=name))

    def _append(self, full: str, rows: Columns, request_id: str, expected: Optional[int]) -> Dataset:
        dataset = Dataset(
            self._transport.upload("AppendRows", lambda: _append_requests(full, rows, request_id, expected))
        )
        _warn_of_rows_outside(dataset, rows["theta"])
        return dataset

    def _delete_if_empty(self, full: str) -> None:
        try:
            if self.get(full).num_rows == 0:
                self.delete(full)
        except CreameryError:
            pass


def _warn_of_rows_outside(dataset: Dataset, theta: NDArray[Any]) -> None:
    """Warns of rows just uploaded, theta (n, d), that the dataset counts among those that no training will use."""
    if dataset.proto.num_rows_outside == 0:
        return
    inside = np.ones(len(theta), dtype=bool)
    for column, parameter in zip(theta.T, dataset.proto.parameters):
        lower, upper = _samples.bounds(parameter)
        if lower is not None:
            inside &= column > lower
        if upper is not None:
            inside &= column < upper
    outside = int(np.count_nonzero(~inside))
    if outside:
        _warnings.warn_client(
            f"{_names.short(dataset.name)}: {outside} of {len(theta)} rows lie on or outside the declared bounds of a "
            "parameter: trainings leave them out"
        )


def is_run(theta: Any) -> bool:
    """True for nested-sampling and Markov-chain samples of anesthetic and GetDist, whose rows are not independent."""
    return bool({"NestedSamples", "MCMCSamples", "MCSamples"} & {cls.__name__ for cls in type(theta).__mro__})


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
        birth = _arrays.floats("log_likelihood_birth", log_likelihood_birth)
        rows["log_likelihood_birth"] = np.where(np.isnan(birth), -np.inf, birth)  # of the first live points
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
