import pytest

from creamery import InvalidArgumentError, _names


@pytest.mark.parametrize(
    "typed, full",
    [
        ("planck/cosmo", "projects/planck/models/cosmo"),
        ("planck/cosmo@latest", "projects/planck/models/cosmo"),
        ("planck/cosmo@3", "projects/planck/models/cosmo/versions/3"),
        ("planck/cosmo@production", "projects/planck/models/cosmo/versions/production"),
        ("projects/planck/models/cosmo/versions/3", "projects/planck/models/cosmo/versions/3"),
    ],
)
def test_a_typed_version_becomes_a_full_name(typed, full):
    assert _names.version(typed) == full


def test_datasets_and_jobs_take_typed_and_full_names():
    assert _names.dataset("planck/chain") == "projects/planck/datasets/chain"
    assert _names.dataset("projects/planck/datasets/chain") == "projects/planck/datasets/chain"
    assert _names.job("planck/4f1c") == "projects/planck/jobs/4f1c"
    assert _names.job("projects/planck/jobs/4f1c") == "projects/planck/jobs/4f1c"


@pytest.mark.parametrize(
    "wrong", ["", "planck", "planck/", "planck/a/b", "planck/.hidden", "planck/a@", "p/" + "a" * 64]
)
def test_a_wrong_name_is_an_error_that_shows_it_and_the_right_form(wrong):
    with pytest.raises(InvalidArgumentError, match="expected PROJECT/MODEL") as raised:
        _names.version(wrong)
    assert repr(wrong) in str(raised.value)


def test_a_dataset_has_no_version():
    with pytest.raises(ValueError, match="expected PROJECT/DATASET"):
        _names.dataset("planck/chain@3")


def test_a_full_name_has_a_short_form():
    assert _names.short("projects/planck/models/cosmo/versions/3") == "planck/cosmo@3"
    assert _names.short("projects/planck/datasets/chain") == "planck/chain"
