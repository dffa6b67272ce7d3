"""Streams of questions: order, errors of one question, what is on its way at a time. An in-process gRPC fake."""

import itertools
import threading

import creamery
import grpc
import numpy as np
import pytest
from creamery import _arrays
from creamery.v1 import inference_service_pb2
from fake_models import VERSION, get_version, version


def _answer(message):
    """The sum of each row; an error for rows that are not of two numbers; a warning for negative ones."""
    reply = inference_service_pb2.LogProbStreamResponse(id=message.id)
    theta = _arrays.from_proto(message.question.theta)
    if theta.ndim != 2 or theta.shape[1] != 2:
        reply.error.code, reply.error.message = 3, f"theta has shape {theta.shape}, expected (n, 2)"
        return reply
    reply.answer.log_prob.CopyFrom(_arrays.to_proto(theta.sum(axis=1)))
    if message.question.gradient:
        reply.answer.gradient.CopyFrom(_arrays.to_proto(np.ones_like(theta)))
    if (theta < 0).any():
        reply.answer.warnings.append(2)
    return reply


@pytest.fixture
def streamed(serve):
    """Makes a model whose streams are answered by a function of the iterator of questions."""

    def make(stream):
        handler = ("stream_stream", inference_service_pb2.LogProbStreamRequest, stream)
        return serve({**get_version(version()), "InferenceService/LogProbStream": handler}).model("planck/cosmo")

    return make


def _answer_each(seen=None):
    def stream(messages, context):
        for message in messages:
            if seen is not None:
                seen.append(message)
            yield _answer(message)

    return stream


def test_answers_come_in_the_order_and_the_form_of_the_blocks(streamed):
    model = streamed(_answer_each())
    blocks = [[[1.0, 2.0], [3.0, 4.0]], [5.0, 6.0], {"b": [1.0], "other": [0.0], "a": [7.0]}, np.empty((0, 2))]
    answers = list(model.log_prob_stream(blocks))
    assert answers[0].tolist() == [3.0, 7.0] and answers[2].tolist() == [8.0] and answers[3].shape == (0,)
    assert type(answers[1]) is float and answers[1] == 11.0
    (value, gradient), = model.log_prob_stream([[1.0, 2.0]], gradient=True)
    assert value == 3.0 and gradient.tolist() == [1.0, 1.0]


def test_the_first_question_names_the_version_and_all_carry_the_options(streamed):
    seen = []
    model = streamed(_answer_each(seen))
    list(model.log_prob_stream([[[1.0, 2.0]]] * 3, columns=["a", "b"], prior_fraction=0.5, precision="double"))
    assert [each.question.model for each in seen] == [VERSION, "", ""]
    assert {(tuple(each.question.columns), each.question.prior_fraction, each.question.precision) for each in seen} == {
        (("a", "b"), 0.5, 2)
    }


def test_an_error_is_raised_for_its_block_and_the_next_one_is_answered(streamed):
    model = streamed(_answer_each())
    blocks = [[[1.0, 2.0]], [[1.0, 2.0, 3.0]], [["x"]], [[3.0, 4.0]]]
    with model.log_prob_stream(blocks) as answers:
        assert next(answers).tolist() == [3.0]
        with pytest.raises(creamery.InvalidArgumentError, match=r"\(1, 3\)"):
            next(answers)
        with pytest.raises(creamery.InvalidArgumentError, match="not an array of numbers"):
            next(answers)
        assert next(answers).tolist() == [7.0]
        with pytest.raises(StopIteration):
            next(answers)
    kinds = [type(each) for each in model.log_prob_stream(blocks, return_errors=True)]
    assert kinds == [np.ndarray, creamery.InvalidArgumentError, creamery.InvalidArgumentError, np.ndarray]


def test_a_server_that_restarts_is_asked_again_for_what_it_has_not_answered(streamed):
    calls = []

    def stream(messages, context):
        calls.append([])
        for message in messages:
            calls[-1].append(message.question.model)
            if len(calls) < 3 and len(calls[-1]) == 3:
                context.abort(grpc.StatusCode.UNAVAILABLE, "draining")
            yield _answer(message)

    model = streamed(stream)
    answers = list(model.log_prob_stream([[float(i), 0.0]] for i in range(20)))
    assert answers == [float(i) for i in range(20)]
    assert len(calls) == 3 and all(models[0] == VERSION and set(models[1:]) <= {""} for models in calls)


