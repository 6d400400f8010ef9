/** Numbers as people read them. */
import { formatShare } from "../table.ts";

/** Metrics that are shares of one, for which per cent and points say more. */
const SHARES = new Set(["accuracy", "agreement", "cer", "f1"]);

export const isShare = (metric: string): boolean => SHARES.has(metric);

export function metricText(metric: string, value: number): string {
  return isShare(metric) ? percent(value, 2) : significant(value, 4);
}

/** A difference of two values of the metric. */
export function differenceText(metric: string, value: number): string {
  const sign = value > 0 ? "+" : value < 0 ? "−" : "";
  const size = Math.abs(value);
  return isShare(metric) ? `${sign}${(100 * size).toFixed(2)} points` : `${sign}${significant(size, 3)}`;
}

/** How large a difference is, where words say in which direction. */
export const sizeText = (metric: string, value: number): string =>
  differenceText(metric, Math.abs(value)).replace(/^\+/, "");

/** Two differences, the unit once. */
export function rangeText(metric: string, low: number, high: number): string {
  const unit = isShare(metric) ? " points" : "";
  const bare = (value: number) => differenceText(metric, value).replace(/^\+/, "").replace(" points", "");
  return `${bare(low)} to ${bare(high)}${unit}`;
}

/** So many digits, without an exponent where one can do without, and with a true minus. */
export function significant(value: number, digits: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "–" : value < 0 ? "−∞" : "∞";
  const text =
    Math.abs(value) >= 1e6 || (value !== 0 && Math.abs(value) < 1e-4)
      ? value.toExponential(digits - 1)
      : String(Number(value.toPrecision(digits)));
  return text.replace(/^-/, "−");
}

/** Hours to nanoseconds: time on the chip. */
export function timeText(ms: number): string {
  if (ms >= 1000) return `${significant(ms / 1000, 3)} s`;
  if (ms >= 1) return `${significant(ms, 3)} ms`;
  return ms >= 1e-3 ? `${significant(ms * 1e3, 3)} µs` : `${significant(ms * 1e6, 3)} ns`;
}

/** Number and sign stay on one line. */
export const percent = (share: number, digits = 1): string => formatShare(share, digits).replace(" ", "\u00a0");

/** A coordinate, short. */
export const at = (value: number): string => String(Math.round(value * 100) / 100);

/** Round numbers from `low` to `high`, `count` of them or so. */
export function ticks(low: number, high: number, count = 5): number[] {
  const span = high - low;
  if (!(span > 0) || !Number.isFinite(span)) return [low];
  const rough = span / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const found: number[] = [];
  for (let tick = Math.ceil(low / step - 1e-9) + 0; tick * step <= high + step * 1e-9; tick++) found.push(tick * step);
  return found;
}
