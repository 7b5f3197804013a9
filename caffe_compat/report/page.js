"use strict";
const numbers = JSON.parse(document.getElementById("numbers").textContent);
const layers = new Map(numbers.layers.map(layer => [layer.name, layer]));
const details = document.getElementById("details");
const SVG = "http://www.w3.org/2000/svg";

// ---- elements and numbers ----
function element(name, attributes = {}, ...children) {
  const result = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) result.setAttribute(key, value);
  result.append(...children);
  return result;
}

function shape(name, attributes, ...children) {
  const result = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) result.setAttribute(key, value);
  result.append(...children);
  return result;
}

function short(value) {
  if (value === null) return "not finite";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
  return String(Number(value.toPrecision(4)));
}

const dims = dimensions => dimensions.join("x") || "1";

function pairs(rows) {
  const list = element("dl", { class: "pairs" });
  for (const [name, value, key, exact] of rows) {
    const attributes = key ? { "data-number": key, "data-value": exact ?? value } : {};
    list.append(element("dt", {}, name), element("dd", attributes, value));
  }
  return list;
}

// ---- histograms ----
const HEIGHT = 56, WIDTH = 400;

function bars(histograms) { // on one axis from the least to the greatest of all; the second one is drawn as a line
  const known = histograms.filter(one => one && one.bins.length);
  if (!known.length) return "";
  const least = Math.min(...known.map(one => one.least)), greatest = Math.max(...known.map(one => one.greatest));
  const most = Math.max(...known.flatMap(one => one.bins), 1);
  const at = value => (value - least) / (greatest - least) * WIDTH;
  const svg = shape("svg", { class: "histogram", viewBox: `0 0 ${WIDTH} ${HEIGHT + 18}`, preserveAspectRatio: "none" });
  histograms.forEach((one, number) => {
    if (!one || !one.bins.length) return;
    const left = at(one.least), step = (at(one.greatest) - left) / one.bins.length;
    let path = `M${left.toFixed(1)} ${HEIGHT}`;
    one.bins.forEach((count, i) => {
      const y = (HEIGHT - count / most * (HEIGHT - 2)).toFixed(1);
      path += `L${(left + i * step).toFixed(1)} ${y}L${(left + (i + 1) * step).toFixed(1)} ${y}`;
    });
    path += `L${at(one.greatest).toFixed(1)} ${HEIGHT}`;
    svg.append(shape("path", number ? { d: path, fill: "none", stroke: "#d98324", "stroke-width": 1.5 }
      : { d: path + "Z", fill: "#8fb4dd" }));
  });
  svg.append(shape("path", { d: `M0 ${HEIGHT}H${WIDTH}`, stroke: "#5d6b7a" }));
  if (least < 0 && greatest > 0) svg.append(shape("path", { d: `M${at(0)} 0V${HEIGHT}`, stroke: "#5d6b7a", "stroke-dasharray": "2 3" }));
  svg.append(shape("text", { x: 0, y: HEIGHT + 14 }, short(least)),
    shape("text", { x: WIDTH, y: HEIGHT + 14, "text-anchor": "end" }, short(greatest)));
  if (least < 0 && greatest > 0 && at(0) > 70 && at(0) < WIDTH - 70) {
    svg.append(shape("text", { x: at(0), y: HEIGHT + 14, "text-anchor": "middle" }, "0"));
  }
  return svg;
}

function stats(one, key) {
  const share = (count, name) => count ? `, ${short(100 * count / one.count)} % ${name}` : "";
  const spread = one.mean === null ? "no finite value" : one.count === 1 ? `${short(one.mean)}`
    : `${short(one.least)} to ${short(one.greatest)}, mean ${short(one.mean)}, deviation ${short(one.std)}`;
  return element("span", { class: "stats", "data-number": key, "data-value": JSON.stringify([one.least, one.greatest, one.mean]) },
    spread + share(one.zeros, "zeros") + share(one.nan, "NaN") + share(one.inf, "infinite"));
}

function array(what, one, key) {
  if (!one.data) return ""; // nobody ran the net, and its story has the shape
  const result = element("div", { class: "array" }, element("b", {}, `${what} ${one.name}`), ` ${dims(one.shape)}`);
  if (one.note) result.append(element("p", {}, one.note));
  for (const [name, histogram] of [["data", one.data], ["gradient", one.diff]]) {
    if (histogram) {
      result.append(element("p", {}, `${name}: `, stats(histogram, `${key}.${name}`)), bars([histogram]));
    }
  }
  return result;
}

