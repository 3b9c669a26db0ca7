// The Masks tab: a picture with a panel for each mask, which can be pointed at and walked through.

import { make, reveal, svgElement } from "./dom.js";

export class Masks {
  constructor(panel, selection) {
    this.panel = panel;
    this.groups = [];
    panel.addEventListener("mouseover", (event) => selection().point("masks", this.keyOf(event.target)));
    panel.addEventListener("mouseleave", () => selection().point("masks", null));
    panel.addEventListener("click", (event) => {
      const key = this.keyOf(event.target);
      if (key !== null) selection().keep("masks", key);
    });
    panel.addEventListener("focusin", (event) => {
      const key = this.keyOf(event.target);
      if (key !== null) selection().focus("masks", key);
    });
    panel.addEventListener("focusout", () => selection().focus("masks", null));
  }

  keyOf(target) {
    return target.closest?.("g.panel")?.dataset.key ?? null;
  }

  show({ svg, note }) {
    if (!svg) {
      this.groups = [];
      this.panel.replaceChildren(make("p", { className: "empty", textContent: note }));
      return;
    }
    const drawn = svgElement(svg);
    drawn.setAttribute("role", "group");
    this.groups = [...drawn.querySelectorAll("g.panel")];
    this.groups.forEach((group, index) => {
      group.dataset.key = index;
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "img");
      group.setAttribute("aria-label", this.nameOf(index));
    });
    this.panel.replaceChildren(make("div", { className: "picture" }, drawn));
  }

  nameOf(key) {
    const group = this.groups[key];
    return group ? [...group.querySelectorAll(":scope > text")].map((text) => text.textContent).join(" ") : "";
  }

  mark(partners, related) {
    markAll(this.groups, partners, related);
  }

  reveal(keys) {
    const group = this.groups.find((each) => keys.has(each.dataset.key));
    if (group && !this.panel.hidden) reveal(group, this.panel);
  }
}

/** Mark elements by the key in their dataset. */
export function markAll(elements, partners, related) {
  for (const each of elements) {
    each.classList.toggle("partner", partners.has(each.dataset.key));
    each.classList.toggle("related", related.has(each.dataset.key) && !partners.has(each.dataset.key));
  }
}
