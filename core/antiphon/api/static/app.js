// The start page: zones and what they play, kept live. Everything that is shown goes into the page
// as text, never as markup.

const API = "/api/v1/";
const REFRESH_AFTER_MS = 60;
const RECONNECT_MS = [500, 1000, 2000, 5000, 10000];
const CLOSE_NOT_ALLOWED = 4401;
const OF_NO_INTEREST = new Set(["LevelMeasured", "ZoneStarved"]);

const $ = (id) => document.getElementById(id);
const zones = new Map(); // zone id → {view, seenAt, card}
const stale = new Set(); // zone ids to ask for again
let token = localStorage.getItem("antiphon.token");
let socket = null;
let attempts = 0;
let heardOf = {}; // where to go on after a cut: the stream, and the number of its last message
let listening = null;

// --- Talking to the server ---------------------------------------------------------------------

async function call(method, path, body) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(API + path, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body),
  });
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({}));
  if (answer.status === 401 && path !== "auth/login") logOut();
  throw new Error(problem.detail || `The server answered ${answer.status}.`);
}

function tell(message, good = false) {
  $("message").textContent = message;
  $("message").classList.toggle("good", good);
}

async function attempt(work) {
  try {
    tell("");
    return await work();
  } catch (error) {
    tell(error instanceof TypeError ? "The server does not answer." : error.message);
  }
}

async function all(path) {
  const items = [];
  for (;;) {
    const page = await call("GET", `${path}?limit=200&offset=${items.length}`);
    items.push(...page.items);
    if (!page.items.length || items.length >= page.total) return items;
  }
}

// --- Zones -------------------------------------------------------------------------------------

async function loadZones() {
  const rows = await all("zones");
  keepOnly(rows.map((row) => row.id));
  await Promise.all(rows.map((row) => loadZone(row.id)));
  fillWhere();
}

function keepOnly(ids) {
  for (const [id, zone] of zones) {
    if (!ids.includes(id)) { zone.card.root.remove(); zones.delete(id); }
  }
}

async function loadZone(id) {
  show(await call("GET", `zones/${id}/playback`));
}

function refreshSoon(id) {
  if (!stale.size) {
    setTimeout(() => {
      const ids = [...stale];
      stale.clear();
      attemptQuietly(() => Promise.all(ids.map((each) => (each ? loadZone(each) : loadZones()))));
    }, REFRESH_AFTER_MS);
  }
  stale.add(id);
}

async function attemptQuietly(work) {
  try { await work(); } catch { /* the next event or the next connection asks again */ }
}

// By name, wherever they are shown: cards that stand in their places are not moved.
function fillWhere() {
  const views = [...zones.values()].map((zone) => zone.view);
  views.sort((one, other) => one.name.localeCompare(other.name));
  views.forEach((view, place) => {
    const { root } = zones.get(view.zone_id).card;
    if ($("zones").children[place] !== root) $("zones").insertBefore(root, $("zones").children[place]);
  });
  const chosen = $("where").value;
  const options = views.map((view) => option(view.zone_id, view.name));
  $("where").replaceChildren(option("", "All zones"), ...options);
  $("where").value = zones.has(chosen) ? chosen : "";
}

function option(value, text) {
  return make("option", { value, textContent: text });
}

function show(view) {
  let zone = zones.get(view.zone_id);
  if (!zone) {
    zone = { card: card(view.zone_id) };
    zones.set(view.zone_id, zone);
    $("zones").append(zone.card.root);
  }
  // The server's clock may differ from ours; what it says is never more than moments old.
  const age = Math.min(Math.max(Date.now() - Date.parse(view.position_at), 0), 2000);
  Object.assign(zone, { view, seenAt: performance.now() - age });
  paint(zone);
}

function paint({ view, card }) {
  const { track, announcement, playback } = view;
  card.name.textContent = view.name;
  card.badge.textContent = view.problems.length ? view.problems[0] : playback;
  card.title.textContent = track ? track.title : "Nothing to play";
  card.artist.textContent = track ? [track.artist, track.album].filter(Boolean).join(" · ") : "";
  card.voice.textContent = announcement ? `Speaking: ${announcement.title}` : "";
  card.root.classList.toggle("speaking", Boolean(announcement));
  const playing = playback === "playing";
  card.toggle.replaceChildren(icon(playing ? "pause" : "play"));
  card.toggle.setAttribute("aria-label", `${playing ? "Pause" : "Play"} ${view.name}`);
  card.next.setAttribute("aria-label", `Next track in ${view.name}`);
  card.next.disabled = view.queue_length < 1;
  card.slider.setAttribute("aria-label", `Volume of ${view.name}`);
  if (!card.dragging) {
    card.slider.value = view.volume;
    card.percent.textContent = `${view.volume} %`;
  }
  const listens = listening === view.zone_id;
  card.listen.textContent = listens ? "Stop listening" : "Listen";
  card.listen.setAttribute("aria-pressed", String(listens));
  paintPosition(zones.get(view.zone_id));
}

function paintPosition({ view, seenAt, card }) {
  const duration = view.track ? view.track.duration_s : 0;
  const moved = view.playback === "playing" ? (performance.now() - seenAt) / 1000 : 0;
  const position = Math.min(view.position_s + moved, duration);
  card.progress.value = duration ? position / duration : 0;
  card.progress.setAttribute("aria-label", `${clock(position)} of ${clock(duration)}`);
  card.now.textContent = duration ? clock(position) : "";
  card.end.textContent = duration ? clock(duration) : "";
}

