// Small helpers for the page's elements.

/** The element with this id. */
export const byId = (id) => document.getElementById(id);

/** A new element with properties and children; `data` and `on` are its dataset and listeners. */
export function make(tag, { data = {}, on = {}, attributes = {}, ...properties } = {}, ...children) {
  const element = document.createElement(tag);
  Object.assign(element, properties);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  for (const [name, listener] of Object.entries(on)) element.addEventListener(name, listener);
  element.append(...children);
  return element;
}

/** A text that breaks behind a dot, a comma or a sign, and elsewhere only where a part is too long. */
export function breakable(text) {
  return text.split(/(?<=[.]|[,·×] )/).flatMap((part) => [part, make("wbr")]);
}

/** The root of an SVG text as an element of this page; nothing in it runs. */
export function svgElement(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  return document.importNode(parsed, true);
}

/** Hand a text to the browser as a file. */
export function download(name, text, type) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Scroll a box so that an element inside it is seen, if it is not. */
export function reveal(element, box) {
  const inner = element.getBoundingClientRect();
  const outer = box.getBoundingClientRect();
  if (inner.top >= outer.top + 30 && inner.bottom <= outer.bottom - 10) return;
  box.scrollTop += inner.top - outer.top - outer.height / 3;
}
