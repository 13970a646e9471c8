"use strict";
const $ = id => document.getElementById(id);
const cards = new Map();      /* by pipeline */
let preview = false, live = null, shapes = {}, drawn = [], kind = "zones", points = [], cursor = [0.5, 0.5], image = null;

function make(tag, text, cls) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (cls) node.className = cls;
  return node;
}

function spark(what) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path"), values = [];
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.append(path);
  const box = make("div", undefined, "spark"), now = make("p");
  box.append(now, svg);
  box.add = (value, text) => {
    now.textContent = text;
    values.push(value);
    if (values.length > 60) values.shift();
    const most = Math.max(...values, 1e-9);
    svg.setAttribute("aria-label", `${what} of the last minutes, ${Math.min(...values).toPrecision(3)} to ${most.toPrecision(3)}`);
    path.setAttribute("d", values.map((v, i) => (i ? "L" : "M") + (60 - values.length + i) + " " + (19 - 18 * v / most)).join(" "));
  };
  return box;
}

function card(name) {
  const box = make("article", undefined, "card"), head = make("h3", name), state = make("span");
  const reason = make("p"), off = make("p", "switched off"), from = make("p");
  const rate = spark("frames inferred per second"), pace = spark("milliseconds for a frame");
  const picture = make("img"), button = make("button", "Live");
  head.append(state);
  picture.alt = "what " + name + " sees";
  picture.hidden = true;
  picture.onload = () => { picture.hidden = false; };
  picture.onerror = () => { picture.hidden = true; if (live === name) goLive(null); };
  button.setAttribute("aria-label", "Live picture of " + name);
  button.onclick = () => goLive(live === name ? null : name);
  box.append(head, reason, off, from, rate, pace, picture, button);
  box.look = () => {
    const pressed = live === name;
    button.setAttribute("aria-pressed", pressed);
    if (!button.hidden && !pressed && !document.hidden) picture.src = address("picture", name) + "&at=" + Date.now();
  };
  box.goLive = () => { picture.src = live === name ? address("live", name) : ""; box.look(); };
  box.show = (health, settings, source, type) => {
    const total = health.latency_ms.total, fps = health.fps;
    state.textContent = health.state;
    state.className = "state " + health.state;
    reason.textContent = health.reason;
    off.hidden = !settings || settings.enabled;
    from.textContent = `${source.source} (${type}) → ${source.model}` + (settings ? `, threshold ${settings.threshold}` : "");
    rate.add(fps.inferred, `${fps.inferred.toFixed(1)} of ${fps.in.toFixed(1)} frames/s inferred` + (fps.dropped ? `, ${fps.dropped.toFixed(1)} dropped` : ""));
    pace.hidden = !total;
    if (total) pace.add(total.p50, `${total.p50.toPrecision(3)} ms a frame, 99 % within ${total.p99.toPrecision(3)} ms`);
    button.hidden = !preview || health.state !== "online";
    if (button.hidden) { picture.hidden = true; if (live === name) goLive(null); }
    box.look();
  };
  return box;
}

/* One at a time: a browser has few connections to one server. */
function goLive(name) {
  const before = live;
  live = name;
  for (const each of [before, name]) if (cards.has(each)) cards.get(each).goLive();
}

function address(what, name) { return `/${what}?pipeline=${encodeURIComponent(name)}`; }

function pipelines(state) {
  const names = Object.keys(state.health.pipelines);
  if ([...cards.keys()].join("\n") !== names.join("\n")) {
    goLive(null);
    for (const name of cards.keys()) if (!names.includes(name)) cards.delete(name);
    const kept = new Map(cards);
    cards.clear();
    for (const name of names) cards.set(name, kept.get(name) || card(name));
    $("pipelines").replaceChildren(...cards.values());
    $("which").replaceChildren(...names.map(name => make("option", name)));
  }
  for (const [name, box] of cards) {
    const source = state.info.pipelines[name] || { source: "?", model: "?" };
    box.show(state.health.pipelines[name], state.settings[name], source, state.sources[source.source] || "?");
  }
}

function since(seconds) {
  const [day, hour, minute] = [86400, 3600, 60].map(unit => Math.floor(seconds / unit));
  return day ? `${day} d ${hour % 24} h` : hour ? `${hour} h ${minute % 60} min` : `${minute} min`;
}