function clock(seconds) {
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

// --- Cards -------------------------------------------------------------------------------------

function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

const SHAPES = {
  play: "M7 4v16l13-8z",
  pause: "M6 4h4v16H6zM14 4h4v16h-4z",
  next: "M5 4v16l10-8zM16 4h3v16h-3z",
};

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

function card(id) {
  const button = (className) => make("button", { type: "button", className });
  const made = {
    dragging: false,
    name: make("span"),
    badge: make("span", { className: "badge" }),
    title: make("p", { className: "title" }),
    artist: make("p", { className: "artist" }),
    voice: make("p", { className: "voice" }),
    progress: make("progress", { max: 1, value: 0 }),
    now: make("span"),
    end: make("span"),
    toggle: button("icon"),
    next: button("icon quiet"),
    listen: button("quiet listen"),
    slider: make("input", { type: "range", min: 0, max: 100 }),
    percent: make("output"),
  };
  made.next.append(icon("next"));
  const command = (path, body) =>
    attempt(async () => show(await call("POST", `zones/${id}/playback/${path}`, body ?? {})));
  made.toggle.onclick = () => {
    const { playback } = zones.get(id).view;
    command({ playing: "pause", paused: "resume" }[playback] ?? "play");
  };
  made.next.onclick = () => command("next");
  made.listen.onclick = () => listen(id);
  made.slider.oninput = () => {
    made.dragging = true;
    made.percent.textContent = `${made.slider.value} %`;
  };
  made.slider.onchange = async () => {
    await command("volume", { volume: Number(made.slider.value) });
    made.dragging = false;
    paint(zones.get(id));
  };
  made.root = make("li", { className: "zone card" },
    make("h3", {}, made.name, made.badge), made.title, made.artist, made.progress,
    make("p", { className: "times" }, made.now, made.end), made.voice,
    make("div", { className: "buttons" }, made.toggle, made.next, made.listen),
    make("div", { className: "volume" }, made.slider, made.percent));
  return made;
}

function listen(id) {
  const audio = $("live");
  const before = listening;
  listening = listening === id ? null : id;
  if (listening) {
    const format = audio.canPlayType('audio/ogg; codecs="opus"') ? "ogg" : "wav";
    audio.src = `${API}zones/${id}/listen?format=${format}&token=${encodeURIComponent(token)}`;
    attempt(() => audio.play().catch(unlessStopped));
  } else {
    audio.pause();
    audio.removeAttribute("src");
    audio.load(); // lets go of the connection
  }
  for (const each of [before, id]) if (zones.has(each)) paint(zones.get(each));
}

function unlessStopped(error) {
  if (error.name !== "AbortError") throw error;
}

// --- Live updates ------------------------------------------------------------------------------

function connect() {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const mine = (socket = new WebSocket(`${scheme}//${location.host}${API}ws/events`));
  mine.onopen = () => mine.send(JSON.stringify({ token, ...heardOf }));
  mine.onmessage = ({ data }) => receive(JSON.parse(data));
  mine.onclose = ({ code }) => {
    if (socket !== mine) return;
    if (code === CLOSE_NOT_ALLOWED) return logOut();
    $("connection").textContent = "connecting again…";
    const wait = RECONNECT_MS[Math.min(attempts++, RECONNECT_MS.length - 1)];
    setTimeout(() => socket === mine && connect(), wait);
  };
}

function receive(message) {
  if (message.stream) {
    attempts = 0;
    $("connection").textContent = "live";
    heardOf = { stream: message.stream, sequence: message.sequence };
  } else if (message.sequence) {
    heardOf.sequence = message.sequence;
  }
  if (message.type === "state") {
    keepOnly(message.zones.map((view) => view.zone_id));
    message.zones.forEach(show);
    fillWhere();
  } else if (/^Zone(Created|Changed|Deleted)$/.test(message.type)) {
    refreshSoon(null);
  } else if (zones.has(message.zone_id) && !OF_NO_INTEREST.has(message.type)) {
    refreshSoon(message.zone_id);
  }
}

// --- Coming and going --------------------------------------------------------------------------

function enter() {
  $("login").hidden = true;
  $("building").hidden = false;
  $("logout").hidden = false;
  $("connection").textContent = "connecting…";
  connect();
}

function logOut() {
  token = null;
  heardOf = {};
  localStorage.removeItem("antiphon.token");
  if (listening) listen(listening);
  socket?.close();
  socket = null;
  zones.clear();
  $("zones").replaceChildren();
  $("connection").textContent = "";
  $("building").hidden = true;
  $("logout").hidden = true;
  $("login").hidden = false;
  $("email").focus();
}

$("login").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    const body = { email: $("email").value, password: $("password").value };
    ({ access_token: token } = await call("POST", "auth/login", body));
    localStorage.setItem("antiphon.token", token);
    $("password").value = "";
    enter();
  });
};

$("logout").onclick = logOut;

$("speak").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    const zone = $("where").value;
    await call("POST", "calls", {
      text: $("text").value, chime: $("chime").checked, ...(zone ? { zones: [zone] } : { all: true }),
    });
    $("text").value = "";
    tell("It will be heard in a moment.", true);
  });
};

$("add").onsubmit = (event) => {
  event.preventDefault();
  attempt(async () => {
    await call("POST", "zones", { name: $("zone-name").value });
    $("zone-name").value = "";
    await loadZones();
  });
};

$("live").onerror = () => {
  if (listening) { listen(listening); tell("The live sound of this zone ended."); }
};

setInterval(() => { for (const zone of zones.values()) paintPosition(zone); }, 500);

if (token) enter();
else $("login").hidden = false;
