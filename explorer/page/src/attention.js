// The Attention tab: what each head reads in a text, and the next token.

import { byId, make } from "./dom.js";

const FULL = 65535; // a weight of 1
const FACTS = { "first token": () => 0, itself: (q) => q, "previous token": (q) => q - 1 };
const SIDE = 76; // pixels of a small map
const SHOWN = 40; // next tokens

/** Weights of heads, T x S, from 16-bit numbers in base64. */
function unpack(text, [heads, queries, keys]) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const numbers = new DataView(bytes.buffer);
  return Array.from({ length: heads }, (_, h) => Array.from({ length: queries }, (_, q) =>
    Float32Array.from({ length: keys }, (_, k) => numbers.getUint16(2 * ((h * queries + q) * keys + k), true) / FULL)));
}

/** What the queries of a self-attention read most, as in figures: `previous token 62 %`. */
function mostly(rows) {
  if (rows.length !== rows[0].length || rows.length < 3) return "";
  const means = Object.entries(FACTS).map(([name, keyOf]) => {
    const some = rows.slice(1).map((row, index) => row[keyOf(index + 1)]);
    return [some.reduce((sum, each) => sum + each, 0) / some.length, name];
  });
  const [share, name] = means.sort((one, other) => other[0] - one[0])[0];
  return `${name} ${(100 * share).toFixed(0)} %`;
}

const percent = (value) => `${(100 * value).toFixed(1)} %`;

export class Attention {
  /** run: asks for a run of (prompt, target) and resolves to the answer */
  constructor(panel, { run }) {
    this.panel = panel;
    this.run = run;
    this.chosen = { map: 0, head: 0, query: null };
    this.prompt = make("input", { type: "text", value: "To be, or not to be", maxLength: 400, size: 28 });
    this.target = make("input", { type: "text", value: "", maxLength: 400, size: 16, placeholder: "what the model writes" });
    this.targetLabel = make("label", { hidden: true }, "target ", this.target);
    this.temperature = range({ min: 0.05, max: 3, step: 0.05, value: 1 }, () => this.showNext());
    this.topK = range({ min: 1, max: SHOWN, step: 1, value: 10 }, () => this.showNext());
    const form = make("form", { className: "controls", on: { submit: (event) => { event.preventDefault(); this.start(); } } },
      make("label", {}, "text ", this.prompt), this.targetLabel, make("button", { type: "submit", textContent: "Run" }));
    this.state = make("p", { className: "hint", attributes: { role: "status" } });
    this.result = make("div", { className: "result" });
    panel.append(form, this.state, this.result);
  }

  /** Run the model of the present spec, unless its result is shown already. */
  async show(text) {
    if (this.text !== text) await this.start(text);
  }

  async start(text) {
    this.state.textContent = "running the model …";
    const answer = await this.run(this.prompt.value, this.target.value || null);
    if (answer === null) return;
    if (text !== undefined) this.text = text;
    this.state.textContent = answer.error ?? answer.note;
    this.panel.dataset.state = answer.error ? "failed" : "done";
    if (answer.error) {
      this.result.replaceChildren();
      return;
    }
    this.answer = answer;
    this.maps = answer.maps.map((map) => ({ ...map, heads: unpack(map.weights, map.shape) }));
    this.targetLabel.hidden = Object.keys(answer.tokens).length < 2;
    const { map, head } = this.chosen;
    if (!this.maps[map]?.heads[head]) this.chosen = { map: 0, head: 0, query: null };
    this.chosen.query = null;
    this.draw();
  }

  draw() {
    this.reading = make("section", { className: "reading", attributes: { "aria-live": "polite" } });
    this.next = make("section", { className: "next" });
    this.cells = [];
    const rows = this.maps.map((map, index) => make("div", { className: "heads" }, make("h4", { textContent: map.name }),
      ...map.heads.map((rows, head) => this.small(rows, index, head))));
    const grid = make("section", { className: "grid", attributes: { "aria-label": "layers by heads" } }, ...rows);
    this.result.replaceChildren(this.reading, make("div", { className: "columns" }, grid, this.next));
    this.showReading();
    this.showNext();
  }