def test_an_endless_iterable_is_taken_only_a_few_blocks_ahead(streamed):
    model = streamed(_answer_each())
    taken = []

    def blocks():
        for i in itertools.count():
            taken.append(i)
            yield [[float(i), 0.0]]

    with model.log_prob_stream(blocks(), in_flight=3) as answers:
        for i in range(100):
            assert next(answers).tolist() == [float(i)]
            assert len(taken) <= i + 3
    with pytest.raises(creamery.CancelledError, match="closed"):
        next(answers)


def test_with_one_in_flight_a_block_may_follow_from_the_last_answer(streamed):
    model = streamed(_answer_each())
    last = [1.0]

    def blocks():
        while last[0] < 100:
            yield [[last[0], last[0]]]

    answers = model.log_prob_stream(blocks(), in_flight=1)
    for answer in answers:
        last[0] = answer[0]
    assert last[0] == 128.0


def test_blocks_and_replies_far_beyond_every_buffer_do_not_block_each_other(streamed):
    """A server that answers nothing before it has read four blocks, each and its answer beyond a window of HTTP/2."""

    def stream(messages, context):
        while True:
            held = list(itertools.islice(messages, 4))
            if not held:
                return
            yield from (_answer(message) for message in held)

    model = streamed(stream)
    block = np.arange(200_000.0).reshape(100_000, 2)
    answers = list(model.log_prob_stream(itertools.repeat(block, 8), in_flight=8))
    assert len(answers) == 8
    for answer in answers:
        np.testing.assert_array_equal(answer, block.sum(axis=1))


def test_a_block_too_big_for_one_message_is_cut_and_its_answer_joined(streamed):
    seen = []
    model = streamed(_answer_each(seen))
    big = np.arange(600_000.0).reshape(300_000, 2)
    with model.log_prob_stream([big, [[1.0, 2.0]]]) as answers:
        np.testing.assert_array_equal(next(answers), big.sum(axis=1))
        assert next(answers).tolist() == [3.0]
    assert len(seen) > 2 and max(len(each.question.theta.data) for each in seen) <= 2 << 20
    big[250_001, 1] = np.nan
    with pytest.raises(creamery.InvalidArgumentError, match="theta row 250001"):
        next(model.log_prob_stream([big]))


def test_each_reason_for_care_is_said_once_for_the_whole_stream(streamed):
    model = streamed(_answer_each())
    with pytest.warns(creamery.CreameryWarning) as caught:
        assert len(list(model.log_prob_stream([[[-1.0, 0.0]]] * 5))) == 5
    assert len(caught) == 1


def test_a_broken_connection_is_raised_and_the_stream_is_over(streamed):
    def stream(messages, context):
        yield _answer(next(messages))
        context.abort(grpc.StatusCode.DATA_LOSS, "bad bytes")

    answers = streamed(stream).log_prob_stream([[[1.0, 2.0]]] * 100)
    assert next(answers).tolist() == [3.0]
    for _ in range(2):
        with pytest.raises(creamery.DataLossError, match="bad bytes"):
            next(answers)


def test_a_server_that_ends_the_stream_early_is_an_error(streamed):
    def stream(messages, context):
        yield _answer(next(messages))

    answers = streamed(stream).log_prob_stream([[[1.0, 2.0]]] * 2)
    next(answers)
    with pytest.raises(creamery.InternalError, match="before its last answer"):
        next(answers)


def test_leaving_early_ends_the_call_and_its_threads(streamed):
    ended = threading.Event()

    def stream(messages, context):
        context.add_callback(ended.set)
        for message in messages:
            yield _answer(message)

    with streamed(stream).log_prob_stream(itertools.repeat([[1.0, 2.0]])) as answers:
        next(answers)
    assert ended.wait(10)
    for thread in threading.enumerate():
        if thread.name == "creamery-replies":
            thread.join(10)
            assert not thread.is_alive()


def test_an_exception_of_the_iterable_is_the_callers_and_earlier_blocks_are_still_answered(streamed):
    def blocks():
        yield [[1.0, 2.0]]
        raise KeyError("mine")

    answers = streamed(_answer_each()).log_prob_stream(blocks())
    with pytest.raises(KeyError, match="mine"):
        next(answers)
    assert next(answers).tolist() == [3.0]
    with pytest.raises(StopIteration):
        next(answers)
