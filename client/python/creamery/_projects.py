"""The projects of a server, `client.projects`."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import List, Optional

from creamery import _arguments, _names
from creamery._transport import Transport
from creamery.v1 import project_service_pb2


@dataclass(frozen=True)
class Project:
    """What datasets, models and jobs belong to.

    Attributes:
        name: full name, `projects/{project}`.
        description: free text.
        create_time: when it was made, UTC.
        creator: principal that made it.
    """

    name: str
    description: str
    create_time: datetime
    creator: str

    @property
    def id(self) -> str:
        """What a person types: `planck`."""
        return self.name.split("/")[-1]


def _project(proto: project_service_pb2.Project) -> Project:
    made = proto.create_time.ToDatetime().replace(tzinfo=timezone.utc)
    return Project(proto.name, proto.description, made, proto.creator)


class Projects:
    """The projects of a server, `client.projects`. Uploads and trainings make the ones that they need."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> List[Project]:
        """All projects by name.

        Example:
            >>> [project.id for project in client.projects.list()]
            ['des', 'planck']
        """
        request = project_service_pb2.ListProjectsRequest()
        return [_project(proto) for proto in self._transport.pages("ListProjects", request, "projects")]

    def get(self, name: str) -> Project:
        """Describes one project.

        Args:
            name: `planck` or `projects/planck`.

        Raises:
            NotFoundError: there is none.

        Example:
            >>> client.projects.get("planck").creator
            'ada'
        """
        request = project_service_pb2.GetProjectRequest(name=f"projects/{_names.project_id(name)}")
        return _project(self._transport.call("GetProject", request))

    def create(self, name: str, description: str = "", request_id: Optional[str] = None) -> Project:
        """Makes a project.

        Args:
            name: `planck`.
            description: free text.
            request_id: makes a repeat safe; chosen at random if not given.

        Raises:
            AlreadyExistsError: the name is taken.

        Example:
            >>> client.projects.create("planck", "CMB chains").id
            'planck'
        """
        request = _arguments.message(
            project_service_pb2.CreateProjectRequest,
            project_id=_names.project_id(name),
            project=_arguments.message(project_service_pb2.Project, description=description),
            request_id=uuid.uuid4().hex if request_id is None else request_id,
        )
        return _project(self._transport.call("CreateProject", request))

    def __repr__(self) -> str:
        return f"<Projects of {self._transport.address}: list, get, create>"
