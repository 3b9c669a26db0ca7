// Questions to Python in a worker of this page, one at a time; of those that wait, only the newest
// of each kind is answered.

let worker;
let busy = false;
let next = 0;
const waiting = new Map(); // kind of question -> the newest one
const asked = new Map(); // id -> the question that Python answers now

/** The answer to a question as an object; `{ superseded: true }` for one that a newer overtook. */
export function askWorker(path, body) {
  return new Promise((answer, fail) => {
    const kind = `${path} ${body.ask ?? ""}`;
    waiting.get(kind)?.answer({ superseded: true });
    waiting.set(kind, { path, body, answer, fail });
    send();
  });
}

function send() {
  if (busy || !waiting.size) return;
  const [kind, question] = waiting.entries().next().value;
  waiting.delete(kind);
  busy = true;
  asked.set(++next, question);
  worker ??= opened();
  worker.postMessage({ id: next, path: question.path, body: JSON.stringify(question.body) });
}

function opened() {
  const made = new Worker("python.js", { type: "module" });
  made.onmessage = ({ data: { id, said, failed } }) => {
    const { answer, fail } = asked.get(id);
    asked.delete(id);
    busy = false;
    if (failed === undefined) answer(JSON.parse(said));
    else fail(new Error(failed));
    send();
  };
  made.onerror = (event) => {
    for (const { fail } of asked.values()) fail(new Error(event.message));
    asked.clear();
    busy = false;
  };
  return made;
}
