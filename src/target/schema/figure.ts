import { z } from "zod";

/**
 * A figure is a value with where it comes from: `source` (read somewhere) or `assumed` (our inference, with its reason).
 * A file with a bare number in a figure's place is rejected, so that no number is anonymous.
 */
export function figure<T extends z.ZodType>(value: T) {
  return z
    .strictObject({
      value,
      source: z.string().min(1).optional(),
      assumed: z.string().min(1).optional(),
      confidence: z.enum(["high", "medium", "low"]),
    })
    .refine((given) => (given.source === undefined) !== (given.assumed === undefined), {
      message: "a figure has either a source or the reason why it is assumed",
    });
}

// One schema of each kind, so that the JSON Schema names it once.
const counted = figure(z.int().positive().max(1_000_000));
const sized = figure(
  z
    .int()
    .positive()
    .max(2 ** 40),
);
const positiveFigure = figure(z.number().positive().finite());
const nonNegativeFigure = figure(z.number().nonnegative().finite());
const shared = figure(z.number().positive().max(1));
const ranged = figure(
  z.strictObject({ low: z.number().nonnegative(), mid: z.number().nonnegative(), high: z.number().nonnegative() }),
);

/** A whole number of things, at least one. */
export const count = () => counted;

/** A size in bytes, at least one. */
export const bytes = () => sized;

export const positive = () => positiveFigure;
export const nonNegative = () => nonNegativeFigure;

/** A part of a whole, in (0, 1]. */
export const share = () => shared;

/** An estimate with its spread, low ≤ mid ≤ high. */
export const range = () => ranged;