  /** A small map that chooses its head. */
  small(rows, map, head) {
    const canvas = make("canvas", { width: rows[0].length, height: rows.length });
    const scale = SIDE / Math.max(rows.length, rows[0].length);
    canvas.style.width = `${rows[0].length * scale}px`;
    canvas.style.height = `${rows.length * scale}px`;
    paint(canvas, rows);
    const fact = mostly(rows);
    const name = `${this.maps[map].name}, head ${head}${fact ? `: ${fact}` : ""}`;
    const button = make("button", { title: name, attributes: { "aria-label": name }, on: { click: () => this.choose({ map, head }) } }, canvas);
    this.cells.push({ button, map, head });
    return button;
  }

  choose(some) {
    if (some.map !== undefined && some.map !== this.chosen.map) this.chosen.query = null;
    Object.assign(this.chosen, some);
    this.showReading();
  }

  /** The tokens that the chosen query reads, each with its share. */
  showReading() {
    const { map, head } = this.chosen;
    const { name, queries, keys, heads } = this.maps[map];
    const rows = heads[head];
    const names = { queries: this.answer.tokens[queries] ?? [], keys: this.answer.tokens[keys] ?? [] };
    const query = this.chosen.query ?? rows.length - 1;
    for (const cell of this.cells) cell.button.setAttribute("aria-pressed", String(cell.map === map && cell.head === head));
    const token = (list, index) => list[index] ?? String(index);
    const choose = rows.map((_, index) => make("button", { className: "token", textContent: token(names.queries, index),
      attributes: { "aria-pressed": String(index === query) }, on: { click: () => { this.choose({ query: index }); this.reading.querySelectorAll(".queries .token")[index].focus(); } } }));
    const read = [...rows[query]].map((weight, index) => {
      const each = make("span", { className: "token", title: percent(weight) }, token(names.keys, index), make("small", { textContent: percent(weight) }));
      each.style.setProperty("--weight", weight.toFixed(3));
      return each;
    });
    this.reading.replaceChildren(
      make("h3", { textContent: `${name}, head ${head}` }),
      make("p", { className: "queries" }, make("b", { textContent: "query " }), ...choose),
      make("p", { className: "keys" }, make("b", { textContent: "reads " }), ...read));
  }

  /** The next token for the temperature and top-k of the sliders. */
  showNext() {
    const next = this.answer?.next;
    if (!next) {
      this.next?.replaceChildren(make("p", { className: "hint", textContent: "No next token: this model has no language-model head of a decoder." }));
      return;
    }
    const temperature = Number(this.temperature.value);
    const count = Math.min(Number(this.topK.value), next.names.length);
    const powers = next.logits.slice(0, count).map((logit) => Math.exp((logit - next.logits[0]) / temperature));
    const total = powers.reduce((sum, each) => sum + each, 0);
    const rows = next.names.slice(0, count).map((name, index) => {
      const bar = make("i", {});
      bar.style.width = `${(100 * powers[index]) / total}%`;
      return make("tr", {}, make("td", {}, make("code", { textContent: name })), make("td", { className: "number" }, percent(powers[index] / total), make("span", { className: "share" }, bar)));
    });
    const label = (text, input) => make("label", {}, `${text} ${input.value}`, input);
    const focused = document.activeElement;
    this.next.replaceChildren(make("h3", { textContent: "Next token" }), label("temperature", this.temperature), label("top-k", this.topK),
      make("table", {}, make("tbody", {}, ...rows)));
    if (focused === this.temperature || focused === this.topK) focused.focus();
  }
}

function range(properties, input) {
  return make("input", { type: "range", ...properties, on: { input } });
}

/** Weights as shades of the accent, masked pairs as nothing. */
function paint(canvas, rows) {
  const context = canvas.getContext("2d");
  const dark = document.documentElement.dataset.theme === "dark";
  const [from, to] = dark ? [[26, 32, 41], [166, 210, 246]] : [[244, 248, 252], [8, 48, 107]];
  const picture = context.createImageData(rows[0].length, rows.length);
  rows.forEach((row, q) => row.forEach((weight, k) => {
    const place = 4 * (q * row.length + k);
    const share = Math.sqrt(weight);
    for (let i = 0; i < 3; i += 1) picture.data[place + i] = from[i] + share * (to[i] - from[i]);
    picture.data[place + 3] = weight ? 255 : 0;
  }));
  context.putImageData(picture, 0, 0);
}

/** The attention panel of the page. */
export function attentionPanel(run) {
  return new Attention(byId("panel-attention"), { run });
}
