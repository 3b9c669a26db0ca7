// The page: it asks the server about the text and shows the answers in every pane.

import { python } from "@codemirror/lang-python";
import { yaml } from "@codemirror/lang-yaml";
import { ask, AskError, PLACE, takeToken } from "./ask.js";
import { attentionPanel } from "./attention.js";
import { Costs, Totals } from "./costs.js";
import { Difference, OPENED } from "./difference.js";
import { byId, download, make } from "./dom.js";
import { Editor } from "./editor.js";
import { Figure } from "./figure.js";
import { exampleDialog, menu, outside, splitters, Tabs, views } from "./layout.js";
import { Listing } from "./listing.js";
import { Masks } from "./masks.js";
import { keep, recall } from "./memory.js";
import { duration, short, whole } from "./numbers.js";
import { Selection } from "./select.js";
import { pack, unpack } from "./share.js";
import { Sliders } from "./sliders.js";
import { Steps } from "./steps.js";

const nonce = document.querySelector("script[nonce]").nonce;
const ALWAYS = { before: true, isLast: () => true }; // of a question that stands for itself
const WATCH = 1000; // milliseconds between looks at the file
const LONGEST = 100_000; // characters that the server reads; a spec may have fewer
const UNREADABLE = 3; // looks at a file that is not there until the page says so
const KEEP = 400; // milliseconds from an answer to the new address

class Page {
  constructor(start, fragment) {
    this.start = start;
    this.options = { depth: depthOf(fragment), costs: false, theme: preferredTheme(), batch: 1, dtype: "float32", sequence: null };
    this.source = { name: "spec.yaml", folder: "examples", text: "" }; // what was opened
    this.answers = {};
    this.filled = {}; // tab -> the answer that it shows
    this.steps = new Steps({ figure: (turn) => this.askFigure(turn), code: (turn) => this.askCode(turn), links: (turn) => this.askLinks(turn), tab: (turn) => this.askTab(turn) }, {
      ready: () => this.keepFragment(),
      failed: (error) => this.tell(error instanceof AskError ? error.message : `The page failed: ${error.message}`, "bad"),
    });
    const selection = () => this.selection;
    this.editor = new Editor(byId("editor"), { schema: start.schema, words: start.words, nonce, selection, changed: () => this.changed() });
    this.figure = new Figure(byId("figure"), selection);
    this.code = new Listing(byId("panel-code"), { pane: "code", label: "PyTorch file", language: python(), nonce, selection });
    this.resolved = new Listing(byId("panel-resolved"), { pane: "resolved", label: "Resolved spec", language: yaml(), nonce, selection });
    this.costs = new Costs(byId("panel-weights"), { selection, options: this.options, changed: () => this.steps.again("code", "tab") });
    this.totals = new Totals();
    this.sliders = new Sliders(byId("sizes"), {
      write: (index, text) => this.editor.write(index, text),
      tokens: (length) => { this.options.sequence = length; this.steps.again("code", "tab"); },
    });
    this.difference = new Difference(byId("panel-difference"), { names: Object.keys(start.examples), chosen: () => this.steps.again("tab"), go: (line) => this.editor.go(line), selection });
    this.attention = attentionPanel((prompt, target) => this.runModel(prompt, target), selection);
    this.masks = new Masks(byId("panel-masks"), selection);
    const values = together(this.resolved, this.difference); // both show values of the resolved spec
    const panes = { yaml: this.editor, figure: this.figure, code: this.code, weights: this.costs, resolved: values, masks: this.masks, maps: this.attention };
    this.selection = new Selection(panes, (place, found, kept) => this.tellSelection(place, found, kept));
    this.tabs = new Tabs(() => this.turnTo());
    this.controls();
  }

  // -- opening a text

  open(text, { name, folder }) {
    this.source = { name, folder, text };
    this.options.sequence = null;
    this.totals.reset();
    byId("file").textContent = name;
    document.title = `${name} – Modelwright explorer`;
    if (this.editor.text === text) this.changed();
    else this.editor.text = text;
  }

  openExample(name) {
    this.open(this.start.examples[name], { name: `${name}.yaml`, folder: "examples" });
    this.editor.view.scrollDOM.scrollTo(0, 0);
  }

  changed() {
    byId("revert").hidden = this.editor.text === this.source.text;
    this.steps.again("figure", "code", "links", "tab");
  }

  // -- asking

  askFigure(turn) {
    return this.ask("figure", (answer) => this.showFigure(answer), turn);
  }

  askCode(turn) {
    return this.ask("code", (answer) => this.showCode(answer), turn);
  }

  askLinks(turn) {
    return this.ask("links", (answer) => {
      this.showLinks(answer);
      this.tellTime(performance.now() - turn.began);
    }, turn);
  }