function numbers(state) {
  const health = state.health, drops = Object.entries(health.outbox.drops);
  const found = {
    "Broker": state.mqtt.connected ? "connected" : state.mqtt.reason || "not connected",
    "Waiting for the broker": health.outbox.depth + " messages",
    "Lost": drops.length ? drops.map(([why, n]) => `${n} ${why}`).join(", ") : "nothing",
    "Memory": Math.round(health.rss_bytes / 1048576) + " MiB",
    "Up": since(health.uptime),
    "Version": state.info.version,
  };
  if (health.cpu_temperature !== null) found["Processor"] = health.cpu_temperature + " °C";
  if (health.governor.divisor > 1) found["Sparing the machine"] = `1 of ${health.governor.divisor} frames: ${health.governor.reason}`;
  if (health.mqtt.refused.length) found["Refused by the broker"] = health.mqtt.refused.join(", ");
  for (const [name, type] of Object.entries(state.sources)) found["Source " + name] = type;
  for (const model of state.info.models) found["Model " + model.name] = `${model.engine}, ${model.sha256.slice(0, 8)}`;
  $("numbers").replaceChildren(...Object.entries(found).map(([name, value]) => {
    const box = make("div");
    box.append(make("dt", name), make("dd", value));
    return box;
  }));
}

function show(state) {
  preview = state.preview;
  shapes = state.shapes;
  document.title = state.info.device + " – edge-agent";
  $("device").textContent = state.info.device;
  const all = Object.entries(state.health.pipelines);
  const online = all.filter(([, health]) => health.state === "online").length;
  $("summary").textContent = `${online} of ${all.length} pipelines online`;
  pipelines(state);
  numbers(state);
  $("events").replaceChildren(...state.events.map(event => {
    const row = make("tr");
    const time = new Date(event.time * 1000).toLocaleTimeString();
    for (const text of [time, event.pipeline, event.type, event.label + (event.track === null ? "" : " #" + event.track),
      event.score.toFixed(2), event.zones.join(", ")]) row.append(make("td", text));
    return row;
  }));
  $("log").textContent = state.log.join("\n");
}

async function look() {
  try {
    const answer = await fetch("/state");
    if (!answer.ok) throw new Error(await answer.text());
    show(await answer.json());
  } catch (error) {
    $("summary").textContent = "no answer from the agent: " + error.message;
  }
  setTimeout(look, document.hidden ? 10000 : 2000);
}

const corners = kind => kind === "zones" ? 3 : 2;
const isDone = shape => shape.points.length >= corners(shape.kind);
const present = () => ({ kind, name: $("name").value.trim() || "porch", points });
const wanted = () => [...drawn, present()].filter(isDone);

function trace(pen, ink, shape, colours) {
  const { w, h } = ink, at = shape.points.map(([x, y]) => [x * w, y * h]);
  pen.beginPath();
  at.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x, y));
  if (at.length > 2 && shape.kind !== "lines") pen.closePath();
  if (shape.kind === "lines" && at.length > 1) arrow(pen, at[0], at[1]);
  for (const [colour, width] of colours) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke();
  }
}

/* Across the middle of a line, to its right: objects that go that way count as in. */
function arrow(pen, [x1, y1], [x2, y2]) {
  const length = Math.hypot(x2 - x1, y2 - y1) || 1, [rx, ry] = [(y1 - y2) / length * 16, (x2 - x1) / length * 16];
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2], [tx, ty] = [x + rx, y + ry];
  pen.moveTo(x - rx, y - ry);
  pen.lineTo(tx, ty);
  for (const side of [-1, 1]) {
    pen.moveTo(tx, ty);
    pen.lineTo(tx - rx * .5 - side * ry * .4, ty - ry * .5 + side * rx * .4);
  }
  write(pen, "in", tx + rx * .6 - 6, ty + ry * .6 + 5);
}

function write(pen, text, x, y) {
  pen.save();
  [pen.font, pen.strokeStyle, pen.lineWidth, pen.fillStyle] = ["14px system-ui, sans-serif", "#000", 4, "#fff"];
  pen.strokeText(text, x, y);
  pen.fillText(text, x, y);
  pen.restore();
}

