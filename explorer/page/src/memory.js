// What the browser keeps for the next visit. Frames of notebooks may keep nothing.

/** The text that was kept; null where there is none. */
export function recall(key) {
  try {
    return localStorage.getItem(`modelwright.${key}`);
  } catch {
    return null;
  }
}

export function keep(key, text) {
  try {
    localStorage.setItem(`modelwright.${key}`, text);
  } catch {
    // forgotten with the page
  }
}
