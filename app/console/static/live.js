// What the console's pages do by themselves. Everything works without it: it adds what is fresh.
"use strict";

// ---- fragments: parts of the page that the server sends again when they have changed ----

const main = document.querySelector("main[data-live]");
const state = document.getElementById("live-state");

function say(name, text) {
  if (!state || state.textContent === text) return;
  state.hidden = false;
  state.dataset.state = name;
  state.textContent = text;
}

// What became different is read to those who cannot see it; a figure that moves is not.
function announce(text) {
  const said = document.getElementById("live-said");
  if (said) said.textContent = text.replace(/\s+/g, " ").trim();
}

// An element that somebody types in is left alone until they are done.
function isBusy(element) {
  const active = document.activeElement;
  if (!active || !element.contains(active)) return false;
  return active.matches("input, textarea, select");
}

function swap(target, html) {
  const old = document.getElementById(target);
  if (!old || isBusy(old)) return;
  const box = document.createElement("template");
  box.innerHTML = html.trim();
  const fresh = box.content.firstElementChild;
  if (!fresh) return;
  const open = new Set([...old.querySelectorAll("details[open][id]")].map((one) => one.id));
  for (const one of fresh.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true;
  const scrolled = [...old.querySelectorAll("[data-keep-scroll]")].map((one) => one.scrollLeft);
  const focus = old.contains(document.activeElement) ? pathOf(document.activeElement, old) : null;
  prepare(fresh);
  if (fresh.dataset.say && fresh.dataset.say !== old.dataset.say) announce(fresh.textContent);
  old.replaceWith(fresh);
  fresh.querySelectorAll("[data-keep-scroll]").forEach((one, i) => (one.scrollLeft = scrolled[i] || 0));
  const again = focus && at(focus, fresh);
  if (again) again.focus({ preventScroll: true });
  fresh.dispatchEvent(new CustomEvent("fragment", { bubbles: true }));
}

// Where an element is inside another: its id or address, else its place among those like it.
function pathOf(element, root) {
  const href = element.getAttribute("href");
  const like = element.id
    ? `#${CSS.escape(element.id)}`
    : href ? `${element.localName}[href="${CSS.escape(href)}"]` : element.localName;
  return { like, place: [...root.querySelectorAll(like)].indexOf(element) };
}

function at(path, root) {
  return root.querySelectorAll(path.like)[path.place];
}

// A page that nobody looks at does not listen: browsers keep few connections to one server.
let source = null;

function listen() {
  if (source || document.hidden) return;
  source = new EventSource(main.dataset.live);
  const alive = () => say("live", "live");
  source.addEventListener("open", alive);
  source.addEventListener("beat", alive);
  source.addEventListener("fragment", (event) => {
    alive();
    const { target, html } = JSON.parse(event.data);
    swap(target, html);
  });
  source.addEventListener("trouble", () => say("away", "waiting"));
  source.addEventListener("done", () => {
    hush();
    document.removeEventListener("visibilitychange", mind);
    say("live", "done");
  });
  source.addEventListener("error", () => {
    say("away", "reconnecting");
    if (!source || source.readyState !== EventSource.CLOSED) return;
    // Refused, not interrupted: asked again later, and by a page load where the session ended.
    hush();
    setTimeout(async () => {
      const answer = await fetch(main.dataset.live, { method: "HEAD" }).catch(() => null);
      if (answer && answer.status === 401) location.reload();
      else listen();
    }, 3000);
  });
}

function hush() {
  if (source) source.close();
  source = null;
}

function mind() {
  if (document.hidden) hush();
  else listen();
}

// ---- times: relative, and kept so ----

const units = [["d", 86400], ["h", 3600], ["min", 60]];

function span(seconds) {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  for (const [unit, size] of units) if (seconds >= size) return `${Math.round(seconds / size)} ${unit}`;
  return `${Math.round(seconds)} s`;
}

// The server's clock, as the page was made by it; this machine's may be wrong.
let ahead = 0;

function refreshTimes(root = document) {
  for (const one of root.querySelectorAll("time[data-ago]")) {
    const seconds = (Date.now() + ahead - Date.parse(one.dateTime)) / 1000;
    const far = span(Math.abs(seconds));
    one.textContent = Math.abs(seconds) < 1 ? "now" : seconds > 0 ? `${far} ago` : `in ${far}`;
  }
}

// ---- buttons that need a script are hidden without one ----

function prepare(root) {
  for (const one of root.querySelectorAll("[data-copy], [data-theme-switch]")) one.hidden = false;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {
    const area = document.createElement("textarea");
    area.value = button.dataset.copy;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  button.classList.add("done");
  setTimeout(() => button.classList.remove("done"), 1200);
}

const themes = ["system", "light", "dark"];

function switchTheme(button) {
  const root = document.documentElement;
  const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
  root.dataset.theme = next;
  document.cookie = `orderly_theme=${next}; path=/console; max-age=31536000; samesite=strict`;
  button.title = `Theme: ${next}`;
  button.setAttribute("aria-label", button.title);
}

// ---- forms that ask first ----

function confirmFirst(form, submitter, said) {
  const dialog = document.createElement("dialog");
  const title = document.createElement("h2");
  title.id = "dialog-title";
  const asked = (submitter && submitter.dataset.confirmTitle) || form.dataset.confirmTitle;
  title.textContent = asked || (submitter && submitter.textContent.trim()) || "Are you sure?";
  const text = document.createElement("p");
  text.textContent = said;
  const actions = document.createElement("div");
  actions.className = "actions";
  const no = document.createElement("button");
  no.type = "button";
  no.className = "button quiet";
  no.textContent = "Go back";
  const yes = document.createElement("button");
  yes.type = "button";
  yes.className = `button primary ${submitter && submitter.classList.contains("danger") ? "danger" : ""}`;
  yes.textContent = (submitter && submitter.textContent.trim()) || "Continue";
  actions.append(no, yes);
  dialog.append(title, text, actions);
  dialog.setAttribute("aria-labelledby", title.id);
  document.body.append(dialog);
  no.addEventListener("click", () => dialog.close());
  yes.addEventListener("click", () => {
    dialog.close();
    form.dataset.confirmed = "yes";
    form.requestSubmit(submitter || undefined);
  });
  dialog.addEventListener("close", () => dialog.remove());
  dialog.showModal();
  no.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  const needed = (event.submitter && event.submitter.dataset.confirm) || form.dataset.confirm;
  if (needed && form.dataset.confirmed !== "yes") {
    event.preventDefault();
    confirmFirst(form, event.submitter, needed);
    return;
  }
  delete form.dataset.confirmed;
  if (form.method !== "post") return;
  // Sent once: a second click while the answer is on its way changes nothing.
  if (form.dataset.sent === "yes") event.preventDefault();
  form.dataset.sent = "yes";
});

addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.copy !== undefined) copy(button);
  if (button.dataset.themeSwitch !== undefined) switchTheme(button);
});

const made = document.documentElement.dataset.at;
if (made) ahead = Date.parse(made) - Date.now();
prepare(document);
refreshTimes();
const current = document.querySelector(".nav [aria-current]");
if (current) current.scrollIntoView({ block: "nearest", inline: "center" });
setInterval(refreshTimes, 5000);
if (main) {
  document.addEventListener("visibilitychange", mind);
  addEventListener("pagehide", hush);
  addEventListener("pageshow", listen);
  listen();
}
