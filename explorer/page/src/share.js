// A spec in the fragment of an address: deflated, in base64 for URLs. No server ever sees it.

const MOST = 100_000; // characters of an inflated spec

export async function pack(text) {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const data = new Uint8Array(await new Response(stream).arrayBuffer());
  const signs = btoa(Array.from(data, (byte) => String.fromCharCode(byte)).join(""));
  return signs.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** The text of a fragment; null for one that is damaged or too long. */
export async function unpack(packed) {
  try {
    const signs = atob(packed.replaceAll("-", "+").replaceAll("_", "/"));
    const data = Uint8Array.from(signs, (sign) => sign.charCodeAt(0));
    const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    const parts = [];
    let size = 0;
    for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
      size += value.length;
      if (size > MOST) return null;
      parts.push(value);
    }
    return await new Blob(parts).text();
  } catch {
    return null;
  }
}
