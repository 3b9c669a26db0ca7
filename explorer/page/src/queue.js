// Questions to Python in a worker or in a kernel, one at a time; of those that wait, only the
// newest of each kind is answered.

export class Queue {
  /** post: sends `{ id, path, body }` to Python, where body is JSON */
  constructor(post) {
    this.post = post;
    this.waiting = new Map(); // kind of question -> the newest one
    this.now = null; // the question that Python answers now
    this.next = 0;
  }

  /** The answer to a question; `{ superseded: true }` for one that a newer overtook. */
  ask(path, body) {
    return new Promise((answer, fail) => {
      const kind = `${path} ${body.ask ?? ""}`;
      this.waiting.get(kind)?.answer({ superseded: true });
      this.waiting.set(kind, { path, body, answer, fail });
      this.send();
    });
  }

  send() {
    if (this.now || !this.waiting.size) return;
    const [kind, question] = this.waiting.entries().next().value;
    this.waiting.delete(kind);
    this.now = { ...question, id: ++this.next };
    this.post({ id: this.now.id, path: question.path, body: JSON.stringify(question.body) });
  }

  /** An answer of Python: `said` is JSON, or `failed` says why there is none. */
  take({ id, said, failed }) {
    if (id !== this.now?.id) return;
    const { answer, fail } = this.now;
    this.now = null;
    if (failed === undefined) answer(JSON.parse(said));
    else fail(new Error(failed));
    this.send();
  }

  /** Python itself failed. */
  fail(message) {
    if (this.now) this.take({ id: this.now.id, failed: message });
  }
}
