// Questions to the server, to Python in this browser where the page is static, or to the kernel of
// a notebook. The server's token is in the fragment of the address that the command prints, which
// no server sees; it is kept for other tabs of this browser.

import { askKernel } from "./kernel.js";
import { keep, recall } from "./memory.js";
import { askWorker } from "./worker.js";

/** "server", "static" or "notebook". */
export const PLACE = document.documentElement.dataset.place ?? "server";
const PYTHON = { static: [askWorker, "in this browser"], notebook: [askKernel, "in the kernel"] };
const KEY = "token";
const page = crypto.getRandomValues(new Uint32Array(4)).join("-");
let token = "";
let number = 0;

/** Take the token out of the address; the rest of the fragment is returned. */
export function takeToken(fragment) {
  const parts = new URLSearchParams(fragment.replace(/^#/, ""));
  const given = parts.get("token");
  parts.delete("token");
  if (given) keep(KEY, given);
  if (given !== null) history.replaceState(null, "", `#${parts}`); // so that no copied address contains it
  token = given || recall(KEY) || "";
  return parts;
}

/** The answer to a question; null for one that a newer question overtook. Throws AskError. */
export async function ask(path, body = {}) {
  const said = PLACE in PYTHON ? await askPython(path, body) : await askServer(path, body);
  return said.superseded ? null : said;
}

async function askPython(path, body) {
  const [send, where] = PYTHON[PLACE];
  let said;
  try {
    said = await send(path, body);
  } catch (error) {
    throw new AskError(`Python failed ${where}: ${error.message}`);
  }
  if ("refused" in said) throw new AskError(said.refused);
  return said;
}

async function askServer(path, body) {
  let response;
  try {
    response = await fetch(`/api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Modelwright-Token": token },
      body: JSON.stringify(path === "answer" || path === "run" ? { ...body, page, number: ++number } : body),
    });
  } catch {
    throw new AskError("The server does not answer. Is `modelwright explore` still running?");
  }
  const said = await response.json().catch(() => ({}));
  if (response.status === 403) throw new AskError(`The server refused the request: ${said.error}.`);
  if (response.status === 500) throw new AskError("The server failed at this spec. This is a bug; please report the spec.");
  if (!response.ok) throw new AskError(said.error ?? `The server answered ${response.status}.`);
  return said;
}

/** A question without an answer; the message is for the reader of the page. */
export class AskError extends Error {}
