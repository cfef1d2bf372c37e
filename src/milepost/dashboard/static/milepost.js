// Milepost's pages work without this; with it they keep themselves fresh.
"use strict";

const PART = "Milepost-Part";
const page = document;

// --- times: in the viewer's zone, which the hub learns for the next page -------------------------

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const zoneKnown = page.cookie.includes("milepost_zone=" + zone);
if (!zoneKnown) {
  page.cookie = "milepost_zone=" + zone + "; Path=/; SameSite=Lax; Max-Age=31536000";
}

const clocks = {
  minutes: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" },
};
const day = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric", year: "numeric" });

function spanText(seconds) {
  const steps = [[86400, "d"], [3600, "h"], [60, "min"]];
  const parts = [];
  let left = Math.floor(seconds);
  for (const [size, unit] of steps) {
    const count = Math.floor(left / size);
    left -= count * size;
    if (count || parts.length) parts.push(count ? count + " " + unit : "");
  }
  return parts.length ? parts.slice(0, 2).filter(Boolean).join(" ") : left + " s";
}

function agoText(moment) {
  const past = (Date.now() - moment) / 1000;
  if (past < 0) return "in " + spanText(-past);
  return past < 5 ? "just now" : spanText(past) + " ago";
}

function showTimes(inside, all) {
  for (const one of inside.querySelectorAll("time[data-time]")) {
    const kind = one.dataset.time;
    const moment = new Date(one.dateTime);
    let text = one.textContent;
    if (kind === "ago") text = agoText(moment);
    else if (all) text = day.format(moment) + ", " + new Intl.DateTimeFormat("en-US", clocks[kind]).format(moment);
    if (text !== one.textContent) one.textContent = text;
    if (all && !one.dataset.local) {
      one.dataset.local = zone;
      one.title = (kind === "ago" ? day.format(moment) + ", " + new Intl.DateTimeFormat("en-US", clocks.seconds).format(moment) + " " + zone + " · " : "") + one.title;
    }
  }
}

// --- parts: HTML from the hub takes the place of what was there -----------------------------------

const FOCUSED = "a[href], button, input, select, textarea, summary, [tabindex]";

const later = new Map();

// Nothing is taken away from under whoever types, reads a fold or answers a dialog.
function isHeld(element) {
  const typing = element.contains(page.activeElement) && page.activeElement.matches("input, select, textarea");
  return typing || element.querySelector("dialog[open], details[open]");
}

function put(element, html) {
  later.delete(element);
  if (element.dataset.shown === html) return;
  if (isHeld(element)) { later.set(element, html); return; }
  const held = element.contains(page.activeElement) ? page.activeElement : null;
  const turn = [...element.querySelectorAll(FOCUSED)].indexOf(held);
  element.innerHTML = html;
  element.dataset.shown = html;
  showTimes(element, true);
  if (!held) return;
  const same = held.id ? page.getElementById(held.id) : element.querySelectorAll(FOCUSED)[turn];
  if (same && same.textContent === held.textContent) same.focus({ preventScroll: true });
}

function putWhatWaits() {
  for (const [element, html] of [...later]) if (element.isConnected) put(element, html); else later.delete(element);
}

// The button that opened a dialog may be another one by now: the browser knows the old one only.
function goBackToOpener(event) {
  const opener = event.target.id && page.querySelector('[data-opens="' + CSS.escape(event.target.id) + '"]');
  if (opener && page.activeElement === page.body) opener.focus({ preventScroll: true });
}
page.addEventListener("close", goBackToOpener, true);
for (const name of ["close", "toggle", "focusout"]) page.addEventListener(name, () => setTimeout(putWhatWaits), true);

function partsNamed(name) {
  return page.querySelectorAll('[data-part="' + CSS.escape(name) + '"]');
}

function connected(is) {
  const sign = page.querySelector("[data-connection]");
  if (sign) sign.hidden = is;
}

function loggedOut(answer) {
  if (!answer.redirected || !new URL(answer.url).pathname.startsWith("/log-in")) return false;
  location.assign("/log-in?next=" + encodeURIComponent(location.pathname + location.search));
  return true;
}

async function fetchPart(element) {
  const url = element.dataset.url || location.pathname + location.search;
  try {
    const answer = await fetch(url, { headers: { [PART]: element.dataset.part } });
    if (loggedOut(answer)) return;
    connected(answer.status !== 503);
    if (answer.ok) put(element, await answer.text());
  } catch {
    connected(false);
  }
}

function keepFresh(element) {
  const every = Math.max(1, Number(element.dataset.every)) * 1000;
  const next = async () => {
    if (!page.hidden) await fetchPart(element);
    setTimeout(next, every);
  };
  setTimeout(next, every);
}

// --- events: closed while nobody looks, as a browser keeps few connections to one host ------------

// Whether what the page shows was taken away while nobody could tell it; the page then says so.
async function isGone() {
  try {
    const answer = await fetch(location.pathname + location.search);
    if (loggedOut(answer)) return true;
    if (answer.status !== 404) return false;
  } catch {
    return false;
  }
  location.reload();
  return true;
}

