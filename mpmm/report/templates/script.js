"use strict";
// the charts' text in the colours of the page, light or dark
function paintCharts() {
  if (!window.Bokeh) return;
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink").trim(), soft = style.getPropertyValue("--soft").trim();
  for (const shown of Bokeh.documents) {
    for (const model of shown._all_models.values()) {
      if (/Axis$/.test(model.type)) {
        model.setv({axis_label_text_color: soft, major_label_text_color: soft, axis_line_color: soft, major_tick_line_color: soft});
      } else if (model.type === "Title") model.text_color = ink;
      else if (model.type === "Legend") model.label_text_color = ink;
    }
  }
}
const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", paintCharts);
for (const moment of ["beforeprint", "afterprint"]) addEventListener(moment, paintCharts);

// after what the page shows at once, but soon on a busy machine too; Safari has no idle time to tell of
const whenIdle = (work) => window.requestIdleCallback ? requestIdleCallback(work, {timeout: 200}) : setTimeout(work, 50);
// the chart library and what it draws are packed, so that the page is a third of their size
async function unpacked(text) {
  const letters = atob(text), bytes = new Uint8Array(letters.length);
  for (let at = 0; at < bytes.length; at++) bytes[at] = letters.charCodeAt(at);
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}
// a chart is drawn where it comes into view, then the others one at a time, so that a page opens at once
async function drawCharts() {
  if (!document.getElementById("library")) return;
  const [library, drawings] = await Promise.all(["library", "drawings"].map((id) => unpacked(document.getElementById(id).textContent)));
  const script = document.createElement("script");
  script.textContent = library;
  document.body.append(script);
  const items = JSON.parse(drawings), missing = new Set(document.querySelectorAll(".plot"));
  const draw = async (plot) => {
    if (!missing.delete(plot)) return;
    await Bokeh.embed.embed_item(items[plot.id], plot.id);
    paintCharts();
  };
  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) draw(entry.target);
  });
  missing.forEach((plot) => watcher.observe(plot));
  // all of a page that is printed
  addEventListener("beforeprint", () => missing.forEach(draw));
  const drawNext = () => whenIdle(async () => {
    for (const plot of missing) return draw(plot).then(drawNext);
  });
  drawNext();
}
whenIdle(() => drawCharts().catch(() => {
  for (const chart of document.querySelectorAll(".chart")) chart.textContent = `${chart.getAttribute("aria-label")}. To draw it takes a browser of 2023 or later.`;
}));
// all of a page that is printed
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((each) => { each.open = true; }));

