// Numbers as people read them.

const STEPS = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
const SPACE = "\u202f";

/** 124439808 is `124.4 M`; with a unit it has three digits. */
export function short(number, unit = "") {
  for (const [size, letter] of STEPS) {
    if (Math.abs(number) >= size) return `${digits(number / size, unit ? 3 : 4)}${SPACE}${letter}${unit}`;
  }
  return unit ? `${Math.round(number)}${SPACE}${unit}` : String(Math.round(number));
}

/** So many digits, or all before the point. */
const digits = (number, count) => (number >= 10 ** count ? String(Math.round(number)) : number.toPrecision(count));

/** Bytes in binary units. */
export function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
  let step = 0;
  let value = number;
  while (value >= 1024 && step < units.length - 1) [value, step] = [value / 1024, step + 1];
  return `${step ? digits(value, 3) : value}${SPACE}${units[step]}`;
}

/** With separators. */
export const whole = (number) => Math.round(number).toLocaleString("en-US");

/** A change as `+66.15 M`; empty for none. */
export function change(before, after, write) {
  if (before === after) return "";
  return `${after > before ? "+" : "−"}${write(Math.abs(after - before))}`;
}

/** A polynomial of the report: `36864*B*S*T` is `36,864·B·S·T`; powers are raised. */
export function formula(text) {
  const raised = { 2: "²", 3: "³" };
  return text
    .replace(/\^(\d)/g, (_, power) => raised[power] ?? `^${power}`)
    .replace(/\d{4,}/g, (digits) => (Number(digits) >= 1e7 ? short(Number(digits)) : whole(Number(digits))))
    .replace(/\*/g, "·");
}

/** Milliseconds; from a second on in seconds. */
export const duration = (time) => (time < 1000 ? `${Math.round(time)} ms` : `${(time / 1000).toPrecision(2)} s`);
