"""Projects, lists over all of them, and what is searched for."""

import creamery
import pytest
from creamery.v1 import dataset_service_pb2, model_service_pb2


@pytest.mark.server
def test_projects_are_made_described_and_listed(client):
    made = client.projects.create("des", "weak lensing")
    assert (made.id, made.name, made.description) == ("des", "projects/des", "weak lensing")
    assert client.projects.get("projects/des") == made == client.projects.get("des")
    assert made in client.projects.list() and made.create_time.tzinfo is not None
    with pytest.raises(creamery.AlreadyExistsError):
        client.projects.create("des")
    with pytest.raises(creamery.NotFoundError):
        client.projects.get("none")


@pytest.mark.parametrize("project, parent", [(None, "projects/-"), ("-", "projects/-"), ("planck", "projects/planck")])
def test_lists_say_what_they_are_of_and_what_is_searched_for(serve, project, parent):
    asked = []

    def models(request, context):
        asked.append(request)
        return model_service_pb2.ListModelsResponse()

    def datasets(request, context):
        asked.append(request)
        return dataset_service_pb2.ListDatasetsResponse()

    client = serve(
        {
            "ModelService/ListModels": ("unary_unary", model_service_pb2.ListModelsRequest, models),
            "DatasetService/ListDatasets": ("unary_unary", dataset_service_pb2.ListDatasetsRequest, datasets),
        }
    )
    assert client.models.list(project, parameter="h", family="MAF", labels={"paper": "final"}) == []
    assert client.datasets.list(project, parameter="h") == []
    wanted = {"parent": parent, "parameter": "h", "family": "maf", "labels": {"paper": "final"}}
    assert asked == [
        model_service_pb2.ListModelsRequest(**wanted),
        dataset_service_pb2.ListDatasetsRequest(parent=parent, parameter="h"),
    ]
