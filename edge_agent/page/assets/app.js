"use strict";
const $ = id => document.getElementById(id);
const cards = new Map();      /* by pipeline */
let preview = false, live = null, shapes = {}, points = [], cursor = [0.5, 0.5], image = null;

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

/* What the configuration has already: thin, with names. */
function drawShapes(pen, w, h) {
  pen.font = "14px system-ui, sans-serif";
  for (const { name, points } of shapes[$("which").value] || []) {
    pen.beginPath();
    points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x * w, y * h));
    pen.closePath();
    const [x, y] = [points[0][0] * w + 4, points[0][1] * h + (points[0][1] < .1 ? 16 : -6)];
    for (const [colour, width] of [["#000", 4], ["#fff", 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      pen.stroke();
      if (width > 2) pen.strokeText(name, x, y);
    }
    pen.fillStyle = "#fff";
    pen.fillText(name, x, y);
  }
}

function draw() {
  const canvas = $("canvas"), pen = canvas.getContext("2d"), [w, h] = [canvas.width, canvas.height];
  const style = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, w, h);
  if (image) pen.drawImage(image, 0, 0, w, h);
  drawShapes(pen, w, h);
  pen.fillStyle = style.getPropertyValue("--mark").trim();
  pen.lineJoin = "round";
  pen.beginPath();
  points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x * w, y * h));
  if ($("kind").value === "zones" && points.length > 2) pen.closePath();
  if (document.activeElement === canvas) pen.rect(cursor[0] * w - 8, cursor[1] * h - 8, 16, 16);
  for (const [colour, width] of [["#fff", 7], [pen.fillStyle, 3]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = width;
    pen.stroke();
  }
  for (const [x, y] of points) pen.fillRect(x * w - 5, y * h - 5, 10, 10);
  const list = points.map(point => "[" + point.map(c => c.toFixed(3)).join(", ") + "]");
  const typed = $("name").value.trim() || "porch";
  const name = /^[a-z]\w*$/i.test(typed) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(typed) ? typed : JSON.stringify(typed);
  const text = $("kind").value === "zones" ? `{polygon: [${list.join(", ")}]}` : `{from: ${list[0]}, to: ${list[1]}}`;
  const enough = points.length >= ($("kind").value === "zones" ? 3 : 2);
  $("yaml").textContent = enough ? `${$("kind").value}:\n  ${name}: ${text}` : "set " + ($("kind").value === "zones" ? "three corners or more" : "two ends");
}

function add(point) {
  if ($("kind").value === "lines" && points.length === 2) points = [];
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
  else if (event.key === "Backspace") points.pop();
  else return;
  event.preventDefault();
  draw();
});
$("canvas").addEventListener("focus", draw);
$("canvas").addEventListener("blur", draw);
$("kind").addEventListener("change", () => { points = []; draw(); });
$("name").addEventListener("input", draw);
$("which").addEventListener("change", still);
$("undo").addEventListener("click", () => { points.pop(); draw(); });
$("clear").addEventListener("click", () => { points = []; draw(); });
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
