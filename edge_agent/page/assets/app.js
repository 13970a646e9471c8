"use strict";
const $ = id => document.getElementById(id);
const history = {};           // newest frame rates by pipeline
let preview = false, points = [], cursor = [0.5, 0.5], image = null;

function make(tag, text, cls) {
  const node = document.createElement(tag);
  if (text !== undefined) node.textContent = text;
  if (cls) node.className = cls;
  return node;
}

function spark(values) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS(svg.namespaceURI, "path");
  const most = Math.max(1, ...values);
  svg.setAttribute("viewBox", "0 0 60 20");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", "frames inferred per second, the last minutes");
  path.setAttribute("d", values.map((v, i) => (i ? "L" : "M") + i + " " + (19 - 18 * v / most)).join(" "));
  svg.append(path);
  return svg;
}

function card(name, health, settings, source) {
  const box = make("article", undefined, "card"), head = make("h3", name);
  head.append(make("span", health.state, "state " + health.state));
  box.append(head);
  if (health.reason) box.append(make("p", health.reason));
  if (settings && !settings.enabled) box.append(make("p", "switched off"));
  box.append(make("p", `${source.source} → ${source.model}, threshold ${settings ? settings.threshold : "?"}`));
  const total = health.latency_ms.total, fps = health.fps;
  box.append(make("p", `${fps.inferred} of ${fps.in} frames/s inferred, ${fps.dropped} dropped` +
    (total ? `; ${total.p50} ms, 99 % within ${total.p99} ms` : "")));
  const kept = history[name] = (history[name] || []).concat(fps.inferred).slice(-60);
  box.append(spark(kept));
  if (preview && health.state === "online") {
    const picture = make("img");
    picture.alt = "what " + name + " sees";
    picture.src = "/picture?pipeline=" + encodeURIComponent(name) + "&at=" + Date.now();
    box.append(picture);
  }
  return box;
}

function numbers(state) {
  const health = state.health, drops = Object.entries(health.outbox.drops);
  const found = {
    "Broker": state.mqtt.connected ? "connected" : state.mqtt.reason || "not connected",
    "Waiting for the broker": health.outbox.depth + " messages",
    "Lost": drops.length ? drops.map(([why, n]) => `${n} ${why}`).join(", ") : "nothing",
    "Memory": Math.round(health.rss_bytes / 1048576) + " MiB",
    "Up": (health.uptime / 3600).toFixed(1) + " h",
    "Version": state.info.version,
  };
  if (health.cpu_temperature !== null) found["Processor"] = health.cpu_temperature + " °C";
  if (health.governor.divisor > 1) found["Sparing the machine"] = `1 of ${health.governor.divisor} frames: ${health.governor.reason}`;
  if (health.mqtt.refused.length) found["Refused by the broker"] = health.mqtt.refused.join(", ");
  for (const model of state.info.models) found["Model " + model.name] = model.engine;
  $("numbers").replaceChildren(...Object.entries(found).map(([name, value]) => {
    const box = make("div");
    box.append(make("dt", name), make("dd", value));
    return box;
  }));
}

function show(state) {
  preview = state.preview;
  document.title = state.info.device + " – edge-agent";
  $("device").textContent = state.info.device;
  const all = Object.entries(state.health.pipelines);
  const online = all.filter(([, health]) => health.state === "online").length;
  $("summary").textContent = `${online} of ${all.length} pipelines online`;
  $("pipelines").replaceChildren(...all.map(([name, health]) =>
    card(name, health, state.settings[name], state.info.pipelines[name])));
  numbers(state);
  $("events").replaceChildren(...state.events.map(event => {
    const row = make("tr");
    const time = new Date(event.time * 1000).toLocaleTimeString();
    for (const text of [time, event.pipeline, event.type, event.label + (event.track === null ? "" : " #" + event.track),
      event.score.toFixed(2), event.zones.join(", ")]) row.append(make("td", text));
    return row;
  }));
  $("log").textContent = state.log.join("\n");
  const names = all.map(([name]) => name);
  if ([...$("which").options].map(option => option.value).join() !== names.join())
    $("which").replaceChildren(...names.map(name => make("option", name)));
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

function draw() {
  const canvas = $("canvas"), pen = canvas.getContext("2d"), [w, h] = [canvas.width, canvas.height];
  const style = getComputedStyle(document.documentElement);
  pen.clearRect(0, 0, w, h);
  if (image) pen.drawImage(image, 0, 0, w, h);
  pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--mark").trim();
  pen.lineWidth = 3;
  pen.beginPath();
  points.forEach(([x, y], i) => pen[i ? "lineTo" : "moveTo"](x * w, y * h));
  if ($("kind").value === "zones" && points.length > 2) pen.closePath();
  pen.stroke();
  for (const [x, y] of points) pen.fillRect(x * w - 4, y * h - 4, 8, 8);
  if (document.activeElement === canvas) {
    pen.strokeRect(cursor[0] * w - 7, cursor[1] * h - 7, 14, 14);
  }
  const list = points.map(point => "[" + point.map(c => c.toFixed(3)).join(", ") + "]");
  const name = JSON.stringify($("name").value || "porch").slice(1, -1);
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
  fresh.src = "/picture?pipeline=" + encodeURIComponent($("which").value) + "&at=" + Date.now();
}

$("canvas").addEventListener("pointerdown", event => {
  const box = event.target.getBoundingClientRect();
  add([(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]);
});
$("canvas").addEventListener("keydown", event => {
  const step = { ArrowLeft: [-.01, 0], ArrowRight: [.01, 0], ArrowUp: [0, -.01], ArrowDown: [0, .01] }[event.key];
  if (step) cursor = cursor.map((c, i) => Math.min(1, Math.max(0, c + step[i])));
  else if (event.key === "Enter") { add([...cursor]); return; }
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
$("copy").addEventListener("click", () => navigator.clipboard.writeText($("yaml").textContent));
look().then(still);
