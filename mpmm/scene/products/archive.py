"""The files of a product as it is delivered: a folder, or a zip archive of it."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from xml.etree import ElementTree

from mpmm.errors import SceneError


@dataclass(frozen=True)
class Archive:
    """A product's folder, its zip archive, or one of the files that lie in its folder."""

    path: Path

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Files by their names from the folder or archive on, in order."""
        if self._is_zip:
            with zipfile.ZipFile(self.path) as archive:
                return tuple(sorted(name for name in archive.namelist() if not name.endswith("/")))
        folder = self._folder
        return tuple(sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()))

    def only(self, pattern: str, title: str) -> str:
        """Name of the file that a regular expression finds at the end of its name, in any letter case.

        Raises
        ------
        SceneError
            There is none, or several.
        """
        names = self.matching(pattern)
        if len(names) != 1:
            number = f"{len(names)} files" if names else "no file"
            raise SceneError(
                f"{self.path} has {number} of its {title}",
                "name the folder of one product as it was unpacked, or its zip archive",
            )
        return names[0]

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Names of the files that a regular expression finds at the end of their names."""
        return tuple(name for name in self.names if re.search(rf"{pattern}$", name, re.IGNORECASE))

    def xml(self, name: str) -> ElementTree.Element:
        """The root of an XML file."""
        if not self._is_zip:
            return ElementTree.parse(self._folder / name).getroot()
        with zipfile.ZipFile(self.path) as archive:
            return ElementTree.fromstring(archive.read(name))

    def gdal_name(self, name: str) -> str:
        """A file's name as GDAL opens it."""
        return f"/vsizip/{{{self.path}}}/{name}" if self._is_zip else str(self._folder / name)

    def files(self, *names: str) -> tuple[Path, ...]:
        """The files on disk that these names lie in."""
        return (self.path,) if self._is_zip else tuple(self._folder / name for name in names)

    @property
    def _is_zip(self) -> bool:
        return self.path.is_file() and zipfile.is_zipfile(self.path)

    @property
    def _folder(self) -> Path:
        return self.path if self.path.is_dir() else self.path.parent
