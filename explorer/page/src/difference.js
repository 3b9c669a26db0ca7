// The Difference tab: this spec compared with an example, or with the text as it was opened.

import { make, reveal, svgElement } from "./dom.js";
import { bytes, change, short, whole } from "./numbers.js";

export const OPENED = "as opened";
const COSTS = [
  ["weights", "parameters", short],
  ["flops.forward", "forward pass", (value) => short(value, "FLOP")],
  ["activations.cpu", "activations", bytes],
  ["activation_bytes", "activations", bytes],
  ["cache_bytes", "cache", bytes],
];

export class Difference {
  /**
   * chosen: called when another spec is chosen; go: jumps to a line of the spec; a row stands for
   * the value of the resolved spec that it shows
   */
  constructor(panel, { names, chosen, go, selection }) {
    this.go = go;
    this.panel = panel;
    this.rows = [];
    const key = (target) => target.closest?.("tr[data-key]")?.dataset.key || null;
    panel.addEventListener("mouseover", (event) => selection().point("resolved", key(event.target)));
    panel.addEventListener("mouseleave", () => selection().point("resolved", null));
    panel.addEventListener("focusin", (event) => selection().focus("resolved", key(event.target)));
    panel.addEventListener("focusout", () => selection().focus("resolved", null));
    this.select = make("select", { on: { change: chosen } }, ...[OPENED, ...names].map((name) => make("option", { value: name, textContent: name })));
    this.result = make("div", { className: "result" });
    panel.append(make("div", { className: "controls" }, make("label", {}, "compare with the spec ", this.select)), this.result);
  }

  get other() {
    return this.select.value;
  }

  show(answer, names) {
    this.rows = [];
    if (answer.equal) {
      this.result.replaceChildren(make("p", { className: "empty", textContent: `Nothing differs from ${names[0] === OPENED ? "the text as opened" : names[0]}: every resolved value is equal.` }));
      return;
    }
    const head = (...texts) => make("thead", {}, make("tr", {}, ...texts.map((text) => make("th", { textContent: text, scope: "col" }))));
    const value = (side) => make("td", {}, side ? make("code", { textContent: side.value }) : make("small", { textContent: "not set" }));
    const rows = answer.changes.map((each) => make("tr", { data: { key: each.resolved[0] ?? "", lines: each.resolved.join(" ") } },
      make("td", {}, each.line
        ? make("button", { className: "link", on: { click: () => this.go(each.line) } }, pathOf(each.path))
        : pathOf(each.path), ...(each.also.length ? [make("small", { textContent: ` and ${each.also.length} more` })] : [])),
      value(each.before), value(each.after)));
    const costs = COSTS.filter(([key]) => key in answer.cost).map(([key, name, write]) => {
      const { before, after } = answer.cost[key];
      return make("tr", {}, make("td", { textContent: name }), ...[before, after].map((each) => make("td", { textContent: each ? write(each) : "none", title: whole(each) })),
        make("td", { textContent: change(before, after, write) || "same" }));
    });
    this.rows = rows;
    this.result.replaceChildren(
      make("div", { className: "picture" }, svgElement(answer.svg)),
      make("table", {}, make("caption", { textContent: `${rows.length} ${rows.length === 1 ? "difference" : "differences"}` }), head("Value", ...names), make("tbody", {}, ...rows)),
      make("table", {}, make("caption", { textContent: "Costs" }), head("", ...names, "difference"), make("tbody", {}, ...costs)),
    );
  }

  mark(partners, related) {
    for (const row of this.rows) {
      const lines = row.dataset.lines.split(" ");
      const isOne = lines.some((line) => partners.has(line));
      row.classList.toggle("partner", isOne);
      row.classList.toggle("related", !isOne && lines.some((line) => related.has(line)));
    }
  }

  reveal(keys) {
    const row = this.rows.find((each) => each.dataset.lines.split(" ").some((line) => keys.has(line)));
    if (row && !this.panel.hidden) reveal(row, this.panel);
  }

  fail(message) {
    this.rows = [];

    this.result.replaceChildren(make("p", { className: "empty", textContent: message }));
  }
}

/** A path that breaks behind its dots only. */
function pathOf(path) {
  const steps = path.split(/(?<=\.|->)/);
  return make("code", { className: "path" }, ...steps.flatMap((step) => [step, make("wbr")]));
}
