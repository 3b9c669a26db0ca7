// Questions to Python in a worker of this page.

import { Queue } from "./queue.js";

let queue;

/** The answer to a question as an object. */
export function askWorker(path, body) {
  queue ??= opened();
  return queue.ask(path, body);
}

function opened() {
  const worker = new Worker("python.js", { type: "module" });
  const made = new Queue((question) => worker.postMessage(question));
  worker.onmessage = ({ data }) => made.take(data);
  worker.onerror = (event) => made.fail(event.message);
  return made;
}
