"""A run's report in a real browser: it draws, answers, asks no network, and is open to everyone.

Skipped where there is no Chromium: `apt-get install chromium`, or the path of one in MPMM_CHROMIUM.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from report_runs import class_map, whole_run

from mpmm.pictures import draw_curves
from mpmm.records import Curve, Outcome, OutcomeFigure, OutcomeTable, keep_outcome, read_record
from mpmm.report import write_comparison_report, write_run_report

CHROMIUM = os.environ.get("MPMM_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (390, 820, 1440)
# all charts have something in them, and none is still at work
DRAWN = """() => [...document.querySelectorAll(".plot")].every((plot) => plot.childElementCount)
    && window.Bokeh && Bokeh.documents.every((each) => each.is_idle)"""
# the browser is idle once, for the first screen, and never again
BUSY = """const idle = requestIdleCallback; let calls = 0;
    window.requestIdleCallback = (work) => { if (calls++ === 0) idle(work); };"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def page_file(tmp_path_factory, config) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    run = whole_run(folder / "run", config)
    write_run_report(folder / "run.html", read_record(run), class_map(folder / "ground.tif", run, config))
    return folder / "run.html"


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@contextmanager
def opened(browser, file: Path, width: int = 1440, scheme: str = "light", **more: object) -> Iterator[object]:
    """The page, loaded and drawn; anything on its console or any request but for itself fails the test."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, reduced_motion="reduce", **more
    )
    page = context.new_page()
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text) if message.type != "debug" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.wait_for_function(DRAWN)
    yield page
    context.close()
    assert [text for text in said if "BokehJS" not in text and "[bokeh" not in text] == []
    assert [url for url in asked if not url.startswith("data:") and url != file.as_uri()] == []


@pytest.fixture(scope="module")
def page(browser, page_file):
    with opened(browser, page_file) as shown:
        yield shown


def test_every_picture_and_every_chart_is_there(page):
    for image in page.locator("img").all():
        assert image.evaluate("image => image.complete && image.naturalWidth > 0")
    assert page.locator(".chart").count() == 7
    for chart in page.locator(".chart").all():
        chart.scroll_into_view_if_needed()
        assert chart.locator("canvas").first.bounding_box()["height"] > 150


def test_a_chart_is_drawn_where_it_comes_into_view_and_all_of_a_page_that_is_printed(browser, page_file):
    context = browser.new_context(viewport={"width": 390, "height": 600}, reduced_motion="reduce")
    shown = context.new_page()
    shown.add_init_script(BUSY)
    shown.goto(page_file.as_uri(), wait_until="commit")
    for first in (shown.locator("h1"), shown.get_by_text("Overall accuracy").first):
        assert first.is_visible()
    shown.wait_for_function("() => window.Bokeh")
    undrawn = "() => [...document.querySelectorAll('.plot')].filter((plot) => !plot.childElementCount).length"
    assert shown.evaluate(undrawn) >= 4
    last = shown.locator(".plot").last
    last.scroll_into_view_if_needed()
    last.locator("canvas").first.wait_for()
    shown.evaluate("scrollTo(0, 0)")
    assert shown.evaluate(undrawn) >= 2
    shown.pdf()
    shown.wait_for_function(DRAWN)
    context.close()


def test_the_class_under_the_pointer_is_read_out(page, config):
    from mpmm.settings import load_config

    classes = load_config(config).scene.labels.classes
    stage = page.locator(".stage")
    stage.scroll_into_view_if_needed()
    rows, columns = (
        int(page.locator(".viewer").get_attribute(f"data-{name}")) for name in ("rows", "columns")
    )
    box = stage.bounding_box()
    row, column = rows // 2, columns // 3
    page.mouse.move(
        box["x"] + (column + 0.5) / columns * box["width"], box["y"] + (row + 0.5) / rows * box["height"]
    )
    name = classes[column % len(classes)].name
    assert (
        page.locator(".readout").inner_text().startswith(f"Row {row}, column {column}: map: {name}; label: ")
    )
    assert name in page.locator(".ground .here").inner_text()


def test_layers_blend_and_curtain(page):
    layers = {name: page.locator(f'.layer[data-layer="{name}"]') for name in ("map", "labels", "patches")}
    page.get_by_role("radio", name="labels").check()
    assert not layers["map"].is_visible()
    assert layers["labels"].is_visible()
    page.locator(".blend").fill("25")
    assert layers["labels"].evaluate("image => getComputedStyle(image).opacity") == "0.25"
    page.locator(".curtain").check()
    assert layers["labels"].evaluate("image => image.style.clipPath") == "inset(0px 0px 0px 75%)"
    page.locator(".curtain").uncheck()
    page.get_by_role("radio", name="map").check()
    assert layers["map"].is_visible()


def test_zoom_by_buttons_keys_and_wheel(page):
    scale = "sheet => new DOMMatrix(getComputedStyle(sheet).transform).a"
    sheet, stage = page.locator(".sheet"), page.locator(".stage")
    page.get_by_role("button", name="Zoom in").click()
    assert sheet.evaluate(scale) == pytest.approx(1.6)
    page.get_by_role("button", name="whole scene").click()
    assert sheet.evaluate(scale) == 1
    stage.focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowRight")
    assert sheet.evaluate(scale) == pytest.approx(1.6)
    assert page.locator(".readout").inner_text().startswith("Row ")
    page.mouse.move(*(stage.bounding_box()[side] + 30 for side in ("x", "y")))
    page.mouse.wheel(0, -400)
    page.wait_for_function(f"() => ({scale})(document.querySelector('.sheet')) > 3")
    page.keyboard.press("0")
    assert sheet.evaluate(scale) == 1


def test_the_page_scrolls_over_a_map_that_nobody_chose(page):
    stage = page.locator(".stage")
    page.locator("h1").click()
    stage.scroll_into_view_if_needed()
    before = page.evaluate("scrollY")
    page.mouse.move(*(stage.bounding_box()[side] + 30 for side in ("x", "y")))
    page.mouse.wheel(0, 200)
    page.wait_for_function(f"() => scrollY !== {before}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_has_nothing_against_it_and_nothing_sticks_out(browser, page_file, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    with opened(browser, page_file, width, scheme) as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= width
        shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        violations = axe.run(shown).response["violations"]
    nodes = [(each["id"], node["html"][:120]) for each in violations for node in each["nodes"]]
    assert nodes == []


def test_text_of_charts_follows_the_theme(browser, page_file):
    color = "() => [...Bokeh.documents[0]._all_models.values()].find(m => m.type == 'Title').text_color"
    with opened(browser, page_file, scheme="light") as shown:
        shown.wait_for_function(f"() => ({color})() === '#1b1f24'")
        shown.emulate_media(color_scheme="dark")
        shown.wait_for_function(f"() => ({color})() === '#e8ebee'")


def test_print_shows_all_sections_on_white(browser, page_file, tmp_path):
    with opened(browser, page_file, scheme="dark") as shown:
        shown.emulate_media(media="print")
        assert shown.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        content = shown.pdf()
    assert content.startswith(b"%PDF")
    assert content.count(b"/Type /Page\n") + content.count(b"/Type /Page ") >= 3


def test_without_scripts_scores_and_pictures_are_still_there(browser, page_file):
    context = browser.new_context(java_script_enabled=False)
    shown = context.new_page()
    shown.goto(page_file.as_uri())
    assert "Overall accuracy" in shown.locator("main").inner_text()
    assert shown.locator('.layer[data-layer="map"]').is_visible()
    context.close()


def test_a_browser_that_cannot_unpack_the_charts_says_so(browser, page_file):
    context = browser.new_context()
    shown = context.new_page()
    failed = []
    shown.on("pageerror", lambda error: failed.append(str(error)))
    shown.add_init_script("delete globalThis.DecompressionStream")
    shown.goto(page_file.as_uri())
    shown.wait_for_function("() => document.querySelector('.chart').textContent.includes('To draw it takes')")
    assert "Loss by epoch" in shown.locator(".chart").first.inner_text()
    assert failed == []
    context.close()


def test_a_comparisons_page_is_drawn_and_open_to_everyone(browser, tmp_path):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    curves = (Curve("training", (1.0, 2.0), (2.0, 1.0)), Curve("validation", (1.0, 2.0), (2.5, 1.5)))
    outcome = Outcome(
        name="fusion",
        title="Figure 8 and Table 2",
        words=("Both are ahead.",),
        tables=(OutcomeTable("table2", "Accuracy", ("network sees", "validation %"), (("RGB", "43.1"),)),),
        figures=(
            OutcomeFigure("figure8", "Loss by epoch", "epoch", "loss", curves),
            OutcomeFigure("sent", "Sent", "seconds", "MB a second", curves),
        ),
        runs=("fusion-rgb-0",),
    )
    own = keep_outcome(tmp_path, outcome)
    draw_curves(own / "sent.png", "Sent", ("seconds", "MB a second"), [("all", (1, 2), (3, 4))])
    write_comparison_report(tmp_path / "page.html", tmp_path)
    with opened(browser, tmp_path / "page.html", 390, "dark") as shown:
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
        assert shown.locator(".chart canvas").first.bounding_box()["height"] > 150
        assert shown.locator(".picture img").evaluate("image => image.naturalWidth") > 300
        assert axe.run(shown).response["violations"] == []