  /** What the open tab shows, where that is asked for only when it is open. */
  async askTab(turn) {
    const tab = this.tabs.open;
    if (tab === "masks") return this.askMasks(turn);
    if (tab === "difference") return this.askDifference(turn);
    if (tab === "attention" && (await turn.before) !== false && turn.isLast()) await this.attention.show(`${this.options.theme} ${this.editor.text}`);
    return true;
  }

  async askMasks(turn) {
    const shown = await this.ask("masks", (answer) => this.masks.show(answer), turn);
    if (shown === false && !byId("panel-masks").childElementCount) this.masks.show({ note: "No masks: the spec has errors." });
    this.selection.show();
    return shown;
  }

  /** Ask a question and show its answer; false for a text with problems, null where a newer question overtook it. */
  async ask(what, show, turn = ALWAYS, more = {}) {
    const { batch, sequence, dtype, depth, costs, theme } = this.options;
    const text = this.editor.text;
    const { name, folder } = this.source;
    const answer = text.length > LONGEST ? tooLong(text) : await ask("answer", { ask: what, text, name, folder, batch, sequence, dtype, depth, costs, theme, ...more });
    const isGood = await turn.before;
    if (answer === null || isGood === false || !turn.isLast() || text !== this.editor.text) return isGood === false ? false : null;
    if (!["svg", "code", "links", "data"].some((key) => key in answer)) {
      if (!("other" in more)) this.showProblems(answer.problems);
      return false;
    }
    show(answer);
    return true;
  }

  /** Attention maps and next tokens of the present spec; null where a newer run overtook it. */
  async runModel(prompt, target) {
    const { name, folder } = this.source;
    return ask("run", { text: this.editor.text, name, folder, prompt, target });
  }

