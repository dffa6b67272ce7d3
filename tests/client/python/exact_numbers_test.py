"""Numbers of every type arrive as what they are, and those that cannot are refused."""

import decimal
import fractions

import creamery
import numpy as np
import pytest
from conftest import gaussian_rows
from creamery import InvalidArgumentError, _arrays

ROWS = np.arange(6.0).reshape(3, 2)
BEYOND = 2**53 + 1  # the first integer that float64 does not hold


@pytest.mark.parametrize(
    "given",
    [
        ROWS.astype("f2"),
        ROWS.astype(">f8"),
        ROWS.astype(np.longdouble),
        ROWS.astype("i1"),
        ROWS.astype("u8"),
        ROWS.astype(object),
        ROWS.astype(int).astype(object),
        np.asfortranarray(ROWS),
        np.repeat(ROWS, 2, axis=0)[::2],
        np.ma.array(ROWS),
        np.ma.array(ROWS, mask=np.zeros((3, 2))),
        ROWS.tolist(),
        tuple(map(tuple, ROWS)),
        [np.ma.array(row) for row in ROWS],
        [[fractions.Fraction(int(each)) for each in row] for row in ROWS],
        [[decimal.Decimal(int(each)) for each in row] for row in ROWS],
    ],
)
def test_numbers_of_any_type_and_order_have_the_same_values(given):
    found = _arrays.floats("theta", given)
    assert found.dtype == np.float64 and found.flags.c_contiguous
    np.testing.assert_array_equal(found, ROWS)


def test_a_memory_map_is_an_array(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    np.testing.assert_array_equal(_arrays.floats("theta", np.load(tmp_path / "rows.npy", mmap_mode="r")), ROWS)


@pytest.mark.parametrize("shape", [(), (0,), (0, 2)])
def test_arrays_without_axes_or_rows_keep_their_shape(shape):
    assert _arrays.floats("theta", np.zeros(shape, dtype=int)).shape == shape


def test_bools_are_zero_and_one():
    np.testing.assert_array_equal(_arrays.floats("weights", [True, False]), [1.0, 0.0])


@pytest.mark.parametrize(
    "given, said",
    [
        (np.array([1, BEYOND]), str(BEYOND)),
        (np.array([1, 2**64 - 1], dtype="u8"), str(2**64 - 1)),
        ([BEYOND, object], "<class 'object'> at "),
        ([2**70 + 1], str(2**70 + 1)),
        (np.ma.array([1.0, 2.0], mask=[False, True]), r"masked at 1 of 2 entries, the first at \(1,\)"),
        ([np.ma.array([1.0, 2.0], mask=[False, True])] * 2, "masked at 2 of 4"),
        ([1 + 0j], "complex"),
        (np.array(["2020-01-01"], "M8[D]"), "datetime64"),
        (np.array([1, 2], "m8[s]"), "timedelta64"),
        (np.array([np.timedelta64(1, "s"), 1], dtype=object), "timedelta64"),
        (["1.5"], "dtype is <U3"),
        ([b"1.5"], "dtype is |S3"),
        ([None, 1.0], r"None at \(0,\)"),
        (None, "theta is None"),
        ({1.0, 2.0}, r"theta is \{1.0, 2.0\}"),
        ([[1, 2], [3]], "theta is not an array of numbers"),
        (np.zeros(2, dtype="V8"), "dtype is |V8"),
    ],
)
def test_what_would_be_changed_is_refused_and_said(given, said):
    with pytest.raises(InvalidArgumentError, match=said):
        _arrays.floats("theta", given)


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(float).max, reason="no wider float here")
def test_a_wider_float_is_rounded_and_refused_where_there_is_none():
    third = np.longdouble(1) / 3
    assert _arrays.floats("theta", np.array([third]))[0] == 1 / 3
    for lost in ("1e400", "1e-400"):
        with pytest.raises(InvalidArgumentError, match="out of the range of float64"):
            _arrays.floats("theta", np.array([np.longdouble(lost)]))
    assert np.isinf(_arrays.floats("theta", np.array([np.longdouble("-inf")]))[0])


@pytest.mark.parametrize("given", [[BEYOND], np.array([BEYOND]), np.array([BEYOND], "u8"), [np.int64(BEYOND)]])
def test_chain_ids_are_exact_to_the_last(given):
    assert _arrays.integers("chain", given).tolist() == [BEYOND]


@pytest.mark.parametrize(
    "given", [[1e19], [2**63], np.array([2**64 - 1], "u8"), [-1e19], [float("nan")], [1j], [2**70], ["1"]]
)
def test_chain_ids_beyond_int64_are_refused(given):
    with pytest.raises(InvalidArgumentError, match="chain (has|is)"):
        _arrays.integers("chain", given)


