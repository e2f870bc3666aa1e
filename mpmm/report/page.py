"""Puts a page together: templates, style, script and the chart library become one file without links."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bokeh.plotting import figure
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mpmm._version import __version__
from mpmm.report.charts import embedded, library
from mpmm.results import write_whole

_TEMPLATES = Environment(
    loader=PackageLoader("mpmm.report", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def write_page(
    path: Path,
    template: str,
    contents: Sequence[tuple[str, str]],
    charts: Mapping[str, figure],
    values: Mapping[str, Any],
) -> None:
    """Render a page and write it, whole or not at all.

    Parameters
    ----------
    path
        The HTML file.
    template
        Name of a file beside this one, such as "run.html".
    contents
        Sections by their ids, with their headings.
    charts
        By the names under which the template shows them; without any the chart library is left out.
    values
        What else the template takes; `title` and `origin` are among it.
    """
    drawings, elements = embedded(charts)
    page = _TEMPLATES.get_template(template).render(
        version=__version__,
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(_source("style.css")),
        script=Markup(_source("script.js")),
        library=Markup(packed(library()) if charts else ""),
        drawings=Markup(packed(drawings)),
        charts=_Elements({name: Markup(element) for name, element in elements.items()}),
        contents=contents,
        **values,
    )
    write_whole(path, page.encode("utf-8", errors="backslashreplace"))


def packed(text: str) -> str:
    """A script as gzip in base64, a third of its length, which the page's own script unpacks."""
    # the time of writing is left out: the same run has the same page
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii") if text else ""


def data_url(content: bytes, kind: str) -> str:
    """A picture as an address that holds it: kind is "png" or "jpeg"."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


class _Elements(dict[str, Markup]):
    """Charts by name; one that there is not is an empty text, which a template can ask for."""

    def __missing__(self, name: str) -> Markup:
        return Markup()


def _source(name: str) -> str:
    assert _TEMPLATES.loader is not None, "the templates lie beside this file"
    return _TEMPLATES.loader.get_source(_TEMPLATES, name)[0]