// ---- one layer ----
function compared(layer) {
  const result = [];
  numbers.rows.forEach((row, number) => {
    if (row.layer !== layer.name) return;
    const sides = numbers.compared[number], error = row.error;
    const block = element("div", { class: "array" }, element("b", {}, `${row.stage} ${row.blob}`), ` ${dims(row.shape)}`);
    const where = error.index && error.max_error ? `, most at ${error.index.join(", ")}: ${short(error.got)} here, ${short(error.want)} there` : "";
    block.append(error.want_shape ? element("p", { class: "cause" }, `has the shape ${dims(error.want_shape)} there`)
      : element("p", {}, row.same ? "agrees: largest error " : "differs: largest error ",
        element("span", { class: "stats", "data-number": `row.${number}`, "data-value": String(error.max_error) }, short(error.max_error)),
        error.of === "the mean |x|" ? " (of the mean |x|)" : `, mean ${short(error.mean_error)}`,
        row.running === null ? "" : `, running ${short(row.running)}`, where));
    if (sides) {
      block.append(element("p", {}, element("i", { class: "key light" }), "here: ", stats(sides.here, `here.${number}`)));
      if (sides.there) block.append(element("p", {}, element("i", { class: "key rate" }), "there: ", stats(sides.there, `there.${number}`)));
      block.append(bars([sides.here, sides.there]));
    }
    for (const divergence of numbers.divergences.filter(one => one.row === number)) {
      for (const cause of divergence.causes) block.append(element("p", { class: "cause" }, `cause: ${cause.text}`));
    }
    result.push(block);
  });
  return result;
}

function story(layer) { // lines that go on are indented further than they begin
  const result = element("div", { class: "story" });
  for (const line of layer.story) {
    result.append(element("p", { style: `margin-left: ${line.search(/\S/) / 2}em` }, line.trim()));
  }
  return result;
}

function show(layer) {
  const ms = value => `${value.toFixed(2)} ms`;
  const rows = [["bottoms", layer.bottoms.join(", ") || "none"],
    ["tops", layer.tops.map(top => `${top.name} ${dims(top.shape)}`).join(", ") || "none"]];
  if (layer.forward_ms !== null) rows.push(["forward", ms(layer.forward_ms), "forward_ms", layer.forward_ms]);
  if (layer.step) rows.push(["", `runs at once with ${layer.step}, which has the time`]);
  if (layer.backward_ms !== null) rows.push(["backward", ms(layer.backward_ms), "backward_ms", layer.backward_ms]);
  rows.push(["gradient", layer.reason || "flows", "gradient"]);
  if (layer.bytes) rows.push(["memory", `${(layer.bytes / 1e6).toFixed(2)} MB`, "bytes", layer.bytes]);
  if (layer.place) rows.push(["stands in", layer.place, "place"]);
  details.replaceChildren(
    element("h2", { "data-number": "name" }, layer.name, element("small", {}, ` ${layer.type}`)), pairs(rows),
    ...(numbers.rows.length ? compared(layer) : [
      ...layer.tops.map((top, i) => array("top", top, `top.${i}`)),
      ...layer.params.map((param, i) => array("param", param, `param.${i}`))]),
    story(layer),
    element("details", {}, element("summary", {}, "prototxt"), element("pre", {}, layer.text)));
  details.scrollTop = 0;
}

function choose(name, remember = true) {
  const layer = layers.get(name);
  if (!layer) return;
  for (const one of document.querySelectorAll("[data-layer]")) one.classList.toggle("chosen", one.dataset.layer === name);
  show(layer);
  inView(document.querySelector(".graph .chosen"));
  if (remember) history.replaceState(null, "", `#${encodeURIComponent(name)}`);
}

function inView(node) { // within the graph's own scroll bars
  const box = document.querySelector(".graph"), whole = box.getBoundingClientRect();
  if (!node) return;
  const at = node.getBoundingClientRect();
  if (at.top < whole.top || at.bottom > whole.bottom) box.scrollTop += at.top - whole.top - whole.height / 2;
  if (at.left < whole.left || at.right > whole.right) box.scrollLeft += (at.left + at.right - whole.left - whole.right) / 2;
}

function fit() { // a net that is a little too wide is drawn smaller; one that is far too wide gets scroll bars
  const box = document.querySelector(".graph"), drawn = box.querySelector("svg"), width = drawn.viewBox.baseVal.width;
  drawn.classList.toggle("fitted", width < 1.5 * box.clientWidth);
}

fit();
addEventListener("resize", fit);
const different = new Set(numbers.rows.filter(row => !row.same).map(row => row.layer));
for (const one of document.querySelectorAll("[data-layer]")) {
  one.classList.toggle("different", different.has(one.dataset.layer));
  one.addEventListener("click", () => choose(one.dataset.layer));
  one.addEventListener("keydown", event => {
    const next = { ArrowDown: one.nextElementSibling, ArrowUp: one.previousElementSibling, Enter: one }[event.key];
    if (next && next.dataset.layer) {
      event.preventDefault();
      next.focus();
      choose(next.dataset.layer);
    }
  });
}

