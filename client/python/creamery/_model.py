"""A trained model version and the questions it answers."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import List, Optional, Union

from creamery import _names, _specs
from creamery._errors import DataLossError
from creamery._inference import DensityQuestions
from creamery._proposal import Proposal
from creamery._statistics import StatisticsQuestions
from creamery._text import printable_repr
from creamery._training import Training
from creamery._transport import Transport
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
        request = model_service_pb2.SetAliasRequest(
            name=_names.model_of(self.name), alias=alias, version=self.version, expected_version=expected_version
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
        path = Path(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.part")
        digest = hashlib.sha256()
        try:
            with open(partial, "wb") as file:
                request = model_service_pb2.ExportVersionRequest(name=self.name)
                for reply in self._transport.stream("ExportVersion", request):
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
