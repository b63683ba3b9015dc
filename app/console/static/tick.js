// Ticking all letters of a page, and how many are ticked.
"use strict";

function count() {
  const boxes = [...document.querySelectorAll("input.tick")];
  const ticked = boxes.filter((one) => one.checked).length;
  const all = document.querySelector("[data-tick-all]");
  if (all) {
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
  }
  for (const one of document.querySelectorAll("[data-ticked]")) one.textContent = ticked ? `${ticked} ticked` : "";
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tick-all]")) {
    for (const one of document.querySelectorAll("input.tick")) one.checked = event.target.checked;
  }
  count();
});
addEventListener("pageshow", count);
