import inspect

import creamery
import pytest
from creamery import _priors, _specs
from creamery.v1 import estimator_spec_pb2


def test_every_family_of_the_descriptor_is_a_class():
    families = [field.name for field in estimator_spec_pb2.EstimatorSpec.DESCRIPTOR.oneofs_by_name["family"].fields]
    assert "maf" in families and "nsf" in families
    for family in families:
        assert getattr(creamery, family.upper()).family == family


def test_keywords_are_the_options_of_family_training_and_maps():
    assert creamery.NSF.options() == [
        "transforms",
        "hidden_units",
        "bins",
        "members",
        "seed",
        "learning_rate",
        "batch_size",
        "max_epochs",
        "patience",
        "clip_norm",
        "answer",
        "parameter_maps",
    ]
    assert list(inspect.signature(creamery.NSF).parameters) == creamery.NSF.options()


def test_options_reach_the_message():
    spec = creamery.MAF(
        transforms=8, hidden_units=[64, 32], members=3, seed=7, learning_rate=0.01, parameter_maps={"a": "box_spline"}
    )
    assert spec.proto.maf.transforms == 8
    assert list(spec.proto.maf.hidden_units) == [64, 32]
    assert (spec.proto.training.members, spec.proto.training.seed) == (3, 7)
    assert spec.proto.training.learning_rate == 0.01
    assert spec.proto.parameter_maps["a"] == estimator_spec_pb2.BOX_SPLINE
    assert repr(spec) == (
        "MAF(transforms=8, hidden_units=[64, 32], members=3, seed=7, learning_rate=0.01, "
        "parameter_maps={'a': 'box_spline'})"
    )


def test_choices_are_words_and_blocks_are_lists():
    spec = creamery.BLOCKS(blocks=[["a", "b"], "c d"], answer="member_mixture")
    assert list(spec.proto.blocks.blocks) == ["a b", "c d"]
    assert spec.to_dict() == {"blocks": ["a b", "c d"], "answer": "member_mixture"}
    assert list(creamery.AUTO(candidates=["maf", "nsf"]).proto.auto.candidates) == ["maf", "nsf"]
    with pytest.raises(
        creamery.InvalidArgumentError, match="answer is 'all', expected 'best_member' or 'member_mixture'"
    ):
        creamery.MAF(answer="all")
    with pytest.raises(creamery.InvalidArgumentError, match="candidates is 'maf', expected list of str"):
        creamery.AUTO(candidates="maf")


def test_what_is_not_given_is_not_sent():
    assert creamery.MAF().proto.WhichOneof("family") == "maf"
    assert not creamery.MAF(members=None).proto.HasField("training")


def test_a_spec_comes_back_from_its_message():
    spec = creamery.NSF(bins=4, seed=0)
    assert _specs.EstimatorSpec.from_proto(spec.proto) == spec
    assert creamery.NSF(bins=4) != spec


def test_an_unknown_option_is_an_error_that_lists_the_right_ones():
    with pytest.raises(
        TypeError, match="MAF has no option 'transform'; its options are transforms, hidden_units"
    ) as raised:
        creamery.MAF(transform=3)
    assert isinstance(raised.value, creamery.InvalidArgumentError)


@pytest.mark.parametrize(
    "option, value", [("transforms", "six"), ("transforms", 2**40), ("hidden_units", 50), ("learning_rate", [1])]
)
def test_a_value_of_the_wrong_type_names_its_option(option, value):
    with pytest.raises(creamery.InvalidArgumentError, match=f"MAF option {option} is"):
        creamery.MAF(**{option: value})


def test_an_unknown_map_lists_the_right_ones():
    with pytest.raises(ValueError, match=r"parameter_maps\['a'\] is 'cubic', expected one of unbounded, probit"):
        creamery.MAF(parameter_maps={"a": "cubic"})


@pytest.mark.parametrize(
    "given, expected",
    [
        (creamery.Uniform(0, 1), creamery.Uniform(0, 1)),
        ("uniform(0,1)", creamery.Uniform(0, 1)),
        (" Normal( -1.5 , 2e-3 ) ", creamery.Normal(-1.5, 0.002)),
        ("log_uniform(1e-3, 1)", creamery.LogUniform(0.001, 1)),
        (("normal", 0, 1), creamery.Normal(0, 1)),
        ((0.1, 0.9), creamery.Uniform(0.1, 0.9)),
    ],
)
def test_priors_are_read_as_people_write_them(given, expected):
    assert _priors.parse(given) == expected
    assert _priors.from_proto(_priors.to_proto(given)) == expected


@pytest.mark.parametrize(
    "wrong", ["uniform", "uniform(0)", "cauchy(0,1)", "uniform(a,b)", ("beta", 1, 2), (1,), 3, None]
)
def test_what_is_no_prior_is_an_error_that_shows_the_forms(wrong):
    with pytest.raises(creamery.InvalidArgumentError, match=r"expected uniform\(lower,upper\)"):
        _priors.parse(wrong)
