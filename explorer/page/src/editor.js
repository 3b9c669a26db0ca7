// The editor of the spec.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap } from "@codemirror/commands";
import { yaml } from "@codemirror/lang-yaml";
import { bracketMatching, codeFolding, foldGutter, foldKeymap, indentOnInput, indentUnit, syntaxHighlighting } from "@codemirror/language";
import { lintGutter, nextDiagnostic, previousDiagnostic, setDiagnostics } from "@codemirror/lint";
import { search, searchKeymap } from "@codemirror/search";
import { Decoration, drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers, MatchDecorator, ViewPlugin } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { completions } from "./completion.js";
import { replaceText } from "./listing.js";
import { linePlaces, markedLines, markLines, revealLines } from "./marks.js";

export class Editor {
  /** changed: called with the text after each change */
  constructor(parent, { schema, words, nonce, selection, changed }) {
    this.ranges = [];
    this.view = new EditorView({
      parent,
      extensions: [
        lineNumbers(), foldGutter(), codeFolding(), history(), drawSelection(), indentOnInput(),
        bracketMatching(), closeBrackets(), highlightActiveLine(), highlightActiveLineGutter(),
        indentUnit.of("  "), yaml(), syntaxHighlighting(classHighlighter), plainValues,
        autocompletion({ override: [completions(schema, words)], icons: false }),
        lintGutter(), search({ top: true }), markedLines,
        EditorView.cspNonce.of(nonce),
        EditorView.contentAttributes.of({ "aria-label": "Spec in YAML", "aria-describedby": "problems", tabindex: "0" }),
        keymap.of([
          { key: "F8", run: nextDiagnostic, preventDefault: true },
          { key: "Shift-F8", run: previousDiagnostic, preventDefault: true },
          ...closeBracketsKeymap, ...completionKeymap, ...searchKeymap, ...foldKeymap, ...historyKeymap, ...defaultKeymap,
        ]),
        ...linePlaces("yaml", selection), typedOverLines,
        EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          this.ranges = this.ranges.map(([from, to]) => [update.changes.mapPos(from, -1), update.changes.mapPos(to, 1)]);
          changed(this.text);
        }),
      ],
    });
    // The list of completions can be scrolled, so it must be reachable by Tab.
    new MutationObserver(() => this.view.dom.querySelector(":scope > .cm-tooltip-autocomplete > ul:not([tabindex])")?.setAttribute("tabindex", "0"))
      .observe(this.view.dom, { childList: true, subtree: true });
  }

  get text() {
    return this.view.state.doc.toString();
  }

  set text(text) {
    replaceText(this.view, text, "input.open");
  }

  /** The position of a line and column, both from 1. */
  position(line, column) {
    const { doc } = this.view.state;
    const at = doc.line(Math.min(Math.max(line, 1), doc.lines));
    return Math.min(at.from + column - 1, at.to);
  }

  showProblems(problems) {
    const diagnostics = problems.map(({ severity, message, from, to }) => {
      const start = this.position(...from);
      const end = Math.max(this.position(...to), start);
      const word = end > start ? end : (this.view.state.wordAt(start)?.to ?? start);
      return { from: start, to: word, severity, message };
    });
    this.view.dispatch(setDiagnostics(this.view.state, diagnostics));
  }

  /** Remember where numbers are; the places follow every edit. */
  follow(places) {
    this.ranges = places.map(({ line, column, end }) => [this.position(line, column), this.position(line, end)]);
  }

  /** Write a number at one of these places. */
  write(index, text) {
    const [from, to] = this.ranges[index];
    this.view.dispatch({ changes: { from, to, insert: text }, userEvent: "input.type.slider" });
  }

  go(line, column = 1) {
    const position = this.position(line, column);
    this.view.dispatch({ selection: { anchor: position }, scrollIntoView: true });
    this.view.focus();
  }

  mark(partners, related) {
    markLines(this.view, partners, related);
  }

  reveal(keys) {
    revealLines(this.view, keys);
  }
}

// Where several lines are replaced or inserted at once, the browser's own editing would join them
// with an inline style, which the policy of the page refuses: the text is replaced here instead.
const typedOverLines = EditorView.domEventHandlers({
  beforeinput(event, view) {
    const { from, to } = view.state.selection.main;
    const text = event.inputType === "insertText" ? event.data : null;
    if (!text || (view.state.doc.lineAt(from).to >= to && !text.includes("\n"))) return false;
    event.preventDefault();
    const insert = () => view.state.update(view.state.replaceSelection(text), { userEvent: "input.type" });
    const handlers = view.state.facet(EditorView.inputHandler);
    if (!handlers.some((handle) => handle(view, from, to, text, insert))) view.dispatch(insert());
    return true;
  },
});

// The grammar has one kind of plain value; numbers and words of YAML have a colour of their own.
const decorator = new MatchDecorator({
  regexp: /(?<=[:[{,-]\s+)(?:-?\d[\d_.]*(?:e[-+]?\d+)?|true|false|none)(?=\s*(?:[,}\]#]|$))/g,
  decoration: Decoration.mark({ class: "tok-number" }),
});
const plainValues = ViewPlugin.define(
  (view) => ({
    decorations: decorator.createDeco(view),
    update(update) { this.decorations = decorator.updateDeco(update, this.decorations); },
  }),
  { decorations: (plugin) => plugin.decorations },
);