  /** Save the figure in a format that the server draws. */
  async exportFigure(format) {
    await this.ask("export", ({ data, note }) => {
      if (note) this.tell(note, "bad");
      else this.save(format, Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0)), { png: "image/png", pdf: "application/pdf" }[format]);
    }, ALWAYS, { format });
  }

  async askDifference(turn) {
    const { other } = this.difference;
    const text = other === OPENED ? this.source.text : this.start.examples[other];
    const names = other === OPENED ? OPENED : `${other}.yaml`;
    const shown = await this.ask("difference", (answer) => {
      this.difference.show(answer, answer.names);
      this.selection.show();
    }, turn, { other: text, other_name: names });
    if (shown === false && (await turn.before) !== false) this.difference.fail(`Nothing to compare: this spec, or the one ${other === OPENED ? names : `of ${names}`}, has errors.`);
    return true;
  }

  // -- showing

  showProblems(problems) {
    const errors = problems.filter((each) => each.severity === "error");
    this.editor.showProblems(problems);
    byId("problems").replaceChildren(...problems.map(({ severity, message, from }) =>
      make("button", { className: severity, on: { click: () => this.editor.go(...from) } }, make("b", { textContent: `${from[0]}:${from[1]}` }), worded(message))));
    document.body.classList.toggle("stale", errors.length > 0 && "figure" in this.answers);
    if (errors.length) this.tell(`${errors.length} ${errors.length === 1 ? "error" : "errors"}`, "bad");
  }

  showFigure(answer) {
    this.answers.figure = answer;
    this.showProblems(answer.problems);
    this.figure.show(answer.svg);
    this.editor.follow(answer.sizes);
    this.sliders.show(answer.sizes);
  }

  showCode(answer) {
    this.answers.code = answer;
    this.fill();
    this.sliders.showTokens(answer.costs.sequence);
    this.totals.show(answer.costs);
  }

  showLinks(answer) {
    this.answers.links = answer;
    this.fill();
    this.selection.setLinks(answer.links);
  }

  /** Show the last answer in the tab that is open; the others do so when they are opened. */
  fill() {
    const { code, links } = this.answers;
    const [answer, show] = {
      code: [code, () => this.code.show(code.code)],
      weights: [code, () => this.costs.show(code)],
      resolved: [links, () => this.resolved.show(links.resolved)],
    }[this.tabs.open] ?? [];
    if (!answer || this.filled[this.tabs.open] === answer) return;
    show();
    this.filled[this.tabs.open] = answer;
  }

  /** A tab was opened. */
  turnTo() {
    this.fill();
    this.selection.show();
    this.steps.again("tab");
  }

  tell(text, state = "") {
    byId("status").textContent = text;
    byId("status").className = state;
  }

  tellTime(time) {
    const { figure, code } = this.answers;
    if (figure && code) this.tell(`${figure.class} · ${short(code.costs.weights.total)} parameters · ${duration(time)}`, "good");
  }

  /** The footer: what is selected and how many partners it has. */
  tellSelection(place, found, kept) {
    const box = byId("selection");
    document.body.classList.toggle("selecting", Boolean(place));
    if (!place) {
      box.replaceChildren(make("span", { className: "hint", textContent: "Hover over a line, a box or a weight to highlight the matching parts in every pane. Click to pin the highlight." }));
      return;
    }
    const count = (pane, one, many) => {
      const marked = found[pane];
      const number = marked.partners.size || marked.related.size;
      return number && pane !== place.pane ? [make("span", { className: marked.partners.size ? "count" : "count related", textContent: `${number} ${number === 1 ? one : many}` })] : [];
    };
    box.replaceChildren(
      make("b", { textContent: this.nameOf(place) }),
      ...count("yaml", "line of YAML", "lines of YAML"), ...count("figure", "part", "parts"),
      ...count("code", "line of code", "lines of code"), ...count("weights", "weight", "weights"), ...count("resolved", "resolved value", "resolved values"),
      ...count("masks", "mask", "masks"),
      ...(kept ? [make("span", { className: "kept", textContent: "pinned; Esc clears" })] : []));
  }

  nameOf({ pane, key }) {
    if (pane === "figure") return this.figure.part(key)?.dataset.tip ?? "";
    if (pane === "masks") return this.masks.nameOf(key);
    if (pane === "maps") return this.attention.nameOf(key);
    if (pane === "weights") return this.answers.code?.costs.weights.rows[key]?.name ?? "";
    return `${{ yaml: this.source.name, code: this.answers.code?.file, resolved: "resolved spec" }[pane]}:${key}`;
  }

  // -- controls

  controls() {
    splitters();
    const show = views();
    exampleDialog(this.start.examples, (name) => this.openExample(name));
    menu(byId("export"), byId("export-menu"), [
      ["Spec (.yaml)", () => this.save("yaml", this.editor.text, "application/yaml")],
      ["PyTorch file (.py)", () => this.save("py", this.answers.code?.code, "text/x-python")],
      ["Figure (.svg)", () => this.save("svg", this.answers.figure?.svg, "image/svg+xml")],
      ["Figure (.png)", () => this.exportFigure("png")],
      ["Figure (.pdf)", () => this.exportFigure("pdf")],
      ["Resolved spec (.yaml)", () => this.save("resolved.yaml", this.answers.links?.resolved, "application/yaml")],
      ["Costs (.json)", () => this.save("json", JSON.stringify(this.answers.code?.costs, null, 2), "application/json")],
    ]);
    byId("share").hidden = PLACE === "notebook"; // a frame has no address
    byId("share").addEventListener("click", () => this.share());
    byId("revert").addEventListener("click", () => { this.editor.text = this.source.text; });
    byId("help").addEventListener("click", () => byId("help-dialog").showModal());
    outside(byId("help-dialog"));
    byId("depth").value = this.options.depth;
    byId("depth").addEventListener("change", (event) => { this.options.depth = event.target.value; this.steps.again("figure", "links"); });
    byId("with-costs").addEventListener("change", (event) => { this.options.costs = event.target.checked; this.steps.again("figure", "links"); });
    byId("zoom-in").addEventListener("click", () => this.figure.step(1));
    byId("zoom-out").addEventListener("click", () => this.figure.step(-1));
    byId("zoom-fit").addEventListener("click", () => this.figure.setZoom(null));
    byId("theme").addEventListener("click", () => this.setTheme(this.options.theme === "dark" ? "light" : "dark"));
    this.setTheme(this.options.theme);
    const places = [
      () => { show("spec"); this.editor.view.focus(); },
      () => { show("figure"); this.figure.focus(); },
      () => { show("output"); this.focusOutput(); },
      () => { show("spec"); this.sliders.focus(); },
    ];
    addEventListener("keydown", (event) => {
      if (event.altKey && "1234".includes(event.key)) {
        event.preventDefault();
        places[event.key - 1]();
      } else if (event.key === "Escape" && !document.querySelector("dialog[open]")) this.selection.release();
    });
    addEventListener("hashchange", () => this.openFragment(takeToken(location.hash)));
  }

  focusOutput() {
    const panes = { code: this.code.view, resolved: this.resolved.view, weights: this.costs };
    (panes[this.tabs.open] ?? byId(`panel-${this.tabs.open}`)).focus();
  }

  setTheme(theme) {
    this.options.theme = theme;
    document.documentElement.dataset.theme = theme;
    byId("theme").setAttribute("aria-pressed", String(theme === "dark"));
    keep("theme", theme);
    if (this.source.text) this.steps.again("figure", "tab");
  }

  save(ending, text, type) {
    const isStale = ending !== "yaml" && document.body.classList.contains("stale");
    if (text === undefined || isStale) this.tell("Nothing to export: the spec has errors", "bad");
    else download(`${this.answers.figure?.name ?? "spec"}.${ending}`, text, type);
  }

  // -- the address

  async fragment() {
    const parts = new URLSearchParams({ spec: await pack(this.editor.text), name: this.source.name });
    if (this.source.folder !== "examples") parts.set("folder", this.source.folder);
    if (this.tabs.open !== "code") parts.set("tab", this.tabs.open);
    if (this.options.depth !== "block") parts.set("depth", this.options.depth);
    return parts.toString();
  }

  /** Put the spec into the address, a little later: browsers limit how often that may be done. */
  keepFragment() {
    if (PLACE === "notebook") return;
    clearTimeout(this.keeping);
    this.keeping = setTimeout(async () => history.replaceState(null, "", `#${await this.fragment()}`), KEEP);
  }

  async openFragment(parts) {
    const text = parts.has("spec") ? await unpack(parts.get("spec")) : null;
    if (parts.has("spec") && text === null) notice("The spec in this address is damaged or too long; the page shows another spec.", ["Close", () => { byId("notice").hidden = true; }]);
    this.tabs.show(parts.get("tab") ?? this.tabs.open);
    this.options.depth = byId("depth").value = depthOf(parts, this.options.depth);
    const name = /^[\w .-]{1,80}$/.test(parts.get("name") ?? "") ? parts.get("name") : "spec.yaml";
    const folder = parts.get("folder") === "spec" && this.start.file ? "spec" : "examples";
    if (text !== null) this.open(text, { name, folder });
    return text !== null;
  }

  async share() {
    const address = `${location.href.split("#")[0]}#${await this.fragment()}`;
    clearTimeout(this.keeping);
    history.replaceState(null, "", address);
    try {
      await navigator.clipboard.writeText(address);
      this.tell("Link copied", "good");
    } catch {
      this.tell("The link is in the address bar", "good");
    }
  }

  // -- the file on disk

  async watch() {
    let digest = this.start.file.digest;
    let failed = 0;
    for (;;) {
      await new Promise((done) => { setTimeout(done, WATCH); });
      if (document.hidden) continue;
      const answer = await ask("file", { digest }).catch(() => null);
      if (answer && !answer.readable && (failed += 1) === UNREADABLE) notice(`${this.start.file.name} cannot be read any more. The page keeps its text, and looks again each second.`);
      else if (answer?.readable && failed) {
        if (failed >= UNREADABLE) byId("notice").hidden = true;
        failed = 0;
      }
      if (!answer?.file) continue;
      digest = answer.file.digest;
      const load = () => { byId("notice").hidden = true; this.open(answer.file.text, { name: answer.file.name, folder: "spec" }); };
      if (this.editor.text === this.source.text) load();
      else notice(`${answer.file.name} changed on disk.`, ["Load it", load], ["Keep this text", () => { byId("notice").hidden = true; }]);
    }
  }
}