function listen(element) {
  let source = null;
  const names = (element.dataset.listens || element.dataset.part || "").split(" ").filter(Boolean);
  const close = () => { source?.close(); source = null; };
  const open = () => {
    if (source || page.hidden) return;
    source = new EventSource(element.dataset.events);
    source.onopen = () => connected(true);
    source.onerror = async () => {
      connected(false);
      if (!source || source.readyState !== EventSource.CLOSED) return;
      close();
      if (!(await isGone())) setTimeout(open, 3000);
    };
    source.addEventListener("over", () => location.reload());
    for (const name of names) {
      source.addEventListener(name, (event) => {
        connected(true);
        for (const part of partsNamed(name)) put(part, event.data);
      });
    }
  };
  page.addEventListener("visibilitychange", () => (page.hidden ? close() : open()));
  addEventListener("pagehide", close);
  open();
}

// --- forms ----------------------------------------------------------------------------------------

function ask(text, label) {
  const box = page.createElement("dialog");
  box.className = "confirm";
  const title = page.createElement("h2");
  title.id = "confirm-title";
  title.textContent = text;
  box.setAttribute("aria-labelledby", title.id);
  const form = page.createElement("form");
  form.method = "dialog";
  const buttons = page.createElement("div");
  buttons.className = "buttons";
  for (const [value, words, kind] of [["", "Cancel", "quiet"], ["yes", label, "main"]]) {
    const button = page.createElement("button");
    button.value = value;
    button.textContent = words;
    button.className = "button " + kind;
    buttons.append(button);
  }
  form.append(buttons);
  box.append(title, form);
  page.body.append(box);
  return new Promise((done) => {
    box.addEventListener("close", () => { box.remove(); done(box.returnValue === "yes"); });
    box.showModal();
  });
}

async function sendInPlace(form, button) {
  const names = form.dataset.inPlace.split(" ");
  const told = new URLSearchParams(new FormData(form, button));
  form.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, { method: "POST", body: told });
    if (loggedOut(answer)) return;
    const found = new DOMParser().parseFromString(await answer.text(), "text/html");
    const ready = names.every((name) => found.querySelector('[data-part="' + CSS.escape(name) + '"]'));
    if (!ready) { location.assign(answer.url); return; }
    for (const name of names) {
      const html = found.querySelector('[data-part="' + CSS.escape(name) + '"]').innerHTML;
      for (const part of partsNamed(name)) { part.innerHTML = html; part.dataset.shown = html; showTimes(part, true); }
    }
    const said = found.getElementById("flash");
    const flash = page.getElementById("flash");
    if (said && flash) flash.innerHTML = said.innerHTML;
    connected(true);
  } catch {
    connected(false);
  } finally {
    form.removeAttribute("aria-busy");
  }
}

page.addEventListener("submit", async (event) => {
  const form = event.target;
  const button = event.submitter;
  if (form.dataset.confirm && !form.dataset.confirmed) {
    event.preventDefault();
    if (!(await ask(form.dataset.confirm, button?.textContent.trim() || "Yes"))) return;
    form.dataset.confirmed = "yes";
    form.requestSubmit(button);
    delete form.dataset.confirmed;
    return;
  }
  if ("themeSwitch" in form.dataset && button) {
    event.preventDefault();
    page.cookie = "milepost_theme=" + button.value + "; Path=/; SameSite=Lax; Max-Age=31536000";
    page.documentElement.dataset.theme = button.value;
    for (const one of form.querySelectorAll("button")) one.setAttribute("aria-pressed", String(one === button));
    return;
  }
  if (form.dataset.inPlace) {
    event.preventDefault();
    await sendInPlace(form, button);
    return;
  }
  if (form.method === "post") {
    if (form.getAttribute("aria-busy") === "true") { event.preventDefault(); return; }
    form.setAttribute("aria-busy", "true");
  }
});

// Coming back with the browser's button must not find a form that waits for ever.
addEventListener("pageshow", () => {
  for (const form of page.querySelectorAll("form[aria-busy]")) form.removeAttribute("aria-busy");
});

page.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) page.getElementById(opener.dataset.opens)?.showModal();
  const copier = event.target.closest("[data-copies]");
  if (copier) {
    const from = page.getElementById(copier.dataset.copies);
    from.select();
    navigator.clipboard?.writeText(from.value).then(() => { copier.textContent = "Copied"; }, () => {});
  }
  for (const menu of page.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

page.addEventListener("change", (event) => {
  if ("submits" in event.target.dataset) event.target.form.requestSubmit();
});

page.addEventListener("input", (event) => {
  const list = page.getElementById(event.target.dataset.filters || "");
  if (!list) return;
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const one of list.querySelectorAll("[data-words]")) {
    one.hidden = !words.every((word) => one.dataset.words.includes(word));
  }
  for (const group of list.querySelectorAll("[data-group]")) {
    group.hidden = !group.querySelector("[data-words]:not([hidden])");
  }
});

page.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    for (const menu of page.querySelectorAll("details[data-menu][open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  const typing = event.target.closest("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const wanted = page.querySelector('[data-key="' + CSS.escape(event.key) + '"]');
  if (wanted) { event.preventDefault(); wanted.focus(); wanted.select(); }
});

// --- begin ----------------------------------------------------------------------------------------

showTimes(page, true);
setInterval(() => showTimes(page, false), 15000);
for (const element of page.querySelectorAll("[data-part][data-every]")) keepFresh(element);
for (const element of page.querySelectorAll("[data-events]")) listen(element);
for (const mark of page.querySelectorAll("[data-open-now]")) page.getElementById(mark.dataset.openNow)?.showModal();
const retry = page.querySelector("[data-retry]");
if (retry) setTimeout(() => location.reload(), Number(retry.dataset.retry) * 1000);
page.documentElement.dataset.ready = "yes";
