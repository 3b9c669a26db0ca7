// Where in a spec a position of its text is: the keys around it, and whether a key or a value is
// being written there. The text may be broken: it is read from the start, line by line.

const LINE = /^( *)((?:- +)*)(?:(["']?)([\w.-]+)\3:(?=\s|$))?/;
const WORD = /[\w.*/+-]*$/;

/**
 * @returns {{path: string[], key: string|null, siblings: Map<string, string>, word: string} | null}
 *   path: the keys around the mapping; key: the key whose value is written, or null for a key;
 *   siblings: the other keys of the mapping and their plain values; null inside a comment
 */
export function contextAt(text, position) {
  const before = text.slice(0, position);
  const lines = before.split("\n");
  const block = []; // open keys: {indent, key}
  let flow = []; // open brackets: {at, key, pending}
  let offset = 0;
  for (const [index, line] of lines.entries()) {
    const last = index === lines.length - 1;
    let start = 0;
    if (!flow.length) {
      const [head, spaces, dashes, , key] = LINE.exec(line);
      const blank = !line.trim() || line.trimStart().startsWith("#");
      if (last && line.trimStart().startsWith("#")) return null;
      if (!blank || last) {
        const indent = spaces.length + dashes.length;
        while (block.length && block.at(-1).indent >= indent) block.pop();
        if (last && key === undefined) return blockKey(text, position, block, line, indent);
        if (key !== undefined) block.push({ indent, key });
        start = head.length;
      } else {
        offset += line.length + 1;
        continue;
      }
    }
    flow = readFlow(line, start, offset, flow);
    if (flow === null) return null;
    offset += line.length + 1;
  }
  return flow.length ? inFlow(text, block, flow, before) : blockValue(text, position, block, lines.at(-1));
}

/** The brackets that are open after a line; null where it ends in a comment. */
function readFlow(line, start, offset, open) {
  let quote = "";
  let pending = null;
  const flow = open.map((each) => ({ ...each }));
  for (let i = start; i < line.length; i += 1) {
    const sign = line[i];
    if (quote) {
      if (sign === quote) quote = "";
    } else if ((sign === '"' || sign === "'") && /[\s{[,:]/.test(line[i - 1] ?? " ")) quote = sign;
    else if (sign === "#" && /\s/.test(line[i - 1] ?? " ")) return flow.length ? flow : [];
    else if (sign === "{" || sign === "[") flow.push({ at: offset + i, key: flow.at(-1)?.pending ?? null, pending: null });
    else if (sign === "}" || sign === "]") flow.pop();
    else if (sign === "," && flow.length) flow.at(-1).pending = null;
    else if (sign === ":" && flow.length) {
      pending = /([\w.-]+)\s*$/.exec(line.slice(0, i))?.[1] ?? null;
      flow.at(-1).pending = pending;
    }
  }
  return flow;
}

function inFlow(text, block, flow, before) {
  const path = [...block.map((each) => each.key), ...flow.map((each) => each.key).filter(Boolean)];
  const { at, pending } = flow.at(-1);
  return { path, key: pending, siblings: flowSiblings(text, at), word: WORD.exec(before)[0] };
}

/** The keys of a flow mapping that opens here, with their plain values. */
function flowSiblings(text, at) {
  const found = new Map();
  let depth = 0;
  let start = at + 1;
  const take = (end) => {
    const pair = /^\s*([\w.-]+)\s*:\s*([^{[]*?)\s*$/.exec(text.slice(start, end));
    const nested = /^\s*([\w.-]+)\s*:\s*[{[]/.exec(text.slice(start, end));
    if (pair) found.set(pair[1], pair[2]);
    else if (nested) found.set(nested[1], "");
  };
  for (let i = at; i < text.length; i += 1) {
    const sign = text[i];
    if (sign === "{" || sign === "[") depth += 1;
    else if (sign === "}" || sign === "]") depth -= 1;
    if (depth === 0 || (sign === "," && depth === 1) || (sign === "\n" && depth < 1)) {
      take(i);
      start = i + 1;
      if (depth === 0) break;
    }
  }
  return found;
}

function blockKey(text, position, block, line, indent) {
  return { path: block.map((each) => each.key), key: null, siblings: blockSiblings(text, position, indent), word: WORD.exec(line)[0] };
}

function blockValue(text, position, block, line) {
  const key = block.at(-1);
  if (!key || !/:\s+(.*[\s&|(~])?[\w.*/+-]*$/.test(line) || /\s#/.test(line)) return null;
  if (key.key !== "mask" && !/:\s+[\w.*/+-]*$/.test(line)) return null; // a formula alone has several words
  const path = block.slice(0, -1).map((each) => each.key);
  return { path, key: key.key, siblings: blockSiblings(text, position, key.indent), word: WORD.exec(line)[0] };
}

/** The keys of the block mapping around a position, with their plain values. */
function blockSiblings(text, position, indent) {
  const lines = text.split("\n");
  const here = text.slice(0, position).split("\n").length - 1;
  const found = new Map();
  const walk = (step) => {
    for (let i = here + step; i >= 0 && i < lines.length; i += step) {
      const line = lines[i];
      if (!line.trim() || line.trimStart().startsWith("#")) continue;
      const [, spaces, dashes, , key] = LINE.exec(line);
      const own = spaces.length + dashes.length;
      if (own < indent) break;
      if (own === indent && key) found.set(key, (/:\s+([^{[#]*)/.exec(line)?.[1] ?? "").trim());
      if (dashes && own === indent && step < 0) break;
    }
  };
  walk(-1);
  walk(1);
  return found;
}

/** The names of the blocks that a text defines, in any stack. */
export function blocksOf(text) {
  const found = new Set();
  for (const { index, 0: head } of text.matchAll(/\bblocks:[ \t]*\{/g)) {
    for (const name of flowSiblings(text, index + head.length - 1).keys()) found.add(name);
  }
  let indent = null; // of the key `blocks`
  let inner = null; // of the names below it
  for (const line of text.split("\n")) {
    const [, spaces, dashes, , key] = LINE.exec(line);
    if (key === undefined) continue;
    const own = spaces.length + dashes.length;
    if (indent !== null && own <= indent) indent = null;
    if (indent !== null && own === (inner ??= own)) found.add(key);
    if (key === "blocks" && /:\s*(#.*)?$/.test(line)) [indent, inner] = [own, null];
  }
  return [...found];
}