/** Several panes that show the same items. */
function together(...panes) {
  return {
    mark: (partners, related) => panes.forEach((pane) => pane.mark(partners, related)),
    reveal: (keys) => panes.forEach((pane) => pane.reveal(keys)),
  };
}

/** The level of detail in an address, if the page has it; otherwise another one. */
function depthOf(parts, usual = "block") {
  const known = Array.from(byId("depth").options, (option) => option.value);
  return known.includes(parts.get("depth")) ? parts.get("depth") : usual;
}

/** The answer about a text that the server would not read. */
function tooLong(text) {
  const message = `a spec can have at most 65,536 characters, not ${whole(text.length)}`;
  return { problems: [{ severity: "error", message, from: [1, 1], to: [1, 1] }] };
}

/** Text with `code` in backquotes. */
function worded(message) {
  const parts = message.split("`").map((part, index) => (index % 2 ? make("code", { textContent: part }) : part));
  return make("span", {}, ...parts);
}

function notice(text, ...actions) {
  byId("notice").replaceChildren(make("span", { textContent: text }), ...actions.map(([label, action]) => make("button", { textContent: label, on: { click: action } })));
  byId("notice").hidden = false;
}

function preferredTheme() {
  return document.documentElement.dataset.given ?? recall("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
}

async function begin() {
  const fragment = takeToken(location.hash);
  document.documentElement.dataset.theme = preferredTheme();
  try {
    const start = await ask("start");
    const page = new Page(start, fragment);
    if (!(await page.openFragment(fragment))) {
      if (start.file) page.open(start.file.text, { name: start.file.name, folder: "spec" });
      else page.openExample(start.first);
    }
    if (start.watch) page.watch();
  } catch (error) {
    byId("status").textContent = "no connection";
    byId("status").className = "bad";
    notice(error.message);
    if (!(error instanceof AskError)) throw error;
  }
}

begin();
