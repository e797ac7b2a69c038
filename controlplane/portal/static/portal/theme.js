// Light or dark: what the system says, unless somebody has chosen. Runs before the first paint, so that nothing flashes.
(() => {
  "use strict";
  const root = document.documentElement;
  const kept = () => { try { return localStorage.getItem("portal-theme"); } catch { return null; } };
  const keep = (theme) => { try { localStorage.setItem("portal-theme", theme); } catch { /* then for this page alone */ } };
  const system = () => (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  const chosen = kept();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;
  addEventListener("DOMContentLoaded", () => {
    for (const button of document.querySelectorAll("[data-theme-switch]")) {
      const say = () => { button.textContent = (root.dataset.theme || system()) === "dark" ? "Light mode" : "Dark mode"; };
      button.hidden = false;
      say();
      button.addEventListener("click", () => {
        root.dataset.theme = (root.dataset.theme || system()) === "dark" ? "light" : "dark";
        keep(root.dataset.theme);
        say();
      });
    }
  });
})();
