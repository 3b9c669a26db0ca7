// Completion of keys and values by the JSON Schema of specs.

import { blocksOf, contextAt } from "./context.js";

/** A completion source for CodeMirror; words: those of keys whose values the schema does not list. */
export function completions(schema, words) {
  const reader = new Schema(schema);
  return (context) => {
    const text = context.state.doc.toString();
    const found = contextAt(text, context.pos);
    if (!found || (!context.explicit && !found.word)) return null;
    const known = namesBlocks(found) ? blocksOf(text) : (words[found.key] ?? []);
    const options = [...known.map((label) => ({ label, type: "enum" })), ...(found.key === null ? reader.keys(found) : reader.values(found))];
    return options.length ? { from: context.pos - found.word.length, options, validFor: /^[\w.*/+-]*$/ } : null;
  };
}

/** Whether a block is named here: in `pattern`, and for a layer of `overrides`. */
function namesBlocks({ path, key }) {
  return key === "pattern" || (key === null && path.at(-1) === "pattern") || (key !== null && path.at(-1) === "overrides");
}

class Schema {
  constructor(schema) {
    this.schema = schema;
  }

  /** The keys that may stand in a mapping: those of its `type`, where it says one. */
  keys({ path, siblings }) {
    const place = this.at(path);
    const type = siblings.get("type");
    const allowed = type ? this.namesOf(place, type) : null;
    const usual = type ? null : this.namesOf(place, this.usualType(place));
    return [...this.properties(place)]
      .filter(([key]) => !siblings.has(key) && (!allowed || allowed.has(key)))
      .map(([key, schema]) => ({
        label: key,
        apply: `${key}: `,
        type: "property",
        info: this.described(schema),
        detail: first(this.described(schema)),
        boost: usual && !usual.has(key) ? -50 : 0,
      }));
  }

  /** The words that may be the value of a key. */
  values({ path, key }) {
    const words = new Map();
    for (const branch of this.branches(this.child(this.at(path), key))) {
      if (branch.const !== undefined) words.set(String(branch.const), branch.description ?? "");
      for (const word of branch.enum ?? []) if (!words.has(String(word))) words.set(String(word), "");
      if (branch.type === "boolean") for (const word of ["true", "false"]) words.set(word, "");
    }
    return [...words].map(([label, text]) => ({ label, type: "enum", info: text || undefined, detail: first(text) }));
  }

  at(path) {
    return path.reduce((place, key) => this.child(place, key), this.schema);
  }

  /** A schema and all that it may be instead: references, alternatives. */
  branches(schema) {
    if (!schema) return [];
    const target = schema.$ref ? this.schema.$defs[schema.$ref.split("/").pop()] : null;
    return [schema, ...this.branches(target), ...["anyOf", "oneOf"].flatMap((word) => (schema[word] ?? []).flatMap((each) => this.branches(each)))];
  }

  properties(schema) {
    const found = new Map();
    for (const branch of this.branches(schema)) {
      for (const [key, value] of Object.entries(branch.properties ?? {})) if (!found.has(key)) found.set(key, value);
      if (branch.items) for (const [key, value] of this.properties(branch.items)) if (!found.has(key)) found.set(key, value);
    }
    return found;
  }

  child(schema, key) {
    const own = this.properties(schema).get(key);
    if (own) return own;
    for (const branch of this.branches(schema)) {
      if (typeof branch.additionalProperties === "object") return branch.additionalProperties;
      const patterns = Object.values(branch.patternProperties ?? {});
      if (patterns.length) return patterns[0];
    }
    return undefined;
  }

  /** The keys of one type of a part; null where the schema has no such type. */
  namesOf(schema, type) {
    if (type === undefined) return null;
    for (const branch of this.branches(schema)) {
      for (const rule of branch.allOf ?? []) {
        if (rule.if?.properties?.type?.const === type) return new Set(rule.then?.propertyNames?.enum ?? []);
      }
    }
    return null;
  }

  usualType(schema) {
    for (const branch of this.branches(schema)) {
      const usual = branch.properties?.type?.default;
      if (usual !== undefined) return usual;
    }
    return undefined;
  }

  described(schema) {
    return this.branches(schema).find((branch) => branch.description)?.description;
  }
}

/** The first clause of a description, for the list. */
const first = (text) => (text ?? "").split(/[:;.](?:\s|$)/)[0].slice(0, 60) || undefined;
