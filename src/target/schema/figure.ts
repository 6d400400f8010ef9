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

/** A whole number of things, at least one. */
export const count = () => figure(z.int().positive().max(1_000_000));

/** A size in bytes, at least one. */
export const bytes = () =>
  figure(
    z
      .int()
      .positive()
      .max(2 ** 40),
  );

export const positive = () => figure(z.number().positive().finite());
export const nonNegative = () => figure(z.number().nonnegative().finite());

/** A part of a whole, in (0, 1]. */
export const share = () => figure(z.number().positive().max(1));

/** An estimate with its spread, low ≤ mid ≤ high. */
export const range = () =>
  figure(
    z.strictObject({ low: z.number().nonnegative(), mid: z.number().nonnegative(), high: z.number().nonnegative() }),
  );
