// Weights and costs: totals, shares of the parts, formulas, and a row for every weight.

import { breakable, byId, make, reveal } from "./dom.js";
import { bytes, formula, short, whole } from "./numbers.js";

const NAMES = { feed_forward: "feed-forward", head: "head" };
const DTYPES = ["float32", "bfloat16", "float16"];
const BATCHES = [1, 2, 4, 8, 16, 32, 64, 128, 256];

export class Costs {
  /** options: dtype and batch, shared with the page; changed: called when one is chosen */
  constructor(panel, { selection, options, changed }) {
    this.panel = panel;
    this.selection = selection;
    this.options = options;
    this.changed = changed;
    this.rows = [];
    panel.addEventListener("mouseover", (event) => this.selection().point("weights", this.keyOf(event.target)));
    panel.addEventListener("mouseleave", () => this.selection().point("weights", null));
    panel.addEventListener("click", (event) => {
      const key = this.keyOf(event.target);
      if (key !== null) this.selection().keep("weights", key);
    });
    panel.addEventListener("focusin", (event) => {
      const key = this.keyOf(event.target);
      if (key === null) return;
      this.rows.forEach((row, index) => { row.tabIndex = String(index) === key ? 0 : -1; });
      this.selection().focus("weights", key);
    });
    panel.addEventListener("focusout", () => this.selection().focus("weights", null));
    panel.addEventListener("keydown", (event) => this.walk(event));
  }

  keyOf(target) {
    return target.closest?.("tr[data-key]")?.dataset.key ?? null;
  }

  walk(event) {
    const key = this.keyOf(event.target);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (key === null || (!step && event.key !== "Enter")) return;
    event.preventDefault();
    if (event.key === "Enter") this.selection().keep("weights", key);
    else this.rows[Math.min(Math.max(Number(key) + step, 0), this.rows.length - 1)].focus();
  }

  show({ costs, note }) {
    const top = this.panel.scrollTop;
    const focused = this.keyOf(document.activeElement);
    const { weights, flops, activations, decoding, cache_bytes: cache } = costs;
    const cards = [
      ["Parameters", short(weights.total), weights.active < weights.total ? `${short(weights.active)} active per token` : bytes(weights.bytes)],
      ["Forward pass", short(flops.forward, "FLOP"), `${whole(costs.sequence)} tokens, batch ${costs.batch}`],
      ["Activations", bytes(activations.cpu), `${bytes(activations.checkpointed)} with checkpointing`],
      ["Cache", cache ? bytes(cache) : "none", decoding ? `${short(decoding.flops, "FLOP")} per step` : "no decoding"],
    ];
    this.panel.replaceChildren(
      this.controls(note),
      make("dl", { className: "cards" }, ...cards.map(([name, value, more]) =>
        make("div", {}, make("dt", { textContent: name }), make("dd", {}, make("b", { textContent: value }), make("span", { textContent: more }))))),
      shares("Parameters by part", weights.parts),
      shares("FLOPs by part", flops.parts),
      make("dl", { className: "formulas" },
        make("dt", { textContent: "FLOPs" }), make("dd", { textContent: formula(flops.formula) }),
        make("dt", { textContent: "of these, scores" }), make("dd", { textContent: formula(costs.scores.formula) }),
        make("dt", { textContent: "B, S, T, M" }), make("dd", { textContent: "batch size; number of keys, queries, memory tokens" })),
      this.table(weights),
    );
    this.panel.scrollTop = top;
    if (focused !== null) this.rows[focused]?.focus({ preventScroll: true });
  }

  controls(note) {
    const choose = (name, values) => make("label", {}, `${name} `, make("select", {
      on: { change: (event) => {
        this.options[name] = name === "batch" ? Number(event.target.value) : event.target.value;
        this.changed();
      } },
    }, ...values.map((value) => make("option", { value, textContent: value, selected: value === this.options[name] }))));
    return make("div", { className: "controls" }, choose("dtype", DTYPES), choose("batch", BATCHES),
      ...(note ? [make("span", { className: "hint", textContent: note })] : []));
  }

  table({ rows, total }) {
    const most = Math.max(...rows.map((row) => row.count * row.copies), 1);
    this.rows = rows.map((row, index) => {
      const count = row.count * row.copies;
      const [, head, tail] = /^(?:(.*\{layer\})\.)?(.*)$/.exec(row.name);
      const bar = make("i", { className: `hue ${row.part}` });
      bar.style.width = `${(100 * count) / most}%`;
      return make("tr", { data: { key: index }, tabIndex: index ? -1 : 0 },
        make("td", { className: "name", title: row.name }, make("span", { className: `dot hue ${row.part}` }), make("code", {}, ...breakable(tail)),
          make("small", {}, ...(head ? breakable(`${head} × ${row.copies || "shared"}`) : []))),
        make("td", { title: row.expression }, make("span", { textContent: row.shape.map(whole).join(" × ") }), make("small", {}, ...breakable(row.expression.replaceAll("*", "·")))),
        make("td", { className: "number", title: row.tied && `tied to ${row.tied}` }, row.tied ? make("small", { textContent: "tied" }) : whole(count), make("span", { className: "share" }, bar)));
    });
    const head = ["Weight", "Shape", "Parameters"].map((name, index) => make("th", { textContent: name, scope: "col", className: index === 2 ? "number" : "" }));
    return make("table", { className: "weights" },
      make("caption", { textContent: `${rows.length} weights, ${whole(total)} parameters` }),
      make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...this.rows));
  }

  mark(partners, related) {
    this.rows.forEach((row, index) => {
      row.classList.toggle("partner", partners.has(String(index)));
      row.classList.toggle("related", related.has(String(index)) && !partners.has(String(index)));
    });
  }

  reveal(keys) {
    const row = this.rows[Math.min(...[...keys].map(Number))];
    if (row && !this.panel.hidden) reveal(row, this.panel);
  }

  focus() {
    this.rows.find((row) => row.tabIndex === 0)?.focus();
  }
}

/** A bar of parts, and what each of them is. */
function shares(title, parts) {
  const all = Object.values(parts).reduce((sum, each) => sum + each, 0) || 1;
  const some = Object.entries(parts).filter(([, value]) => value);
  const bar = make("div", { className: "bar", attributes: { "aria-hidden": "true" } }, ...some.map(([part, value]) => {
    const piece = make("i", { className: `hue ${part}` });
    piece.style.flexGrow = value / all;
    return piece;
  }));
  const key = make("ul", { className: "key" }, ...some.map(([part, value]) => make("li", {},
    make("span", { className: `dot hue ${part}` }), NAMES[part] ?? part, make("b", { textContent: ` ${((100 * value) / all).toFixed(1)} %` }))));
  return make("section", { className: "shares" }, make("h3", { textContent: title }), bar, key);
}

/** The totals beside the sliders, with what changed since the spec was opened. */
export class Totals {
  constructor() {
    this.first = null;
  }

  reset() {
    this.first = null;
  }

  show(costs) {
    const now = {
      parameters: [costs.weights.total, short],
      forward: [costs.flops.forward, (value) => short(value, "FLOP")],
      activations: [costs.activations.cpu, bytes],
      cache: [costs.cache_bytes, bytes],
    };
    this.first ??= now;
    const box = byId("totals");
    box?.replaceChildren(...Object.entries(now).map(([name, [value, write]]) => {
      const before = this.first[name][0];
      const factor = before && value !== before ? `× ${(value / before).toPrecision(3)}` : "";
      return make("div", {}, make("dt", { textContent: name }), make("dd", {}, make("b", { textContent: value ? write(value) : "none" }), make("span", { textContent: factor })));
    }));
  }
}
