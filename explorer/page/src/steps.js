// What the page asks about its text. All steps are asked at once, so that Python computes the next
// answer while this one is drawn; they are shown in their order, the figure first.

import { AskError } from "./ask.js";

export class Steps {
  /**
   * steps: in their order, by name: a function that asks, waits for `turn.before`, shows the answer
   * while `turn.isLast()`, and returns false where later steps have nothing to show
   * ready: called when every step has shown the answer to its last question; failed: gets an error
   */
  constructor(steps, { ready, failed }) {
    this.steps = steps;
    this.ready = ready;
    this.failed = failed;
    this.last = {}; // step -> the number of its last question, until that is answered
    this.number = 0;
  }

  /** Ask anew for some answers; earlier questions of these steps show nothing any more. */
  again(...names) {
    document.body.dataset.state = "asking";
    let before = Promise.resolve(true);
    for (const name of Object.keys(this.steps)) if (names.includes(name)) before = this.run(name, before);
  }

  async run(name, before) {
    const number = this.last[name] = this.number += 1;
    const isLast = () => this.last[name] === number;
    let good = false;
    try {
      good = await this.steps[name]({ before, isLast, began: performance.now() });
    } catch (error) {
      if (isLast()) this.failed(error);
      if (!(error instanceof AskError)) reportError(error);
    }
    if (isLast()) delete this.last[name];
    if (!Object.keys(this.last).length && document.body.dataset.state !== "ready") {
      document.body.dataset.state = "ready";
      this.ready();
    }
    return good;
  }
}
