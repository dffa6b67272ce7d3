"""The registry of models, `client.models`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Union

from creamery import _arguments, _names
from creamery._model import Model
from creamery._transport import Transport
from creamery.v1 import model_pb2, model_service_pb2

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelSummary:
    """A named sequence of versions.

    Attributes:
        name: full name, `projects/{project}/models/{model}`.
        latest_version: number of the newest version, 0 if there is none.
        aliases: version number by alias.
        labels: free labels.
    """

    name: str
    latest_version: int
    aliases: Dict[str, int]
    labels: Dict[str, str]


def _summary(proto: model_pb2.Model) -> ModelSummary:
    return ModelSummary(proto.name, proto.latest_version, dict(proto.aliases), dict(proto.labels))


class Models:
    """The models of a server, `client.models`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def get(self, name: str) -> ModelSummary:
        """Describes one model.

        Raises:
            NotFoundError: there is none.

        Example:
            >>> client.models.get("planck/cosmo").aliases
            {'production': 3}
        """
        request = model_service_pb2.GetModelRequest(name=_names.model(name, self._transport.project))
        return _summary(self._transport.call("GetModel", request))

    def list(
        self,
        project: Optional[str] = None,
        *,
        parameter: Optional[str] = None,
        family: Optional[str] = None,
        labels: Optional[Mapping[str, str]] = None,
    ) -> List[ModelSummary]:
        """The models of a project, or of all projects, by name.

        Args:
            project: `planck`; None or "-" for all projects.
            parameter: only models whose latest version has a parameter of this name.
            family: only models whose latest version is of this family, such as "maf".
            labels: only models that carry all of these labels.

        Raises:
            NotFoundError: there is no such project.

        Example:
            >>> [model.name for model in client.models.list("planck", parameter="omegam", labels={"paper": "final"})]
            ['projects/planck/models/cosmo']
        """
        request = _arguments.message(
            model_service_pb2.ListModelsRequest,
            parent=_names.parent(project),
            parameter=parameter,
            family=None if family is None else _arguments.text("family", family).lower(),
            labels=labels,
        )
        return [_summary(proto) for proto in self._transport.pages("ListModels", request, "models")]

    def versions(self, name: str) -> List[Model]:
        """All versions of a model, newest first.

        Example:
            >>> [version.version for version in client.models.versions("planck/cosmo")]
            [2, 1]
        """
        request = model_service_pb2.ListVersionsRequest(parent=_names.model(name, self._transport.project))
        return [Model(self._transport, each) for each in self._transport.pages("ListVersions", request, "versions")]

    def set_alias(self, name: str, alias: str, version: int, expected_version: Optional[int] = None) -> ModelSummary:
        """Points an alias at a version.

        Args:
            name: `planck/cosmo`.
            alias: starts with a letter and is not `latest`.
            version: version number.
            expected_version: version it must point at before (0: none).

        Raises:
            AbortedError: `expected_version` does not hold.
            NotFoundError: there is no such version.

        Example:
            >>> client.models.set_alias("planck/cosmo", "production", 3).aliases
            {'production': 3}
        """
        request = _arguments.message(
            model_service_pb2.SetAliasRequest,
            name=_names.model(name, self._transport.project),
            alias=alias,
            version=version,
            expected_version=expected_version,
        )
        return _summary(self._transport.call("SetAlias", request))

    def remove_alias(self, name: str, alias: str) -> ModelSummary:
        """Removes an alias.

        Example:
            >>> client.models.remove_alias("planck/cosmo", "production").aliases
            {}
        """
        return self.set_alias(name, alias, 0)

    def update_labels(self, name: str, labels: Mapping[str, str]) -> ModelSummary:
        """Replaces the labels of a model.

        Example:
            >>> client.models.update_labels("planck/cosmo", {"paper": "2407.12345"}).labels
            {'paper': '2407.12345'}
        """
        request = model_service_pb2.UpdateLabelsRequest(name=_names.model(name, self._transport.project))
        _arguments.fill(request, labels=_arguments.mapping("labels", labels))
        return _summary(self._transport.call("UpdateLabels", request))

    def delete_version(self, name: str) -> None:
        """Deletes a version, `planck/cosmo@3`; requests that hold it finish.

        Raises:
            FailedPreconditionError: an alias points at it.

        Example:
            >>> client.models.delete_version("planck/cosmo@1")
        """
        self._transport.call(
            "DeleteVersion", model_service_pb2.DeleteVersionRequest(name=_names.version(name, self._transport.project))
        )

    def export(self, name: str, path: Union[str, Path]) -> Path:
        """Writes the artifact of a version to a file; see `Model.export`.

        Example:
            >>> client.models.export("planck/cosmo@production", "cosmo.safetensors")
            PosixPath('cosmo.safetensors')
        """
        return Model.open(self._transport, _names.version(name, self._transport.project)).export(path)

    def import_(self, name: str, path: Union[str, Path], request_id: Optional[str] = None) -> Model:
        """Stores an artifact as the next version of a model, made if it does not exist.

        Args:
            name: `planck/cosmo`; made, with its project, if it does not exist.
            path: the file.
            request_id: makes a repeat safe; chosen at random if not given.

        Returns:
            The new version.

        Raises:
            InvalidArgumentError: the file is not an artifact.

        Example:
            >>> client.models.import_("planck/cosmo", "cosmo.safetensors").version
            4
        """
        parent, path = _names.model(name, self._transport.project), _arguments.path("path", path)
        request_id = uuid.uuid4().hex if request_id is None else _arguments.text("request_id", request_id)

        def requests() -> Iterator[model_service_pb2.ImportVersionRequest]:
            yield model_service_pb2.ImportVersionRequest(parent=parent, request_id=request_id)
            with open(path, "rb") as file:
                for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
                    yield model_service_pb2.ImportVersionRequest(chunk=chunk)

        self._transport.make_project(parent.split("/")[1])
        with open(path, "rb"):  # a missing file is reported here, not from inside the stream
            pass
        return Model(self._transport, self._transport.upload("ImportVersion", requests))
