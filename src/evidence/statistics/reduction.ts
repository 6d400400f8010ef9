/** What a metric's evidence is reduced to: what each group adds, from which limits and plans are both computed. */
import type { DropLimits } from "./drop.ts";

/** A group's part, or that of several groups that are alike. */
export interface Part {
  /** Samples of the group. */
  readonly size: number;
  /** How many such groups there are; 1 unless said otherwise. */
  readonly count?: number;
}

export interface Bounds extends Pick<DropLimits, "estimate" | "lower" | "upper" | "effectiveSamples"> {
  /** Degrees of freedom of the variance that the limits are from. */
  readonly freedom: number;
}

/** `T` is what a group is reduced to. */
export interface Reduction<T extends Part = Part> {
  readonly method: DropLimits["method"];
  readonly parts: readonly T[];
  /** One-sided limits at `1 − alpha` each, from these parts or others of the kind. */
  bounds(parts: readonly T[], alpha: number): Bounds;
  /** Such groups as they would be if the mean of them, each weighing its share, had no drop: as lists, each as likely. */
  withoutDrop(kinds: readonly T[], shares: Float64Array): readonly [readonly T[], (readonly T[])?];
  /** A group of the usual size with a single difference, where differences may be rare. */
  readonly surprise?: T;
}
