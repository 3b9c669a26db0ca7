// What is marked. Pointing comes before what was kept by a click, that before the keyboard's place.

import { linked, PANES } from "./links.js";

const DWELL = 140; // milliseconds before other panes scroll to what a pointer rests on

export class Selection {
  /** panes: by name, each with `mark(partners, related)` and `reveal(keys)`; told: gets what is selected. */
  constructor(panes, told) {
    this.panes = panes;
    this.told = told;
    this.links = null;
    this.pointed = this.kept = this.focused = null;
    this.waiting = 0;
  }

  setLinks(links) {
    this.links = links;
    this.kept = this.known(this.kept);
    this.pointed = this.known(this.pointed);
    this.show();
  }

  known(place) {
    return place && this.links?.[place.pane]?.[place.key] ? place : null;
  }

  /** The pointer is over an item; null: over none. */
  point(pane, key) {
    const place = key === null ? null : this.known({ pane, key: String(key) });
    if (place?.pane === this.pointed?.pane && place?.key === this.pointed?.key) return;
    this.pointed = place;
    this.show();
    clearTimeout(this.waiting);
    if (place) this.waiting = setTimeout(() => this.bring(place), DWELL);
  }

  /** The keyboard is at an item. */
  focus(pane, key) {
    const same = this.focused?.pane === pane && this.focused.key === String(key);
    if (same && this.current === this.focused && !this.kept && !this.pointed) return; // typing within a line
    this.focused = key === null ? null : { pane, key: String(key) };
    this.kept = null;
    this.pointed = null;
    this.show();
    if (this.known(this.focused)) this.bring(this.focused);
  }

  /** Keep an item marked after the pointer has left it; once more lets it go. */
  keep(pane, key) {
    const same = this.kept?.pane === pane && this.kept.key === String(key);
    this.kept = same ? null : this.known({ pane, key: String(key) });
    this.show();
    if (this.kept) this.bring(this.kept);
  }

  release() {
    this.kept = this.pointed = this.focused = null;
    this.show();
  }

  show() {
    const place = this.pointed ?? this.kept ?? this.known(this.focused);
    this.current = place;
    this.found = place ? linked(this.links, place.pane, place.key) : null;
    for (const pane of PANES) {
      const marked = this.found?.[pane];
      this.panes[pane].mark(marked?.partners ?? new Set(), marked?.related ?? new Set());
    }
    this.told(place, this.found, Boolean(this.kept));
  }

  /** Scroll other panes to the partners of an item. */
  bring(place) {
    if (this.current !== place || !this.found) return;
    for (const pane of PANES) {
      const { partners, related, modules } = this.found[pane];
      const keys = [modules, partners, related].find((some) => some.size);
      if (pane !== place.pane && keys) this.panes[pane].reveal(keys);
    }
  }
}
