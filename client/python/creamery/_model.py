"""A trained model version and the questions it answers."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np

from creamery import _arguments, _chain_rows, _check, _corner, _names, _specs, _warnings
from creamery._chain_rows import ChainLike
from creamery._errors import DataLossError, InvalidArgumentError
from creamery._inference import DensityQuestions
from creamery._proposal import Proposal
from creamery._statistics import StatisticsQuestions
from creamery._text import printable_repr
from creamery._training import Training
from creamery._transport import Transport
from creamery._warnings import CreameryWarning
from creamery.v1 import model_service_pb2


class Model(DensityQuestions, StatisticsQuestions):
    """One immutable version of a model. The version was resolved once and every answer comes from it.

    Example:
        >>> model = client.model("planck/cosmo@production")
        >>> model.parameters
        ['omegam', 'sigma8']
        >>> model.log_prob([0.31, 0.81])
        4.2
    """

    @classmethod
    def open(cls, transport: Transport, name: str) -> Model:
        """A handle by full name, alias or the latest; used by the client."""
        request = model_service_pb2.GetModelVersionRequest(name=name)
        return cls(transport, transport.call("GetModelVersion", request))

    @property
    def spec(self) -> _specs.EstimatorSpec:
        """What it was trained as, with every default filled in."""
        return _specs.EstimatorSpec.from_proto(self.proto.spec)

    @property
    def training(self) -> Training:
        """How it was trained: members, losses, held-out statistics, the data's digest, what was compared."""
        return Training(self.proto.training)

    def warn_of_training(self) -> Tuple[str, ...]:
        """Issues what the training says against itself as CreameryWarnings, with its numbers.

        Returns:
            Their names, such as "ROWS_LEFT_OUT".

        Example:
            >>> client.model("planck/cosmo").warn_of_training()
            ()
        """
        training = self.proto.training
        kinds = _warnings.names(training.warnings)
        numbers = {
            "ROWS_LEFT_OUT": f"{training.num_rows_outside} rows left out, {training.num_rows} used",
            "FEW_DISTINCT_ROWS": f"{training.num_distinct_rows} of {training.num_rows} rows differ",
            "LARGE_MISFIT": f"{training.held_out.misfit:.2f} ± {training.held_out.misfit_error:.2f} nats",
        }
        _warnings.warn(kinds, _names.short(self.name), numbers)
        return kinds

    def proposal(self, fallback: float = 0.1) -> Proposal:
        """The density as a proposal for a nested sampler: a prior transform and the correction that keeps log Z.

        Args:
            fallback: share of the declared prior mixed into the density, (0, 1): without it the proposal misses what
                the density missed and log Z comes out wrong without a sign of it.

        Raises:
            FailedPreconditionError: a parameter has no analytic prior.

        Example:
            >>> proposal = model.proposal(fallback=0.1)
            >>> sampler = dynesty.NestedSampler(proposal.wrap(log_l), proposal.prior_transform, ndim=2)
        """
        return Proposal(self, fallback)

    def check(
        self,
        chain: Optional[ChainLike] = None,
        *,
        num_samples: int = 20_000,
        seed: int = 0,
    ) -> _check.FitReport:
        """How well the density fits the rows of a chain: 1-d quantiles, correlations, a classifier two-sample test.

        Args:
            chain: a dataset or its name; Chains, or what `read_chains` takes; or a table with the parameters. Default:
                the dataset that the version was trained on, at its revision.
            num_samples: draws of the density that the rows are compared with.
            seed: of the draws and of the classifier.

        Returns:
            Differences with their standard errors, and where the density is off; prints itself.

        Raises:
            NotFoundError: the dataset is gone.
            InvalidArgumentError: the chain lacks a parameter of the model, or has fewer than 20 effective rows.

        Example:
            >>> report = model.check()
            >>> report.ok, report.off
            (True, [])
        """
        seed = _arguments.whole("seed", seed, 0)
        rows = _chain_rows.of(self, chain)
        draws = self.sample(_arguments.whole("num_samples", num_samples, 100), seed=seed)
        with warnings.catch_warnings():  # that some rows lie outside is in the report
            warnings.simplefilter("ignore", CreameryWarning)
            outside = np.isneginf(self.log_prob(rows.theta))
        share = float(rows.weights[outside].sum() / rows.weights.sum())
        return _check.report(
            self.parameters,
            rows.theta,
            rows.weights,
            rows.chain,
            rows.in_order,
            draws,
            seed,
            model_version=_names.short(self.name),
            source=rows.source,
            share_outside=share,
        )

    def corner(
        self,
        chain: Optional[ChainLike] = None,
        *,
        parameters: Optional[Sequence[str]] = None,
        num_samples: int = 10_000,
        seed: int = 0,
        package: Optional[str] = None,
        path: Optional[Union[str, Path]] = None,
    ) -> Any:
        """A corner plot of the density, with the rows of a chain behind it if one is given.

        Args:
            chain: as for `check`; default: none.
            parameters: those to show, in order; default: all.
            num_samples: draws of the density.
            seed: of the draws.
            package: "getdist" or "anesthetic"; default: the first of them that is installed.
            path: file that the figure is written to, in the format of its ending.

        Returns:
            The figure of matplotlib.

        Raises:
            ImportError: neither package is installed; the message says what installs one.
            InvalidArgumentError: an unknown parameter or package.

        Example:
            >>> model.corner(chain="planck/chain", path="corner.pdf")
        """
        names = self.parameters if parameters is None else _arguments.names("parameters", parameters)
        wrong = [name for name in names if name not in self.parameters]
        if wrong or not names:
            given = ", ".join(wrong) or "none"
            raise InvalidArgumentError(f"no parameter {given}; the model has {', '.join(self.parameters)}")
        path = None if path is None else _arguments.path("path", path)
        count = _arguments.whole("num_samples", num_samples, 10)
        with_ = _corner.package(package)
        index = [self.parameters.index(name) for name in names]
        layers: List[_corner.Layer] = []
        if chain is not None:
            rows = _chain_rows.of(self, chain)
            layers.append((rows.source, np.ascontiguousarray(rows.theta[:, index]), rows.weights))
        draws = self.sample(count, seed=_arguments.whole("seed", seed, 0))
        layers.append((_names.short(self.name), np.ascontiguousarray(draws[:, index]), None))
        figure = _corner.draw(layers, [self.proto.signature.parameters[i] for i in index], with_)
        if path is not None:
            figure.savefig(path, bbox_inches="tight")
        return figure

    # Where it stands.

    def versions(self) -> List[Model]:
        """All versions of the model, newest first.

        Example:
            >>> [version.version for version in model.versions()]
            [2, 1]
        """
        request = model_service_pb2.ListVersionsRequest(parent=_names.model_of(self.name))
        return [Model(self._transport, each) for each in self._transport.pages("ListVersions", request, "versions")]

    @property
    def aliases(self) -> List[str]:
        """Aliases that point at this version now, by name."""
        request = model_service_pb2.GetModelRequest(name=_names.model_of(self.name))
        found = self._transport.call("GetModel", request).aliases
        return sorted(alias for alias, number in found.items() if number == self.version)

    def set_alias(self, alias: str, expected_version: Optional[int] = None) -> None:
        """Points an alias at this version.

        Args:
            alias: starts with a letter and is not `latest`.
            expected_version: version it must point at before (0: none).

        Raises:
            AbortedError: `expected_version` does not hold.

        Example:
            >>> model.set_alias("production")
        """
        request = _arguments.message(
            model_service_pb2.SetAliasRequest,
            name=_names.model_of(self.name),
            alias=alias,
            version=self.version,
            expected_version=expected_version,
        )
        self._transport.call("SetAlias", request)

    def delete_version(self) -> None:
        """Deletes this version; requests that hold it finish.

        Raises:
            FailedPreconditionError: an alias points at it.

        Example:
            >>> client.model("planck/cosmo@1").delete_version()
        """
        self._transport.call("DeleteVersion", model_service_pb2.DeleteVersionRequest(name=self.name))

    def export(self, path: Union[str, Path]) -> Path:
        """Writes the artifact, a safetensors file; an existing file is replaced once all bytes are there.

        Returns:
            The path.

        Raises:
            DataLossError: the bytes do not have the digest that the server states.

        Example:
            >>> model.export("cosmo.safetensors")
            PosixPath('cosmo.safetensors')
        """
        path = _arguments.path("path", path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with open(partial, "wb") as file:
                request = model_service_pb2.ExportVersionRequest(name=self.name)
                for reply in self._transport.stream("ExportVersion", request, immutable=True):
                    digest.update(reply.chunk)
                    file.write(reply.chunk)
            if digest.hexdigest() != self.proto.artifact_digest:
                raise DataLossError(f"{self.name} arrived with another digest than {self.proto.artifact_digest}")
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        return path

    @printable_repr
    def __repr__(self) -> str:
        family = self.proto.spec.WhichOneof("family") or "unknown family"
        return f"<Model {_names.short(self.name)}: {family} over {', '.join(self.parameters)}>"
