// Which lines of two texts differ.

const MOST = 400; // lines that are removed and added, before a text counts as another one

/**
 * The runs of lines that differ, as [from, to, start, end]: the old lines from..to became the new
 * lines start..end. The fewest lines are removed and added (Myers 1986, "An O(ND) difference
 * algorithm"); of texts that differ in more than MOST, one run from the first to the last.
 */
export function differing(old, now) {
  let from = 0;
  while (from < old.length && from < now.length && old[from] === now[from]) from += 1;
  let same = 0;
  while (same < Math.min(old.length, now.length) - from && old.at(-1 - same) === now.at(-1 - same)) same += 1;
  const [to, end] = [old.length - same, now.length - same];
  if (from === to && from === end) return [];
  const found = shortest(old.slice(from, to), now.slice(from, end));
  return found?.map((run) => run.map((line) => line + from)) ?? [[from, to, from, end]];
}

function shortest(old, now) {
  const reached = [{ 1: 0 }]; // after so many steps: diagonal (old - new line) -> the furthest old line
  for (let step = 0; step <= MOST; step += 1) {
    const before = reached[step];
    const here = {};
    for (let diagonal = -step; diagonal <= step; diagonal += 2) {
      const down = diagonal === -step || (diagonal !== step && before[diagonal - 1] < before[diagonal + 1]);
      let x = down ? before[diagonal + 1] : before[diagonal - 1] + 1;
      while (x < old.length && x - diagonal < now.length && old[x] === now[x - diagonal]) x += 1;
      here[diagonal] = x;
      if (x >= old.length && x - diagonal >= now.length) return traced(reached, step, old.length, now.length);
    }
    reached.push(here);
  }
  return null;
}

/** Go back along the steps, and join those that touch. */
function traced(reached, steps, oldEnd, newEnd) {
  const runs = [];
  let [x, y] = [oldEnd, newEnd];
  for (let step = steps; step > 0; step -= 1) {
    const before = reached[step];
    const diagonal = x - y;
    const down = diagonal === -step || (diagonal !== step && before[diagonal - 1] < before[diagonal + 1]);
    const from = before[down ? diagonal + 1 : diagonal - 1];
    const start = from - (down ? diagonal + 1 : diagonal - 1);
    const [to, end] = down ? [from, start + 1] : [from + 1, start];
    const next = runs[0];
    if (next && next[0] === to && next[2] === end) [next[0], next[2]] = [from, start];
    else runs.unshift([from, to, start, end]);
    [x, y] = [from, start];
  }
  return runs;
}
