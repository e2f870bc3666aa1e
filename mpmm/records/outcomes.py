"""What an experiment came to, as it is kept in a comparison's folder: words, tables as CSV, curves as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mpmm.errors import RunError
from mpmm.results import read_json, write_json, write_whole

FILE = "outcome.json"
FOLDER = "experiments"


@dataclass(frozen=True)
class OutcomeTable:
    """A table: its name (also of its CSV file), its title, and cells as text."""

    name: str
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Curve:
    """One line of a figure: its name and its points."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]


def curve_looks(names: Sequence[str]) -> list[tuple[int, int]]:
    """Numbers of each curve's colour and dash: "both, training" and "both, validation" share a colour.

    Curves whose names have one part each differ in both.
    """
    firsts = [name.partition(", ")[0] for name in names]
    colors = list(dict.fromkeys(firsts))
    alone = len(colors) == len(names)
    return [
        (colors.index(first), number if alone else firsts[:number].count(first))
        for number, first in enumerate(firsts)
    ]


@dataclass(frozen=True)
class OutcomeFigure:
    """A figure: its name (also of its CSV and PNG), title, what stands at its axes, and its curves."""

    name: str
    title: str
    across: str
    up: str
    curves: tuple[Curve, ...]


@dataclass(frozen=True)
class Outcome:
    """What an experiment came to.

    Attributes
    ----------
    name, title
        By which it is asked for, and which of the paper's tables and figures it repeats.
    words
        How it agrees with the paper and where not, and why: sentences.
    tables, figures
        Numbers, all read from the runs' own files.
    runs
        Names of the run folders that it read, in the comparison's folder.
    """

    name: str
    title: str
    words: tuple[str, ...]
    tables: tuple[OutcomeTable, ...]
    figures: tuple[OutcomeFigure, ...]
    runs: tuple[str, ...]


def keep_outcome(folder: Path, outcome: Outcome) -> Path:
    """Write an outcome below a comparison's folder: `outcome.json`, and each table and figure as CSV.

    Returns
    -------
    Path
        The folder of the experiment.
    """
    own = outcome_folder(folder, outcome.name)
    own.mkdir(parents=True, exist_ok=True)
    for table in outcome.tables:
        _write_csv(own / f"{table.name}.csv", table.columns, table.rows)
    for figure in outcome.figures:
        points = [
            (curve.name, x, y) for curve in figure.curves for x, y in zip(curve.x, curve.y, strict=True)
        ]
        _write_csv(own / f"{figure.name}.csv", ("curve", figure.across, figure.up), points)
    plain = {
        "title": outcome.title,
        "words": list(outcome.words),
        "runs": list(outcome.runs),
        "tables": [{"name": table.name, "title": table.title} for table in outcome.tables],
        "figures": [
            {"name": figure.name, "title": figure.title, "curves": [curve.name for curve in figure.curves]}
            for figure in outcome.figures
        ],
    }
    write_json(own / FILE, plain)
    return own


def outcome_folder(folder: Path, name: str) -> Path:
    """Where an experiment's files are, in a comparison's folder."""
    return folder / FOLDER / name


def read_outcomes(folder: Path) -> tuple[Outcome, ...]:
    """Read all outcomes of a comparison's folder, in the order of their names; tables come from the CSVs.

    Raises
    ------
    RunError
        A file is missing or damaged.
    """
    return tuple(read_outcome(path.parent) for path in sorted((folder / FOLDER).glob(f"*/{FILE}")))


def read_outcome(own: Path) -> Outcome:
    """Read one experiment's outcome from its folder."""
    plain = read_json(own / FILE)
    try:
        return Outcome(
            name=own.name,
            title=str(plain["title"]),
            words=tuple(plain["words"]),
            tables=tuple(_table(own, each) for each in plain["tables"]),
            figures=tuple(_figure(own, each) for each in plain["figures"]),
            runs=tuple(plain["runs"]),
        )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise RunError(
            f"{own}: not as `mpmm compare` writes it: {error!r}", "run the comparison again"
        ) from error


def is_comparison(folder: Path) -> bool:
    """Whether a folder is one of `mpmm compare`."""
    return (folder / FOLDER).is_dir()


def _table(own: Path, plain: Mapping[str, Any]) -> OutcomeTable:
    columns, *rows = _read_csv(own / f"{plain['name']}.csv")
    return OutcomeTable(plain["name"], plain["title"], columns, tuple(rows))


def _figure(own: Path, plain: Mapping[str, Any]) -> OutcomeFigure:
    (_, across, up), *rows = _read_csv(own / f"{plain['name']}.csv")
    curves = []
    for name in plain["curves"]:
        points = [(float(x), float(y)) for curve, x, y in rows if curve == name]
        curves.append(Curve(name, tuple(x for x, _ in points), tuple(y for _, y in points)))
    return OutcomeFigure(plain["name"], plain["title"], across, up, tuple(curves))


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_whole(path, text.getvalue().encode())


def _read_csv(path: Path) -> list[tuple[str, ...]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [tuple(row) for row in csv.reader(file)]
