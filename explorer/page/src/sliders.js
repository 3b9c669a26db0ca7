// Sliders for the sizes of a spec. They edit the number in the YAML text.

import { make } from "./dom.js";
import { whole } from "./numbers.js";

const TOKENS = Array.from({ length: 18 }, (_, power) => 2 ** power);

export class Sliders {
  /** write: puts a number at a place of the text; tokens: gets the sequence length for costs */
  constructor(box, { write, tokens }) {
    this.box = box;
    this.write = write;
    this.tokens = tokens;
    this.rows = make("div", { className: "rows" });
    this.length = this.row("tokens", TOKENS, 1024, (value) => this.tokens(value));
    box.append(
      make("div", { className: "sliders" }, this.rows, ...this.length.cells),
      make("dl", { id: "totals" }),
    );
    this.shape = "";
  }

  /** One slider per size; those that stay are kept, so that a drag goes on. */
  show(sizes) {
    const shape = JSON.stringify(sizes.map(({ key, stacks }) => [key, stacks]));
    const many = (key) => sizes.filter((size) => size.key === key).length > 1;
    if (shape !== this.shape) {
      this.shape = shape;
      this.sliders = sizes.map((size, index) => {
        const name = many(size.key) ? `${size.stacks.join(", ")} ${size.key}` : size.key;
        return this.row(name, size.values, size.value, (value) => this.write(index, String(value)));
      });
      this.rows.replaceChildren(...this.sliders.flatMap((slider) => slider.cells));
    }
    this.sliders.forEach((slider, index) => slider.set(sizes[index].values, sizes[index].value));
  }

  /** The sequence length that costs are for. */
  showTokens(sequence) {
    this.length.set(TOKENS.includes(sequence) ? TOKENS : [...TOKENS, sequence].sort((a, b) => a - b), sequence);
  }

  row(name, values, value, chosen) {
    const output = make("output");
    const input = make("input", { type: "range", min: 0, step: 1, attributes: { "aria-label": name } });
    const slider = { values, cells: [make("span", { className: "name", textContent: name, title: name }), input, output] };
    const say = (number) => {
      output.textContent = whole(number);
      input.setAttribute("aria-valuetext", whole(number));
      input.style.setProperty("--filled", `${(100 * Number(input.value)) / Math.max(1, Number(input.max))}%`);
    };
    slider.set = (choices, number) => {
      slider.values = choices;
      input.max = choices.length - 1;
      if (document.activeElement !== input || choices[input.value] !== number) input.value = Math.max(0, choices.indexOf(number));
      say(number);
    };
    input.addEventListener("input", () => {
      const number = slider.values[Number(input.value)];
      say(number);
      chosen(number);
    });
    slider.set(values, value);
    return slider;
  }

  focus() {
    this.box.querySelector("input")?.focus();
  }
}
