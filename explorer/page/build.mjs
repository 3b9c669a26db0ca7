// Build the page into ../bundle: one script, one sheet, the HTML, and the licences of what is in it.

import { copyFile, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const OUT = "../bundle";
const here = new URL(".", import.meta.url).pathname;
process.chdir(here);

await rm(OUT, { recursive: true, force: true });
await mkdir(OUT, { recursive: true });
const shared = { minify: true, bundle: true, legalComments: "none", logLevel: "warning", charset: "utf8" };
const { metafile } = await build({ ...shared, entryPoints: ["src/main.js"], outfile: `${OUT}/page.js`, format: "esm", target: "es2022", metafile: true });
await build({ ...shared, entryPoints: ["page.css"], outfile: `${OUT}/page.css`, target: ["chrome120", "firefox121", "safari17.4"] });
await build({ ...shared, entryPoints: ["src/widget.js"], outfile: `${OUT}/widget.js`, format: "esm", target: "es2022" }); // notebooks
await copyFile("index.html", `${OUT}/index.html`);
await copyFile("src/python.js", `${OUT}/python.js`); // the worker of the static page

const packages = new Set(Object.keys(metafile.inputs).flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
const licences = [];
for (const name of [...packages].sort()) {
  const { version } = JSON.parse(await readFile(`node_modules/${name}/package.json`));
  licences.push(`${name} ${version}\n\n${(await readFile(`node_modules/${name}/LICENSE`, "utf8")).trim()}\n`);
}
await writeFile(`${OUT}/LICENSES.txt`, licences.join(`\n${"-".repeat(72)}\n\n`));
