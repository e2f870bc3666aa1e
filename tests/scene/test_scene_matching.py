"""Which band of another scene is which of the training's, from what files say of them; no file is read."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mpmm.errors import RunError, SceneError
from mpmm.scene.bands import Band, same_unit, tolerances
from mpmm.scene.matching import match_bands
from mpmm.scene.source_record import SourceRecord


def record(*bands):
    """What is kept of a modality with these bands, which are numbered here."""
    numbered = tuple(replace(band, number=number) for number, band in enumerate(bands, start=1))
    return SourceRecord("hsi", "hsi.tif", "uint16", numbered)


def bands(key, values):
    return [Band(1, **{key: value}) for value in values]


WAVELENGTHS = st.lists(
    st.integers(40, 250).map(lambda tens: 10.0 * tens), min_size=1, max_size=8, unique=True
)


@given(WAVELENGTHS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_any_order_of_wavelengths_is_found_again(wavelengths, chance):
    """Each a little off, by less than half the way to the next, and with other bands among them."""
    ours = bands("wavelength", wavelengths)
    near = dict(zip(wavelengths, tolerances(ours), strict=True))
    moved = [(value + chance.uniform(-0.4, 0.4) * near[value], value) for value in wavelengths]
    shuffled = [*moved, (3000.0, None), (3100.0, None)]
    chance.shuffle(shuffled)
    positions = match_bands(record(*ours), record(*bands("wavelength", [value for value, _ in shuffled])))
    assert [shuffled[position][1] for position in positions] == wavelengths


@given(
    st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=6, unique_by=str.casefold), st.data()
)
@settings(deadline=None)
def test_names_are_found_again_or_refused(names, data):
    ours, shuffled = record(*bands("name", names)), data.draw(st.permutations(names))
    try:
        positions = match_bands(ours, record(*bands("name", shuffled)))
    except SceneError:
        # names that differ in spaces or in letters that fold alike
        keys = [band.key for band in ours.bands]
        assert len(set(keys)) < len(keys)
        return
    assert [Band(1, name=shuffled[position]).key for position in positions] == [
        band.key for band in ours.bands
    ]


@pytest.mark.parametrize(
    ("ours", "theirs", "expected"),
    [
        # letter case and spaces do not count; nor does a band beyond those of the training
        (bands("name", ["Red ", "near  infrared"]), bands("name", ["x", "NEAR INFRARED", "red"]), (2, 1)),
        # a wavelength goes before a name
        (
            [Band(1, "B1", wavelength=500)],
            [Band(1, "B1", wavelength=700), Band(1, "B9", wavelength=501)],
            (1,),
        ),
        # bands of two detectors at one wavelength, told in the same words
        (
            bands("wavelength", [900, 950, 950, 1000]),
            bands("wavelength", [900, 950, 950, 1000]),
            (0, 1, 2, 3),
        ),
        (bands("color", ["red", "green", "blue"]), bands("color", ["blue", "green", "red"]), (2, 1, 0)),
        # nothing is told on either side, or not by the training's files
        (bands("name", [None, None]), bands("name", [None, None]), (0, 1)),
        (bands("name", [None, None]), bands("name", ["red", "green"]), (0, 1)),
        (bands("name", ["Band 1", "Band 2"]), bands("name", [None, None]), (0, 1)),
        (bands("name", ["Band 1", "Band 2"]), bands("name", ["Band 2", "Band 1"]), (1, 0)),
        # a height beside wavelengths, without a name in either
        ([*bands("wavelength", [500, 600]), Band(1)], [*bands("wavelength", [501, 601]), Band(1)], (0, 1, 2)),
    ],
)
def test_bands_that_are_clear(ours, theirs, expected):
    assert match_bands(record(*ours), record(*theirs)) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "problem"),
    [
        (
            bands("name", ["red"]),
            bands("name", ["red", "red"]),
            "trained on red; .* several bands are called so",
        ),
        (
            bands("wavelength", [500, 600]),
            bands("wavelength", [500, 700]),
            "trained on 600 nm; .*has 500 nm, 700",
        ),
        (bands("name", [None] * 3), bands("name", [None] * 2), "gives 2 bands, the network was trained on 3"),
        (bands("name", ["red", "green"]), bands("name", [None, None]), "does not say what its bands are"),
        (bands("wavelength", [500, 501]), bands("wavelength", [500.4, 900]), "is not clear"),
        ([Band(1, "x"), Band(1)], [Band(1), Band(1, "x")], "is not clear"),
        (bands("color", ["red", "green"]), bands("color", ["green", "blue"]), "trained on red"),
    ],
)
def test_bands_that_are_not_clear(ours, theirs, problem):
    with pytest.raises(SceneError, match=problem) as refused:
        match_bands(record(*ours), record(*theirs))
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("unit", "other", "same"),
    [("m", "Metre", True), ("K", "kelvin", True), ("", "K", True), ("K", "degC", False), ("m", "ft", False)],
)
def test_units_in_any_spelling(unit, other, same):
    assert same_unit(unit, other) is same


def test_half_a_bands_width_is_how_far_a_wavelength_may_be_off():
    ours = record(Band(1, wavelength=500, width=30), Band(1, wavelength=540, width=30))
    near = record(*bands("wavelength", [515, 555]))
    assert match_bands(ours, near) == (0, 1)
    with pytest.raises(SceneError, match="trained on 540 nm"):
        match_bands(ours, record(*bands("wavelength", [515, 556])))


def test_a_record_is_read_back_as_it_was_and_a_damaged_one_refused():
    kept = replace(
        record(Band(1, "x", "red", 500.0, 10.0, "K", 2.0, 3.0)), given=(1.0, 0.5), low=(0.1,), high=(7,)
    )
    assert SourceRecord.from_dict(kept.to_dict()) == kept
    for change in ({"bands": 3}, {"bands": [{"wrong": 1}]}, {"pixel": [1]}, {"low": ["x"]}, {"given": 5}):
        with pytest.raises(RunError, match=r"bands\.json"):
            SourceRecord.from_dict({**kept.to_dict(), **change})
    for key, value in (("wavelength", "x"), ("width", -1), ("number", None), ("scale", [1])):
        damaged = {**kept.to_dict(), "bands": [{**kept.to_dict()["bands"][0], key: value}]}
        with pytest.raises(RunError, match=r"bands\.json"):
            SourceRecord.from_dict(damaged)
    for nothing in ({}, [], None):
        with pytest.raises(RunError, match=r"bands\.json"):
            SourceRecord.from_dict(nothing)
