// What makes the static page start faster: a snapshot of Python after its start, and the packages
// compiled to bytecode. `make explore-python` runs this with the folder of Pyodide.

import { readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { loadPyodide } from "pyodide";

const folder = process.argv[2];
const start = () => loadPyodide({ indexURL: folder, _makeSnapshot: true });

// Modules of the standard library that the packages import.
const MODULES = "ast base64 collections colorsys contextlib copy dataclasses datetime decimal difflib enum fractions functools gc "
  + "hashlib importlib.metadata importlib.resources inspect ipaddress itertools json math numbers operator pathlib random re "
  + "shutil string struct tempfile textwrap tokenize types typing urllib.parse uuid warnings weakref zipfile zoneinfo";
const COMPILE = `
import hashlib, json, marshal, zipfile
from importlib.util import MAGIC_NUMBER

UNCHECKED = (1).to_bytes(4, "little")  # found by a hash, which is not compared with a source
sources, digests = zipfile.ZipFile("/packages.zip"), {}
with zipfile.ZipFile("/compiled.zip", "w", zipfile.ZIP_DEFLATED) as compiled:
    for name in sources.namelist():
        if name.endswith(".py"):
            source = sources.read(name)
            code = compile(source, f"/packages/{name}", "exec", dont_inherit=True)
            compiled.writestr(f"{name}c", MAGIC_NUMBER + UNCHECKED + bytes(8) + marshal.dumps(code))
            digests[name] = hashlib.sha256(source).hexdigest()
    compiled.writestr("sources.json", json.dumps(digests))
`;

const started = await start();
started.runPython(`import ${MODULES.split(" ").join(", ")}\ngc.collect()`);
await writeFile(`${folder}/started.snapshot`, gzipSync(started.makeMemorySnapshot(), { level: 9 }));

const compiler = await start();
compiler.FS.writeFile("/packages.zip", new Uint8Array(await readFile(`${folder}/packages.zip`)));
compiler.runPython(COMPILE);
await writeFile(`${folder}/compiled.zip`, compiler.FS.readFile("/compiled.zip"));
await rm(`${folder}/packages.zip`);
