// A text to read: the PyTorch file, and the resolved spec.

import { defaultKeymap } from "@codemirror/commands";
import { codeFolding, foldGutter, foldKeymap, syntaxHighlighting } from "@codemirror/language";
import { search, searchKeymap } from "@codemirror/search";
import { EditorState } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { classHighlighter } from "@lezer/highlight";
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

/** Change a document to a text: only from its first to its last different character. */
export function replaceText(view, text, userEvent) {
  const old = view.state.doc.toString();
  if (old === text) return;
  let from = 0;
  while (from < old.length && from < text.length && old[from] === text[from]) from += 1;
  let end = 0;
  while (end < Math.min(old.length, text.length) - from && old.at(-1 - end) === text.at(-1 - end)) end += 1;
  const changes = { from, to: old.length - end, insert: text.slice(from, text.length - end) };
  view.dispatch({ changes, ...(userEvent ? { userEvent } : {}) });
}
