// Tabs, panes of narrow screens, splitters, menus and dialogs.

import { byId, make } from "./dom.js";

export const TABS = ["code", "weights", "masks", "resolved", "difference", "attention"];

/** The tabs of the outputs; `shown` is called with the name of the one that is open. */
export class Tabs {
  constructor(shown) {
    this.shown = shown;
    this.open = "code";
    for (const name of TABS) {
      const tab = byId(`tab-${name}`);
      tab.addEventListener("click", () => this.show(name));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
        if (!step) return;
        const next = TABS[(TABS.indexOf(name) + step + TABS.length) % TABS.length];
        this.show(next);
        byId(`tab-${next}`).focus();
      });
    }
    this.display(this.open);
  }

  show(name) {
    if (!TABS.includes(name)) return;
    this.display(name);
    byId(`tab-${name}`).scrollIntoView({ block: "nearest", inline: "nearest" });
    this.shown(name);
  }

  display(name) {
    this.open = name;
    for (const each of TABS) {
      byId(`tab-${each}`).setAttribute("aria-selected", String(each === name));
      byId(`tab-${each}`).tabIndex = each === name ? 0 : -1;
      byId(`panel-${each}`).hidden = each !== name;
    }
  }
}

/** One pane at a time where the screen is narrow. */
export function views() {
  const buttons = [...document.querySelectorAll("#views button")];
  const show = (view) => {
    document.querySelector("main").dataset.view = view;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view));
  return show;
}

/** Lines between the panes that can be dragged, or moved with the arrow keys. */
export function splitters() {
  const main = document.querySelector("main");
  for (const splitter of document.querySelectorAll(".splitter")) {
    const name = splitter.dataset.for;
    const pane = splitter.previousElementSibling;
    const set = (width) => {
      const share = Math.min(Math.max((100 * width) / main.clientWidth, 15), 60);
      main.style.setProperty(`--${name}`, `${share}%`);
      splitter.setAttribute("aria-valuenow", String(Math.round(share)));
    };
    splitter.setAttribute("aria-valuemin", "15");
    splitter.setAttribute("aria-valuemax", "60");
    splitter.setAttribute("aria-valuenow", "30");
    splitter.addEventListener("pointerdown", (event) => {
      splitter.setPointerCapture(event.pointerId);
      const left = pane.getBoundingClientRect().left;
      const move = (now) => set(now.clientX - left);
      splitter.addEventListener("pointermove", move);
      splitter.addEventListener("pointerup", () => splitter.removeEventListener("pointermove", move), { once: true });
    });
    splitter.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: -24, ArrowRight: 24 }[event.key];
      if (!step) return;
      event.preventDefault();
      set(pane.getBoundingClientRect().width + step);
    });
  }
}

/** A button that opens a menu of [label, action] pairs. */
export function menu(button, list, entries) {
  const items = entries.map(([label, action]) => make("li", { attributes: { role: "none" } },
    make("button", { textContent: label, tabIndex: -1, attributes: { role: "menuitem" }, on: { click: () => { close(); action(); } } })));
  list.replaceChildren(...items);
  const buttons = items.map((item) => item.firstChild);
  const close = () => {
    list.hidden = true;
    button.setAttribute("aria-expanded", "false");
  };
  const open = () => {
    list.hidden = false;
    button.setAttribute("aria-expanded", "true");
    const { right, bottom } = button.getBoundingClientRect();
    list.style.top = `${bottom + 6}px`;
    list.style.right = `${Math.max(8, innerWidth - right)}px`;
    buttons[0].focus();
  };
  button.addEventListener("click", () => (list.hidden ? open() : close()));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      close();
      button.focus();
    } else if (step) {
      event.preventDefault();
      const next = buttons.indexOf(document.activeElement) + step + buttons.length;
      buttons[next % buttons.length].focus();
    }
  });
  document.addEventListener("pointerdown", (event) => {
    if (!list.hidden && !list.contains(event.target) && !button.contains(event.target)) close();
  });
}

/** A dialog of examples that can be filtered by name and description. */
export function exampleDialog(examples, chosen) {
  const dialog = byId("example-dialog");
  const filter = byId("example-filter");
  const list = byId("example-list");
  const said = (text) => text.split("\n").filter((line) => line.startsWith("#")).map((line) => line.slice(1).trim()).join(" ");
  const items = Object.entries(examples).map(([name, text]) => {
    const words = said(text);
    const item = make("li", {}, make("button", { on: { click: () => { dialog.close(); chosen(name); } } }, make("code", { textContent: name }), make("span", { textContent: words })));
    return { item, name, words: `${name} ${text}`.toLowerCase() };
  });
  list.replaceChildren(...items.map(({ item }) => item));
  const narrow = () => {
    const wanted = filter.value.toLowerCase().split(/\s+/);
    const named = (each) => wanted.every((word) => each.name.includes(word));
    for (const { item, words } of items) item.hidden = !wanted.every((word) => words.includes(word));
    items.sort((one, other) => named(other) - named(one) || one.name.localeCompare(other.name));
    list.append(...items.map(({ item }) => item));
  };
  filter.addEventListener("input", narrow);
  dialog.addEventListener("keydown", (event) => {
    const seen = items.filter(({ item }) => !item.hidden).map(({ item }) => item.firstChild);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && event.target === filter) {
      event.preventDefault(); // else the button that opened the dialog gets the key
      seen[0]?.click();
    }
    if (!step || !seen.length) return;
    event.preventDefault();
    const now = seen.indexOf(document.activeElement);
    seen[Math.min(Math.max(now + step, 0), seen.length - 1)].focus();
  });
  outside(dialog);
  byId("examples").addEventListener("click", () => {
    filter.value = "";
    narrow();
    dialog.showModal();
    filter.focus();
  });
}

/** A click beside a dialog closes it. */
export function outside(dialog) {
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
}
