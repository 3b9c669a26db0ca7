// The figure: its parts can be pointed at, walked through with the arrow keys, and kept.

import { reveal, svgElement } from "./dom.js";

const ZOOMS = [0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3];

export class Figure {
  constructor(box, selection) {
    this.box = box;
    this.selection = selection;
    this.zoom = null; // a factor; null: as large as fits
    this.at = "";
    box.addEventListener("mouseover", (event) => this.selection().point("figure", this.keyOf(event.target)));
    box.addEventListener("mouseleave", () => this.selection().point("figure", null));
    box.addEventListener("click", (event) => {
      const key = this.keyOf(event.target);
      if (key) this.selection().keep("figure", key);
      else this.selection().release();
    });
    box.addEventListener("focusin", (event) => this.focused(this.keyOf(event.target)));
    box.addEventListener("focusout", () => this.selection().focus("figure", null));
    box.addEventListener("keydown", (event) => this.walk(event));
  }

  show(text) {
    const had = this.box.contains(document.activeElement) && document.activeElement.id;
    this.svg = svgElement(text);
    this.svg.setAttribute("role", "group");
    this.parts = [...this.svg.querySelectorAll("g.frame, g.node")];
    for (const part of this.parts) {
      part.setAttribute("role", "button");
      part.setAttribute("tabindex", "-1");
      const title = part.querySelector(":scope > title");
      part.dataset.tip = title.textContent;
      title.remove(); // the footer says it, and a name must be what is seen
      const texts = [...part.querySelectorAll(":scope > text")];
      for (const text of texts) text.after(" ");
      const words = texts.map((text) => text.textContent).join(" ");
      part.setAttribute("aria-label", words || part.dataset.tip);
    }
    this.order = this.parts.filter((part) => part.matches(".node")).sort((a, b) => height(b) - height(a));
    this.order.push(...this.parts.filter((part) => part.matches(".frame")));
    this.box.replaceChildren(this.svg);
    const { width, height: tall } = this.svg.viewBox.baseVal;
    document.querySelector("main").classList.toggle("wide", width > 0.72 * tall);
    this.setZoom(this.zoom);
    const again = this.part(had || this.at) ?? this.order[0];
    again?.setAttribute("tabindex", "0");
    if (had && again) again.focus({ preventScroll: true });
  }

  part(key) {
    return this.parts?.find((part) => part.id === key);
  }

  keyOf(target) {
    return target.closest?.("g.frame, g.node")?.id ?? null;
  }

  focused(key) {
    if (!key) return;
    for (const part of this.parts) part.setAttribute("tabindex", part.id === key ? "0" : "-1");
    this.at = key;
    this.selection().focus("figure", key);
  }

  walk(event) {
    const step = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      if (this.at) this.selection().keep("figure", this.at);
    } else if (step && this.order?.length) {
      event.preventDefault();
      const now = this.order.findIndex((part) => part.id === this.at);
      const next = this.order[(now + step + this.order.length) % this.order.length];
      next.focus({ preventScroll: true });
      reveal(next, this.box);
    }
  }

  focus() {
    (this.part(this.at) ?? this.order?.[0])?.focus();
  }

  mark(partners, related) {
    this.box.classList.toggle("some", partners.size > 0 || related.size > 0);
    for (const part of this.parts ?? []) {
      part.classList.toggle("partner", partners.has(part.id));
      part.classList.toggle("related", related.has(part.id) && !partners.has(part.id));
    }
  }

  reveal(keys) {
    const part = this.parts?.find((each) => keys.has(each.id));
    if (part) reveal(part, this.box);
  }

  /** A factor of the figure's own size, or null for as large as fits. */
  setZoom(zoom) {
    this.zoom = zoom;
    if (!this.svg) return;
    const { width, height: tall } = this.svg.viewBox.baseVal;
    this.box.classList.toggle("fit", zoom === null);
    this.svg.setAttribute("width", zoom === null ? "100%" : `${width * zoom * 1.2}`);
    this.svg.setAttribute("height", zoom === null ? "100%" : `${tall * zoom * 1.2}`);
    this.svg.style.maxWidth = zoom === null ? `${width * 1.7}px` : "none";
  }

  step(direction) {
    const now = this.zoom ?? this.svg.getBoundingClientRect().width / (this.svg.viewBox.baseVal.width * 1.2);
    const larger = ZOOMS.find((zoom) => zoom > now * 1.05) ?? ZOOMS.at(-1);
    const smaller = ZOOMS.findLast((zoom) => zoom < now * 0.95) ?? ZOOMS[0];
    this.setZoom(direction > 0 ? larger : smaller);
  }
}

/** Where a part stands, from the top. */
function height(part) {
  const shape = part.querySelector("rect, circle, text");
  return Number(shape?.getAttribute("y") ?? shape?.getAttribute("cy") ?? 0);
}
