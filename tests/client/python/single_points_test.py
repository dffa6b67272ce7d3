"""One point at a time: requests whose bytes are kept from call to call. An in-process gRPC fake."""

import threading

import creamery
import numpy as np
import pytest
from creamery import _arrays
from creamery.v1 import inference_service_pb2
from fake_models import VERSION, get_version, version


def _served(serve, seen=None):
    """A model whose log-density is a + 10 b, whatever the columns; requests are added to `seen`."""

    def log_prob(request, context):
        if seen is not None:
            seen.append(request)
        theta = _arrays.from_proto(request.theta)
        reply = inference_service_pb2.LogProbResponse(log_prob=_arrays.to_proto(theta @ [1.0, 10.0]))
        if request.gradient:
            reply.gradient.CopyFrom(_arrays.to_proto(np.tile([1.0, 10.0], (len(theta), 1))))
        if request.spread:
            reply.spread.CopyFrom(_arrays.to_proto(np.full(len(theta), 0.5)))
        return reply

    def prior_transform(request, context):
        return inference_service_pb2.PriorTransformResponse(theta=_arrays.to_proto(2 * _arrays.from_proto(request.u)))

    client = serve(
        {
            **get_version(version()),
            "InferenceService/LogProb": ("unary_unary", inference_service_pb2.LogProbRequest, log_prob),
            "InferenceService/PriorTransform": (
                "unary_unary",
                inference_service_pb2.PriorTransformRequest,
                prior_transform,
            ),
        }
    )
    return client.model("planck/cosmo")


def test_each_point_is_asked_with_its_own_numbers_and_the_same_rest(serve):
    seen = []
    model = _served(serve, seen)
    assert [model.log_prob([a, 2.0]) for a in (1.0, 3.0)] == [21.0, 23.0]
    assert [_arrays.from_proto(each.theta).tolist() for each in seen] == [[[1.0, 2.0]], [[3.0, 2.0]]]
    assert {each.model for each in seen} == {VERSION}


def test_every_option_reaches_the_server_and_none_stays_for_the_next_point(serve):
    seen = []
    model = _served(serve, seen)
    point = np.array([1.0, 2.0])
    model.log_prob(point, prior_fraction=0.25)
    model.log_prob(point, columns=["b", "a"])
    model.log_prob(point, precision="double")
    model.log_prob(point)
    asked = [(each.prior_fraction, list(each.columns), each.precision) for each in seen]
    assert asked == [(0.25, [], 0), (0.0, ["b", "a"], 0), (0.0, [], 2), (0.0, [], 0)]


def test_one_point_has_an_answer_of_the_form_in_which_it_was_given(serve):
    model = _served(serve)
    value, gradient = model.log_prob_gradient((1.0, 2.0))
    assert type(value) is float and value == 21.0
    np.testing.assert_array_equal(gradient, [1.0, 10.0])
    gradient += 1.0  # memory of its own
    values, gradients = model.log_prob_gradient([[1.0, 2.0]])
    assert values.tolist() == [21.0] and gradients.tolist() == [[1.0, 10.0]]
    assert model.spread([1.0, 2.0]) == 0.5
    assert model.prior_transform([0.25, 0.5]).tolist() == [0.5, 1.0]
    assert model.prior_transform([[0.25, 0.5]]).tolist() == [[0.5, 1.0]]


@pytest.mark.parametrize(
    "point", [np.array([1, 2]), np.array([1, 2], np.float32), np.array([1.0, 0.0, 2.0])[::2], np.array([1, 2], ">f8")]
)
def test_points_of_any_kind_of_numbers_arrive_as_float64(serve, point):
    seen = []
    model = _served(serve, seen)
    assert model.log_prob(point) == 21.0
    assert _arrays.from_proto(seen[0].theta).dtype == np.float64


def test_threads_that_share_a_model_get_their_own_answers(serve):
    model = _served(serve)
    wrong = []

    def ask(a):
        for i in range(50):  # two ways of asking, so that threads replace each other's kept bytes
            fraction = 0.5 if (a + i) % 2 else 0.0
            if model.log_prob([a, float(i)], prior_fraction=fraction) != a + 10.0 * i:
                wrong.append((a, i))

    threads = [threading.Thread(target=ask, args=(float(a),)) for a in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_an_unknown_precision_is_refused(serve):
    model = _served(serve)
    for ask in (model.log_prob, model.prior_transform, model.inverse_prior_transform, model.log_likelihood):
        with pytest.raises(creamery.InvalidArgumentError, match="expected 'single' or 'double'"):
            ask([0.1, 0.2], precision="half")
    with pytest.raises(creamery.InvalidArgumentError, match="'half'"):
        model.sample(3, precision="half")
