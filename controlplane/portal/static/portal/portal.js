// What the pages about keys do beyond the forms that work without a script: copy, save a file, count down, guard. It makes no request.
"use strict";

(function () {
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));

  // A form that is on its way is not sent twice: the second answer would come without the key's text.
  function sendOnce() {
    all("form[data-once]").forEach((form) => {
      form.addEventListener("submit", (event) => {
        if (form.dataset.sent) { event.preventDefault(); return; }
        form.dataset.sent = "1";
        all("button[type=submit]", form).forEach((button) => button.setAttribute("aria-disabled", "true"));
      });
    });
    // Coming back to a page that the browser kept: its form may be sent again.
    window.addEventListener("pageshow", (event) => {
      if (!event.persisted) return;
      all("form[data-once]").forEach((form) => {
        delete form.dataset.sent;
        all("button[aria-disabled]", form).forEach((button) => button.removeAttribute("aria-disabled"));
      });
    });
  }

  // A field that belongs to one choice is shown with it.
  function showWhenChosen() {
    all("[data-shows-when]").forEach((part) => {
      const [name, value] = part.dataset.showsWhen.split("=");
      const choices = all(`input[name="${name}"]`);
      const look = () => { part.hidden = !choices.some((choice) => choice.checked && choice.value === value); };
      choices.forEach((choice) => choice.addEventListener("change", look));
      look();
    });
  }

  function words(seconds) {
    if (seconds <= 0) return "0 s";
    const days = Math.floor(seconds / 86400);
    const hours = Math.floor((seconds % 86400) / 3600);
    const minutes = Math.floor((seconds % 3600) / 60);
    if (days >= 60) return `${days} days`;
    if (days) return `${days} day${days === 1 ? "" : "s"}${hours ? ` ${hours} h` : ""}`;
    if (hours) return minutes ? `${hours} h ${minutes} min` : `${hours} h`;
    return minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
  }
  function countDown() {
    const clocks = all("time[data-countdown]");
    if (!clocks.length) return;
    const look = () => clocks.forEach((clock) => {
      const left = words((Date.parse(clock.dateTime) - Date.now()) / 1000);
      if (clock.textContent !== left) clock.textContent = left;
    });
    look();
    window.setInterval(look, 1000);
  }

  async function copy(field) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      // Without TLS, or without the right to: select it, and let the older way try.
      field.focus();
      field.select();
      return document.execCommand("copy");
    }
  }

  function saveAs(name, text) {
    const address = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    const link = document.createElement("a");
    link.href = address;
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    window.setTimeout(() => URL.revokeObjectURL(address), 1000);
  }

  function reveal() {
    const page = document.querySelector("[data-reveal]");
    if (!page) return;
    const secret = page.querySelector("[data-secret]");
    const told = page.querySelector("[data-told]");
    const box = page.querySelector("[data-stored-box]");
    let wanted = true;
    all("[data-needs-script]", page).forEach((part) => { part.hidden = false; });
    secret.addEventListener("focus", () => secret.select());
    page.querySelector("[data-copy]").addEventListener("click", async () => {
      told.textContent = (await copy(secret)) ? "Copied." : "Select the text and copy it by hand.";
    });
    const file = page.querySelector("[data-download]");
    file.addEventListener("click", () => {
      saveAs(file.dataset.download, `${file.dataset.variable}=${secret.value}\n`);
      told.textContent = `Saved as ${file.dataset.download}.`;
    });
    box.addEventListener("change", () => { wanted = !box.checked; });
    window.addEventListener("beforeunload", (event) => { if (wanted) event.preventDefault(); });
    // A browser may keep a page that was left, to show it again: not with this text.
    window.addEventListener("pagehide", () => { secret.value = ""; secret.textContent = ""; });
  }

  // A button that copies what stands in the field it names, and says so beside it.
  function copyFields() {
    all("[data-copies]").forEach((button) => {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const told = document.getElementById(button.getAttribute("aria-describedby"));
        told.textContent = (await copy(document.getElementById(button.dataset.copies))) ? "Copied." : "Select the text and copy it by hand.";
      });
    });
  }

  // Whoever has to wait sees how long, and has the button back when the time is over.
  function waitFor() {
    const clock = document.querySelector("[data-wait]");
    if (!clock) return;
    const until = Date.now() + 1000 * Number(clock.dataset.wait);
    const buttons = all("form[data-after-wait] button[type=submit]");
    buttons.forEach((button) => { button.disabled = true; });
    const look = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      if (left > 0) {
        clock.textContent = `${left} second${left === 1 ? "" : "s"}`;
        window.setTimeout(look, 250);
        return;
      }
      clock.textContent = "no time: it can be sent now";
      buttons.forEach((button) => { button.disabled = false; button.focus(); });
    };
    look();
  }

  function start() {
    copyFields();
    waitFor();
    sendOnce();
    showWhenChosen();
    countDown();
    reveal();
    const errors = document.querySelector("[data-errors]");
    if (errors) errors.focus();
  }

  start();
})();
