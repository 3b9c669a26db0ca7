// Marked lines in the editor and in listings.

import { StateEffect, StateField } from "@codemirror/state";
import { Decoration, EditorView } from "@codemirror/view";

const setMarks = StateEffect.define();
const PARTNER = Decoration.line({ class: "partner" });
const RELATED = Decoration.line({ class: "related" });

export const markedLines = StateField.define({
  create: () => Decoration.none,
  update(marks, transaction) {
    let now = marks.map(transaction.changes);
    for (const effect of transaction.effects) if (effect.is(setMarks)) now = effect.value;
    return now;
  },
  provide: (field) => EditorView.decorations.from(field),
});

/** Mark lines by their numbers. */
export function markLines(view, partners, related) {
  const ranges = [];
  const add = (keys, mark) => {
    for (const key of keys) {
      const line = Number(key);
      if (line >= 1 && line <= view.state.doc.lines) ranges.push(mark.range(view.state.doc.line(line).from));
    }
  };
  add(partners, PARTNER);
  add(related, RELATED);
  if (ranges.length || view.state.field(markedLines).size) {
    view.dispatch({ effects: setMarks.of(Decoration.set(ranges, true)) });
  }
}

/** Scroll to the first of some lines unless one of them is in sight. */
export function revealLines(view, keys) {
  const lines = [...keys].map(Number).filter((line) => line <= view.state.doc.lines);
  if (!lines.length) return;
  const box = view.scrollDOM.getBoundingClientRect();
  const seen = lines.some((line) => {
    const block = view.lineBlockAt(view.state.doc.line(line).from);
    const top = block.top + view.documentTop;
    return top >= box.top && top + block.height <= box.bottom;
  });
  if (seen) return;
  const first = view.state.doc.line(Math.min(...lines)).from;
  view.dispatch({ effects: EditorView.scrollIntoView(first, { y: "start", yMargin: box.height / 4 }) });
}

/** Tell a selection which line the pointer or the caret is at. */
export function linePlaces(pane, selection) {
  const lineAt = (view, event) => {
    const position = view.posAtCoords({ x: event.clientX, y: event.clientY }, false);
    const line = view.state.doc.lineAt(position);
    const below = event.clientY > view.coordsAtPos(line.to)?.bottom + 4;
    return below ? null : line.number;
  };
  return [
    EditorView.domEventHandlers({
      mousemove: (event, view) => { selection().point(pane, lineAt(view, event)); },
      mouseleave: () => { selection().point(pane, null); },
      blur: () => { if (selection().focused?.pane === pane) selection().focus(pane, null); },
      focus: (_, view) => { selection().focus(pane, view.state.doc.lineAt(view.state.selection.main.head).number); },
    }),
    EditorView.updateListener.of((update) => {
      if (!update.view.hasFocus || !(update.selectionSet || update.docChanged)) return;
      selection().focus(pane, update.state.doc.lineAt(update.state.selection.main.head).number);
    }),
  ];
}