// ---- hard RoIs ----
for (const section of document.querySelectorAll(".rois")) {
  const photos = section.querySelector(".photos"), rows = [...section.querySelectorAll("[data-class]")];
  const only = row => {
    const on = !row.classList.contains("chosen");
    for (const one of rows) one.classList.toggle("chosen", on && one === row);
    photos.classList.toggle("chosen", on);
    for (const box of photos.querySelectorAll("rect")) box.classList.toggle("chosen", on && box.dataset.of === row.dataset.class);
  };
  for (const row of rows) {
    row.addEventListener("click", () => only(row));
    row.addEventListener("keydown", event => { if (event.key === "Enter") only(row); });
  }
  const place = section.querySelector("[data-losses]"), [all, kept] = numbers.losses[place.dataset.losses];
  place.append(element("p", {}, "all: ", stats(all, "losses")), bars([all]),
    element("p", {}, "kept: ", stats(kept, "kept_losses")), bars([kept]));
}

// ---- loss curve ----
function ticks(least, greatest, count) { // round numbers
  const raw = (greatest - least) / count || 1, unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find(factor => factor * unit >= raw);
  const result = [];
  for (let k = Math.ceil(least / step); k * step <= greatest * (1 + 1e-9); k++) result.push(Number((k * step).toPrecision(6)));
  return result;
}

function drawCurve(place) {
  const { iter, least, greatest, average, lr } = numbers.curve;
  const width = Math.max(place.clientWidth, 320), height = 300, left = 52, right = 12, top = 10, bottom = 26;
  const finite = [...greatest, ...average].filter(value => value !== null);
  const high = Math.max(...finite, 0) * 1.04 || 1, first = iter[0], last = Math.max(iter[iter.length - 1], first + 1);
  const x = value => left + (value - first) / (last - first) * (width - left - right);
  const y = value => height - bottom - value / high * (height - top - bottom);
  const line = values => values.map((value, i) => value === null ? "" : `${i && values[i - 1] !== null ? "L" : "M"}${x(iter[i]).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}` });
  for (const tick of ticks(0, high, 5)) {
    svg.append(shape("path", { d: `M${left} ${y(tick)}H${width - right}`, stroke: "#e6eaef" }),
      shape("text", { x: left - 6, y: y(tick) + 4, "text-anchor": "end" }, short(tick)));
  }
  for (const tick of ticks(first, last, 8)) {
    if (Number.isInteger(tick)) svg.append(shape("text", { x: x(tick), y: height - 8, "text-anchor": "middle" }, String(tick)));
  }
  const both = iter.map((value, i) => i).filter(i => least[i] !== null && greatest[i] !== null);
  const band = [...both.map(i => [i, greatest[i]]), ...both.reverse().map(i => [i, least[i]])];
  svg.append(shape("polygon", { points: band.map(([i, value]) => `${x(iter[i]).toFixed(1)},${y(value).toFixed(1)}`).join(" "), fill: "#a9c5e4", stroke: "#a9c5e4" }));
  const fastest = Math.max(...lr.filter(value => value !== null)) || 1;
  svg.append(shape("path", { d: line(lr.map(value => value === null ? null : value / fastest * high * 0.96)), fill: "none", stroke: "#d98324", "stroke-dasharray": "5 4" }),
    shape("path", { d: line(average), fill: "none", stroke: "#2f6db3", "stroke-width": 2 }));
  const cursor = shape("path", { d: "", stroke: "#5d6b7a" });
  const words = element("p", { class: "stats", id: "reading" }, "\u00a0");
  svg.append(cursor);
  svg.addEventListener("pointermove", event => {
    const at = first + (event.offsetX - left) / (width - left - right) * (last - first);
    let near = 0;
    iter.forEach((value, i) => { if (Math.abs(value - at) < Math.abs(iter[near] - at)) near = i; });
    cursor.setAttribute("d", `M${x(iter[near])} ${top}V${height - bottom}`);
    words.textContent = `iteration ${iter[near]}: loss ${short(least[near])}${greatest[near] === least[near] ? "" : ` to ${short(greatest[near])}`}, averaged ${short(average[near])}, learning rate ${short(lr[near])}`;
  });
  place.replaceChildren(svg, words);
}

const curve = document.getElementById("curve");
if (curve) {
  drawCurve(curve);
  addEventListener("resize", () => drawCurve(curve));
}

function fromAddress() {
  choose(decodeURIComponent(location.hash.slice(1)), false);
}
addEventListener("hashchange", fromAddress);
const worst = numbers.rows.find(row => !row.same);
choose(worst ? worst.layer : numbers.layers[0]?.name, false);
fromAddress();
