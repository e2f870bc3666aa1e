"""Code that the standard library writes for classes: compiled once, and read from then on."""

import collections
import dataclasses
import os

import pytest
from mpmm_kernels.runtime import written_code, written_code_kept


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache of the test's own."""
    monkeypatch.setenv("MPMM_KERNEL_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def compiled_texts(monkeypatch):
    """What is compiled, text by text."""
    texts = []
    monkeypatch.setattr(
        written_code, "compile", lambda *text: texts.append(text[0]) or compile(*text), raising=False
    )
    return texts


def make(*, fields=("width", "height")):
    """A frozen dataclass and a named tuple, as a program's modules have them."""
    extent = dataclasses.make_dataclass("Extent", fields, frozen=True, order=True)
    return extent, collections.namedtuple("Corner", fields)


def file_in(folder):
    (path,) = folder.iterdir()
    return path


def test_classes_are_as_ever_and_their_code_is_compiled_once(folder, compiled_texts):
    made = []
    for _ in range(3):
        with written_code_kept():
            made.append(make())
        before = len(compiled_texts)
    assert before == len(set(compiled_texts)) > 7
    with written_code_kept():
        make()
    assert len(compiled_texts) == before
    assert file_in(folder).stat().st_mode & 0o777 == 0o600
    for extent, corner in made:
        assert extent(3, 4) == extent(width=3, height=4) < extent(3, 5)
        assert str(extent(3, 4)) == "Extent(width=3, height=4)"
        assert {extent(3, 4)} == {extent(3, 4)}
        with pytest.raises(dataclasses.FrozenInstanceError):
            extent(3, 4).width = 5
        assert corner(1, 2) == (1, 2)
        assert corner(width=1, height=2).height == 2
        with pytest.raises(TypeError):
            corner(1)


def test_processes_keep_what_others_have_compiled_meanwhile(compiled_texts):
    with written_code_kept():
        make(fields=("a", "b"))
        with written_code_kept():
            make(fields=("c", "d"))
    compiled_texts.clear()
    with written_code_kept():
        make(fields=("a", "b"))
        make(fields=("c", "d"))
    assert not compiled_texts


@pytest.mark.parametrize("damage", [b"", b"\0\0\0\0", b"wrong check, and no code behind"])
def test_a_damaged_file_is_made_anew(folder, damage, compiled_texts):
    with written_code_kept():
        make()
    whole = file_in(folder).read_bytes()
    file_in(folder).write_bytes(damage)
    compiled_texts.clear()
    with written_code_kept():
        make()
    assert compiled_texts
    assert file_in(folder).read_bytes()[:4] == whole[:4]


def test_another_users_file_is_not_run(folder, compiled_texts, monkeypatch):
    with written_code_kept():
        make()
    compiled_texts.clear()
    about, mine = os.fstat, os.getuid()

    def of_another(number):
        """A file's owner, who is somebody else."""
        return os.stat_result([*about(number)[:4], mine + 1, *about(number)[5:]])

    monkeypatch.setattr(written_code.os, "fstat", of_another)
    with written_code_kept():
        make()
    assert compiled_texts


def test_a_file_of_too_many_texts_begins_anew(compiled_texts, monkeypatch):
    with written_code_kept():
        make()
    compiled_texts.clear()
    monkeypatch.setattr(written_code, "_MOST", 3)
    with written_code_kept():
        make()
    assert compiled_texts


def test_without_a_folder_or_room_on_the_disk_all_is_compiled(folder, monkeypatch):
    full = OSError(28, "No space left on device")
    monkeypatch.setattr(written_code.os, "replace", lambda *_: (_ for _ in ()).throw(full))
    with written_code_kept():
        assert make()[0](1, 2).width == 1
    assert not [*folder.iterdir()]
    monkeypatch.setattr(written_code, "usable", lambda _: False)
    with written_code_kept():
        assert make()[0](1, 2).width == 1
    assert not [*folder.iterdir()]


def test_modules_are_left_as_they_were():
    for error in (None, KeyError):
        try:
            with written_code_kept():
                assert "exec" in vars(dataclasses)
                assert "eval" in vars(collections)
                if error:
                    raise error
        except KeyError:
            pass
        assert "exec" not in vars(dataclasses)
        assert "eval" not in vars(collections)