def test_columns_are_taken_by_name_from_any_kind_of_table():
    records = np.array([(1.0, 3), (2.0, 4)], dtype=[("b", "f8"), ("a", "i4")])
    for given in (records, records.view(np.recarray), {"b": [1, 2], "a": [3, 4]}):
        np.testing.assert_array_equal(_arrays.table(given, ["a", "b"]).theta, [[3, 1], [4, 2]])
    np.testing.assert_array_equal(_arrays.table(records[0], ["a", "b"]).theta, [3, 1])


def test_a_series_is_one_point_by_name_and_numbers_where_it_has_none():
    pandas = pytest.importorskip("pandas")
    series = pandas.Series({"b": 1.0, "a": 2.0})
    np.testing.assert_array_equal(_arrays.table(series, ["a", "b"]).theta, [2.0, 1.0])
    assert _arrays.table(pandas.Series([1.0, 2.0]), ["a", "b"]).columns is None


def test_frames_have_one_name_for_each_column():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS, columns=["b", "a"])
    np.testing.assert_array_equal(_arrays.table(frame, ["a", "b"]).theta, ROWS[:, ::-1])
    assert _arrays.table(pandas.DataFrame(ROWS)).columns is None  # it counts its columns, it does not name them
    with pytest.raises(InvalidArgumentError, match="2 columns named 'a'"):
        _arrays.table(pandas.DataFrame(ROWS, columns=["a", "a"]))
    with pytest.raises(InvalidArgumentError, match=r"column named \('a', 'x'\), expected a text"):
        _arrays.table(pandas.DataFrame(ROWS, columns=pandas.MultiIndex.from_tuples([("a", "x"), ("a", "y")])))
    with pytest.raises(InvalidArgumentError, match="column named 7"):
        _arrays.table(pandas.DataFrame(ROWS, columns=["a", 7]))
    missing = pandas.DataFrame({"a": pandas.array([1, None], dtype="Int64")})
    assert np.isnan(_arrays.table(missing).theta[1, 0])  # which no method takes


@pytest.mark.server
def test_samples_of_other_packages_are_points(model):
    rows = gaussian_rows(20)
    expected = model.log_prob(rows)
    getdist, anesthetic = pytest.importorskip("getdist"), pytest.importorskip("anesthetic")
    swapped, names = rows[:, ::-1], ["sigma8", "omegam"]
    samples = getdist.MCSamples(samples=swapped, names=names, labels=names, weights=np.ones(20))
    np.testing.assert_array_equal(model.log_prob(samples), expected)
    frame = anesthetic.MCMCSamples(data=swapped, columns=names, labels=["$a$", "$b$"], weights=np.ones(20))
    np.testing.assert_array_equal(model.log_prob(frame), expected)
    assert model.log_prob(frame.iloc[3]) == pytest.approx(expected[3], abs=1e-4)
    np.testing.assert_array_equal(
        model.log_prob(model.sample(5, seed=1, as_="getdist")), model.log_prob(model.sample(5, seed=1))
    )


@pytest.mark.server
def test_an_upload_keeps_every_bit(client):
    ids = np.array([BEYOND, -(2**63), 2**63 - 1])
    theta = np.array([[1 / 3, 2.0**60], [np.nextafter(1, 2), 5e-324], [-0.0, 1.7e308]])
    client.datasets.upload("exact/bits", theta, ["a", "b"], chain=ids)
    back = client.datasets.download("exact/bits")
    assert back["theta"].tobytes() == theta.tobytes() and back["chain"].tolist() == ids.tolist()


@pytest.mark.server
def test_births_from_the_prior_may_be_written_as_nan(client):
    log_l = np.arange(4.0)
    client.datasets.upload(
        "exact/births",
        ROWS[:2].repeat(2, 0),
        ["a", "b"],
        log_likelihood=log_l,
        log_likelihood_birth=[np.nan, -np.inf, 0, 1],
    )
    assert client.datasets.download("exact/births")["log_likelihood_birth"].tolist() == [-np.inf, -np.inf, 0, 1]


@pytest.mark.server
def test_names_that_were_left_away_stay_with_the_dataset_and_its_models(client):
    rows = np.column_stack([gaussian_rows(300), np.arange(300.0)])
    chains = creamery.Chains(rows, ("omegam", "sigma8", "A_planck"), "independent").assign(S8=rows[:, 0])
    dataset = client.datasets.upload_chains("exact/marginal", chains, ["omegam", "S8"])
    assert dataset.marginalised == ["sigma8", "A_planck"] == client.datasets.get("exact/marginal").marginalised
    model = client.train("exact/cosmo", dataset, creamery.KDE(seed=1), ["omegam"]).result(timeout=60)
    assert model.marginalised == ["sigma8", "A_planck"]
    with pytest.raises(InvalidArgumentError, match="marginalised has a, which theta has too"):
        client.datasets.upload("exact/other", ROWS, ["a", "b"], marginalised=["a"])