function draw() {
  const canvas = $("canvas"), pen = canvas.getContext("2d"), [w, h] = [canvas.width, canvas.height];
  const mark = getComputedStyle(document.documentElement).getPropertyValue("--mark").trim();
  pen.clearRect(0, 0, w, h);
  pen.lineJoin = "round";
  if (image) pen.drawImage(image, 0, 0, w, h);
  for (const { name, points: at, closed } of shapes[$("which").value] || []) {
    trace(pen, { w, h }, { kind: closed ? "zones" : "lines", points: at }, [["#000", 4], ["#fff", 2]]);
    write(pen, name, at[0][0] * w + 4, at[0][1] * h + (at[0][1] < .1 ? 16 : -6));
  }
  for (const shape of [...drawn, present()]) {
    trace(pen, { w, h }, shape, [["#fff", 7], [mark, 3]]);
    pen.fillStyle = mark;
    for (const [x, y] of shape.points) pen.fillRect(x * w - 5, y * h - 5, 10, 10);
  }
  if (document.activeElement === canvas) {
    pen.beginPath();
    pen.rect(cursor[0] * w - 8, cursor[1] * h - 8, 16, 16);
    pen.stroke();
  }
  const text = yaml(wanted());
  $("yaml").textContent = text || (kind === "zones" ? "set three corners or more" : "set two ends");
  $("copy").disabled = $("next").disabled = !text;
}

/* Indented as it stands in a pipeline. */
function yaml(found) {
  const list = at => at.map(point => "[" + point.map(c => c.toFixed(3)).join(", ") + "]");
  const lines = [];
  for (const each of ["zones", "lines"]) {
    const those = found.filter(shape => shape.kind === each);
    if (those.length) lines.push(`    ${each}:`);
    for (const { name, points: at } of those) {
      const plain = /^[a-z]\w*$/i.test(name) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(name);
      const [first, second] = list(at);
      lines.push(`      ${plain ? name : JSON.stringify(name)}: ` + (each === "zones" ? `{polygon: [${list(at).join(", ")}]}` : `{from: ${first}, to: ${second}}`));
    }
  }
  return lines.join("\n");
}

/* Keep what is drawn, and begin another. */
function next() {
  if (isDone(present())) drawn.push(present());
  points = [];
  const names = drawn.filter(shape => shape.kind === kind).length;
  $("name").value = (kind === "zones" ? "porch" : "gate") + (names ? names + 1 : "");
  draw();
}

function undo() {
  if (!points.length && drawn.length) {
    const last = drawn.pop();
    ({ kind, points } = last);
    $("kind").value = kind;
    $("name").value = last.name;
  } else points.pop();
  draw();
}

function clear() { drawn = []; points = []; next(); }

function add(point) {
  if (kind === "lines" && points.length === 2) return;
  points.push(point.map(c => Math.min(1, Math.max(0, c))));
  draw();
}

function still() {
  if (!preview) { draw(); return; }
  const fresh = new Image();
  fresh.onload = () => { image = fresh; $("canvas").height = Math.round(640 * fresh.height / fresh.width); draw(); };
  fresh.src = address("picture", $("which").value) + "&at=" + Date.now();
}

$("canvas").addEventListener("pointerdown", event => {
  const box = event.target.getBoundingClientRect();
  add([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
});
$("canvas").addEventListener("keydown", event => {
  const step = { ArrowLeft: [-.01, 0], ArrowRight: [.01, 0], ArrowUp: [0, -.01], ArrowDown: [0, .01] }[event.key];
  if (step) cursor = cursor.map((c, i) => Math.min(1, Math.max(0, c + step[i])));
  else if (event.key === "Enter") add([...cursor]);
  else if (event.key === "Backspace") undo();
  else return;
  event.preventDefault();
  draw();
});
$("canvas").addEventListener("focus", draw);
$("canvas").addEventListener("blur", draw);
$("kind").addEventListener("change", () => {
  next();
  kind = $("kind").value;
  next();                     /* names it after its new kind */
});
$("name").addEventListener("input", draw);
$("which").addEventListener("change", () => { clear(); still(); });
$("next").addEventListener("click", next);
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", clear);
$("still").addEventListener("click", still);
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("yaml").textContent);
    $("copied").textContent = "copied";
  } catch {                   /* browsers give no clipboard to pages without TLS */
    getSelection().selectAllChildren($("yaml"));
    $("copied").textContent = document.execCommand("copy") ? "copied" : "selected: copy it with Ctrl+C";
  }
});
document.addEventListener("visibilitychange", () => { if (document.hidden) goLive(null); });
look().then(still);
