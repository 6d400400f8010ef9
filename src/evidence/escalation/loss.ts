/** What one answer costs, from 0 to 1; undefined where the metric says nothing about single samples. */
export function lossOf(outcome: Readonly<Record<string, unknown>>): number | undefined {
  const { errors, length, correct, labels } = outcome;
  if (typeof errors === "number" && typeof length === "number") return Math.min(1, errors / Math.max(1, length));
  if (typeof correct === "number" && Array.isArray(labels)) return 1 - correct / Math.max(1, labels.length);
  return undefined;
}
