// Comfort only: the page is complete without it.
"use strict";
(() => {
  const groups = [...document.querySelectorAll(".group")];
  const tools = document.getElementById("tools");
  if (!tools) return;
  tools.hidden = false;
  const shown = () => groups.filter((group) => !group.hidden);
  const toggle = (open) => shown().forEach((group) => {
    const details = group.querySelector("details.full");
    if (details) details.open = open;
  });
  document.getElementById("expand").addEventListener("click", () => toggle(true));
  document.getElementById("collapse").addEventListener("click", () => toggle(false));
  const texts = groups.map((group) => group.textContent.toLowerCase());
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    groups.forEach((group, index) => {
      group.hidden = !words.every((word) => texts[index].includes(word));
    });
    document.getElementById("matches").textContent =
      words.length ? `${shown().length} of ${groups.length} groups` : "";
  });
})();
