// Which items of other panes belong to one. The server says what each item stands for (see
// explorer/links.py); these are the rules.

export const PANES = ["yaml", "figure", "code", "weights", "resolved", "masks", "maps"];

const meets = (some, others) => some?.some((each) => others.has(each)) ?? false;

/**
 * The partners of an item in every pane, and what is only related to it, by their keys. `modules`
 * are the partners that are a module as a whole, such as the first line of its class.
 * @returns {Object<string, {partners: Set<string>, related: Set<string>, modules: Set<string>}>}
 */
export function linked(links, pane, key) {
  const item = links?.[pane]?.[key];
  const found = {};
  for (const other of PANES) found[other] = { partners: new Set(), related: new Set(), modules: new Set() };
  if (!item) return found;
  const own = new Set(item.own);
  const values = new Set(item.values);
  const reads = new Set(item.reads);
  found[pane].partners.add(String(key));
  for (const other of PANES) {
    if (other === pane) continue;
    for (const [name, each] of Object.entries(links[other])) {
      if (isPartner(pane, Number(key), item, other, Number(name), each, own)) {
        found[other].partners.add(name);
        if (each.modules) found[other].modules.add(name);
      } else if (meets(each.reads, values) || meets(each.values, reads)) found[other].related.add(name);
    }
  }
  return found;
}

function isPartner(pane, key, item, other, name, each, own) {
  if (pane === "yaml") return each.yaml?.some((line) => line >= key && line <= item.until) ?? false;
  if (other === "yaml") return item.yaml?.includes(name) ?? false;
  if (pane === "resolved") return each.resolved?.includes(key) ?? false;
  if (other === "resolved") return item.resolved?.includes(name) ?? false;
  return meets(each.own, own);
}