// the map: layers over the scene, zoom, and the class under the pointer
for (const viewer of document.querySelectorAll(".viewer")) {
  const stage = viewer.querySelector(".stage"), sheet = viewer.querySelector(".sheet");
  const readout = viewer.querySelector(".readout"), blend = viewer.querySelector(".blend"), curtain = viewer.querySelector(".curtain");
  const layers = new Map([...viewer.querySelectorAll(".layer")].map((image) => [image.dataset.layer, image]));
  const rows = +viewer.dataset.rows, columns = +viewer.dataset.columns, stride = +viewer.dataset.stride;
  const entries = new Map([...viewer.closest(".ground").querySelectorAll(".legend li")].map((item) => [item.dataset.color, item]));
  const view = {scale: 1, x: 0, y: 0};
  const pixels = new Map();

  function pixelsOf(key) {
    const image = layers.get(key);
    if (!image) return null;
    if (!pixels.has(key)) {
      const canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
      const context = canvas.getContext("2d", {willReadFrequently: true});
      context.drawImage(image, 0, 0);
      pixels.set(key, context);
    }
    return pixels.get(key);
  }
  function classAt(key, row, column) {
    const context = pixelsOf(key);
    if (!context) return null;
    const [red, green, blue, alpha] = context.getImageData(Math.floor(column / stride), Math.floor(row / stride), 1, 1).data;
    if (!alpha) return null;
    return entries.get("#" + [red, green, blue].map((value) => value.toString(16).padStart(2, "0")).join("")) || null;
  }
  function read(clientX, clientY) {
    const box = stage.getBoundingClientRect();
    const column = Math.floor((clientX - box.left - view.x) / view.scale / stage.clientWidth * columns);
    const row = Math.floor((clientY - box.top - view.y) / view.scale / stage.clientHeight * rows);
    if (row < 0 || column < 0 || row >= rows || column >= columns) return;
    entries.forEach((item) => item.classList.remove("here"));
    const said = [];
    for (const [key, word] of [["map", "map"], ["labels", "label"]]) {
      if (!layers.has(key)) continue;
      const item = classAt(key, row, column);
      if (item && (key === "map" || !layers.has("map"))) item.classList.add("here");
      said.push(`${word}: ${item ? item.dataset.name : "none"}`);
    }
    readout.textContent = `Row ${row}, column ${column}` + (said.length ? `: ${said.join("; ")}` : "");
  }
  function show() {
    const width = stage.clientWidth, height = stage.clientHeight;
    view.scale = Math.min(Math.max(view.scale, 1), 64);
    view.x = Math.min(0, Math.max(view.x, width * (1 - view.scale)));
    view.y = Math.min(0, Math.max(view.y, height * (1 - view.scale)));
    sheet.style.transform = `translate(${view.x}px, ${view.y}px) scale(${view.scale})`;
    stage.classList.toggle("zoomed", view.scale > 1);
  }
  function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
    const scale = Math.min(Math.max(view.scale * factor, 1), 64);
    view.x = x - (x - view.x) * scale / view.scale;
    view.y = y - (y - view.y) * scale / view.scale;
    view.scale = scale;
    show();
  }
  function cover() {
    const share = blend ? +blend.value / 100 : 1, drawn = curtain && curtain.checked;
    for (const image of layers.values()) {
      image.style.opacity = drawn ? 1 : share;
      image.style.clipPath = drawn ? `inset(0 0 0 ${100 * (1 - share)}%)` : "none";
    }
  }
  viewer.querySelectorAll(".choices input").forEach((input) => input.addEventListener("change", () => {
    for (const [key, image] of layers) image.hidden = key !== input.value;
  }));
  for (const input of [blend, curtain]) if (input) input.addEventListener("input", cover);
  viewer.querySelectorAll("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    if (button.dataset.zoom === "reset") { Object.assign(view, {scale: 1, x: 0, y: 0}); show(); }
    else zoom(button.dataset.zoom === "in" ? 1.6 : 1 / 1.6);
  }));
  const pointers = new Map();
  stage.addEventListener("pointerdown", (event) => {
    pointers.set(event.pointerId, event);
    if (view.scale > 1 || pointers.size > 1) { stage.setPointerCapture(event.pointerId); stage.classList.add("moving"); }
    read(event.clientX, event.clientY);
  });
  stage.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) { read(event.clientX, event.clientY); return; }
    if (pointers.size === 2) {
      const other = [...pointers.entries()].find(([id]) => id !== event.pointerId)[1];
      const apart = (a) => Math.hypot(a.clientX - other.clientX, a.clientY - other.clientY);
      const box = stage.getBoundingClientRect();
      zoom(apart(event) / Math.max(apart(last), 1), (event.clientX + other.clientX) / 2 - box.left, (event.clientY + other.clientY) / 2 - box.top);
    } else if (view.scale > 1) {
      view.x += event.clientX - last.clientX; view.y += event.clientY - last.clientY;
      show();
    }
    pointers.set(event.pointerId, event);
  });
  for (const name of ["pointerup", "pointercancel", "pointerleave"]) stage.addEventListener(name, (event) => {
    pointers.delete(event.pointerId); stage.classList.remove("moving");
  });
  stage.addEventListener("wheel", (event) => {
    // the page scrolls over a map that nobody has chosen
    if (document.activeElement !== stage && !event.ctrlKey) return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY / 400), event.clientX - box.left, event.clientY - box.top);
  }, {passive: false});
  stage.addEventListener("keydown", (event) => {
    const far = 40, moves = {ArrowLeft: [far, 0], ArrowRight: [-far, 0], ArrowUp: [0, far], ArrowDown: [0, -far]};
    if (event.key === "+" || event.key === "=") zoom(1.6);
    else if (event.key === "-") zoom(1 / 1.6);
    else if (event.key === "0") { Object.assign(view, {scale: 1, x: 0, y: 0}); show(); }
    else if (moves[event.key]) {
      if (view.scale === 1) zoom(1.6);
      view.x += moves[event.key][0]; view.y += moves[event.key][1];
      show();
    } else return;
    event.preventDefault();
    const box = stage.getBoundingClientRect();
    read(box.left + box.width / 2, box.top + box.height / 2);
  });
  addEventListener("resize", show);
  cover();
}
