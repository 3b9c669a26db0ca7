// Python in this browser, for the static page: a worker that answers the questions of `ask.js`.

import { loadPyodide } from "./python/pyodide.mjs";

const bytes = async (file) => new Uint8Array(await (await fetch(file)).arrayBuffer());

/** Python's memory as it was after its start; see `python.mjs`. */
async function snapshot() {
  const { body } = await fetch("python/started.snapshot");
  return new Response(body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** Start Python and import Modelwright; the promise of its `ask`. */
async function start() {
  const [python, packages, core, file] = await Promise.all([
    loadPyodide({ indexURL: new URL("./python/", import.meta.url).href, _loadSnapshot: snapshot() }),
    bytes("python/packages.zip"), bytes("python/pydantic_core.whl"), fetch("python/spec.json").then((found) => found.text()),
  ]);
  python.unpackArchive(packages, "zip", { extractDir: "/packages" });
  python.unpackArchive(core, "wheel", { extractDir: "/packages" });
  const { ask } = python.runPython("import sys, types; sys.path.insert(0, '/packages')\nfrom modelwright.explorer import browser\nbrowser");
  return (path, body) => ask(path, body, file);
}

const started = start();

onmessage = async ({ data: { id, path, body } }) => {
  try {
    postMessage({ id, said: (await started)(path, body) });
  } catch (error) {
    postMessage({ id, failed: String(error) });
  }
};
