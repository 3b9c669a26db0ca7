// Questions to the kernel of a notebook. The page is a frame there; `widget.js` passes them on.

import { Queue } from "./queue.js";

let queue;

/** The answer to a question as an object. */
export function askKernel(path, body) {
  queue ??= opened();
  return queue.ask(path, body);
}

function opened() {
  const made = new Queue((question) => parent.postMessage(question, "*"));
  addEventListener("message", ({ source, data }) => {
    if (source === parent) made.take(data);
  });
  return made;
}
