/* The console's own script, without a library:
   1. parts of a page that renew themselves: <div data-live="URL" data-live-seconds="2">; the answer may say when to ask next
      (X-Live-Seconds) and answers 304 while nothing has changed; a hidden page does not ask;
   2. times: <time datetime> shown as "3 min ago", <span data-since> counting on, and <time data-until> counting down;
   3. copy buttons, filters that send themselves, plans that follow a choice, a short name made from a name, and no double sending. */
(() => {
  "use strict";

  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const relative = new Intl.RelativeTimeFormat("en", { numeric: "always", style: "short" });

  function ago(date) {
    const seconds = Math.round((date - Date.now()) / 1000);
    for (const [unit, size] of units) {
      if (Math.abs(seconds) >= size) return relative.format(Math.round(seconds / size), unit);
    }
    return seconds > 0 ? "in a moment" : seconds > -10 ? "just now" : `${-seconds} s ago`;
  }

  function lasted(seconds) {
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  }

  function left(seconds) {
    if (seconds < 7200) return lasted(seconds);
    const hours = Math.floor(seconds / 3600);
    return hours < 48 ? `${hours} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min` : `${Math.floor(hours / 24)} days`;
  }

  function tick(root) {
    root.querySelectorAll("time[data-relative]").forEach((element) => {
      const date = new Date(element.dateTime);
      if (!element.title) element.title = element.textContent.trim();
      element.textContent = "due" in element.dataset && date < Date.now() ? "as soon as a worker is free" : ago(date);
    });
    root.querySelectorAll("time[data-until]").forEach((element) => {
      const seconds = (new Date(element.dateTime) - Date.now()) / 1000;
      if (!element.title) element.title = element.textContent.trim();
      element.textContent = seconds > 0 ? `for ${left(seconds)}` : "no longer";
    });
    root.querySelectorAll("[data-since]").forEach((element) => {
      element.textContent = lasted(Math.max(0, (Date.now() - new Date(element.dataset.since)) / 1000));
    });
  }

  function swap(part, html) {
    const open = [...part.querySelectorAll("details[id]")].map((d) => [d.id, d.open]);
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.innerHTML = html;
    for (const [id, wasOpen] of open) {
      const details = document.getElementById(id);
      if (details) details.open = wasOpen;
    }
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
    tick(part);
    announce(part);
  }

  function announce(part) {
    const said = part.querySelector("[data-announce]")?.dataset.announce ?? "";
    const voice = document.getElementById("cp-voice");
    if (voice && said && voice.textContent !== said) voice.textContent = said;
  }

  function live(part) {
    let etag = "";
    let timer = 0;
    const note = document.querySelector(`[data-live-note="${part.id}"]`);

    function say(text, lost) {
      if (!note) return;
      note.textContent = text;
      note.classList.toggle("is-lost", lost);
    }

    function again(seconds) {
      clearTimeout(timer);
      timer = setTimeout(ask, seconds * 1000);
    }

    async function ask() {
      if (document.hidden) return;
      let seconds = Number(part.dataset.liveSeconds) || 5;
      try {
        const answer = await fetch(part.dataset.live, {
          credentials: "same-origin", cache: "no-store", redirect: "manual", headers: etag ? { "If-None-Match": etag } : {},
        });
        if (answer.type === "opaqueredirect" || answer.status === 403) { location.reload(); return; }
        if (answer.status === 200) {
          etag = answer.headers.get("ETag") ?? "";
          swap(part, await answer.text());
        } else if (answer.status !== 304) {
          throw new Error(String(answer.status));
        }
        seconds = Number(answer.headers.get("X-Live-Seconds")) || seconds;
        say("Live", false);
      } catch {
        seconds = Math.max(seconds, 5);
        say("No connection. Trying again", true);
      }
      again(seconds);
    }

    document.addEventListener("visibilitychange", () => { if (!document.hidden) ask(); });
    again(Number(part.dataset.liveSeconds) || 5);
  }

  function copy(event) {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    navigator.clipboard?.writeText(button.dataset.copy).then(() => {
      button.classList.add("is-done");
      const voice = document.getElementById("cp-voice");
      if (voice) voice.textContent = "Copied";
      setTimeout(() => button.classList.remove("is-done"), 1500);
    });
  }

  function sendOnChange(event) {
    const form = event.target.closest("form[data-send-on-change]");
    if (!form) return;
    form.querySelectorAll("input, select").forEach((field) => { if (!field.value) field.disabled = true; });
    form.requestSubmit();
  }

  const choices = ["tier", "cell", "grace_days", "overlap", "limited", "value", "ends", "until",
    "rate_per_second", "burst", "quota_per_day", "quota_per_month", "concurrency"];

  let asked = null;
  let typing = 0;

  // Who types a number sees what it changes before the next press.
  function whileTyping(event) {
    if (event.target.type !== "number") return;
    clearTimeout(typing);
    typing = setTimeout(() => preview(event), 250);
  }

  async function preview(event) {
    const form = event.target.closest("form");
    const plan = form?.querySelector("[data-preview]");
    if (!plan || !choices.includes(event.target.name)) return;
    const choice = new URLSearchParams({ fragment: "1" });
    for (const name of choices) {
      const value = new FormData(form).get(name);
      if (value !== null) choice.set(name, value);
    }
    const mine = asked = {};
    plan.setAttribute("aria-busy", "true");
    const answer = await fetch(`${plan.dataset.preview}?${choice}`, { credentials: "same-origin", redirect: "manual" });
    if (answer.status !== 200) { location.reload(); return; }
    const html = await answer.text();
    if (mine !== asked) return;  // something else was typed meanwhile
    plan.innerHTML = html;
    plan.removeAttribute("aria-busy");
    form.querySelector("[data-preview-empty]")?.remove();
  }

  function suggest(form) {
    const [name, slug] = [form.elements.name, form.elements.slug];
    if (!(name instanceof HTMLInputElement) || !(slug instanceof HTMLInputElement)) return;
    let own = slug.value !== "";
    slug.addEventListener("input", () => { own = slug.value !== ""; });
    name.addEventListener("input", () => {
      if (own) return;
      slug.value = name.value.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").replace(/ß/g, "ss").toLowerCase()
        .replace(/[^a-z0-9]+/g, "-").slice(0, 40).replace(/^-+|-+$/g, "");
    });
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.addEventListener("change", preview);
    document.addEventListener("input", whileTyping);
    document.querySelectorAll("form.cp-confirm").forEach((form) => {
      suggest(form);
      form.addEventListener("submit", () => { form.querySelectorAll("button[type=submit]").forEach((button) => { button.disabled = true; }); });
    });
    document.querySelectorAll("[data-live]").forEach(live);
    tick(document);
    setInterval(() => tick(document), 1000);
    document.addEventListener("click", copy);
    document.addEventListener("change", sendOnChange);
  });
  // A page kept by the browser's back button may show a state, or a password, of long ago.
  window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
})();
