// A text to read: the PyTorch file, and the resolved spec.

import { defaultKeymap } from "@codemirror/commands";
import { codeFolding, foldGutter, foldKeymap, syntaxHighlighting } from "@codemirror/language";
import { search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
import { differing } from "./lines.js";
import { linePlaces, markedLines, markLines, revealLines } from "./marks.js";

export class Listing {
  constructor(parent, { pane, label, language, nonce, selection }) {
    this.view = new EditorView({
      parent,
      extensions: [
        lineNumbers(), foldGutter(), codeFolding(), drawSelection(), highlightActiveLine(),
        language, syntaxHighlighting(classHighlighter), markedLines, search({ top: true }),
        EditorState.readOnly.of(true), EditorView.cspNonce.of(nonce),
        EditorView.contentAttributes.of({ "aria-label": label, "aria-readonly": "true", tabindex: "0" }),
        keymap.of([...searchKeymap, ...foldKeymap, ...defaultKeymap]),
        ...linePlaces(pane, selection),
      ],
    });
  }

  /** Replace what differs, so that the place on the screen stays. */
  show(text) {
    replaceText(this.view, text);
  }

  mark(partners, related) {
    markLines(this.view, partners, related);
  }

  reveal(keys) {
    revealLines(this.view, keys);
  }
}

/** Change a document to a text: only the characters that differ in the lines that differ. */
export function replaceText(view, text, userEvent) {
  const old = view.state.doc.toString();
  if (old === text) return;
  const [before, after] = [old.split("\n"), text.split("\n")];
  const places = starts(before);
  const changes = differing(before, after).map(([from, to, start, end]) => {
    const change = changed(places[from], ended(before.slice(from, to)), ended(after.slice(start, end)));
    if (change.to <= old.length) return change;
    // The last line has no line break: the one before goes or comes instead of the one behind.
    return { from: change.from - 1, to: change.to - 1, insert: change.insert && `\n${change.insert.slice(0, -1)}` };
  });
  view.dispatch({ changes, ...(userEvent ? { userEvent } : {}) });
}

const ended = (lines) => lines.map((line) => `${line}\n`).join("");

function starts(lines) {
  let at = 0;
  return [...lines, ""].map((line) => {
    const start = at;
    at += line.length + 1;
    return start;
  });
}

/** The change at a place from one text to another, without what both begin and end with. */
function changed(at, old, text) {
  let from = 0;
  while (from < old.length && from < text.length && old[from] === text[from]) from += 1;
  let end = 0;
  while (end < Math.min(old.length, text.length) - from && old.at(-1 - end) === text.at(-1 - end)) end += 1;
  return { from: at + from, to: at + old.length - end, insert: text.slice(from, text.length - end) };
}
