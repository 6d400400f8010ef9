/**
 * What may be spent on a program: steps are counted, not seconds. A real one needs a thousandth of it; one that was made to
 * keep the checker busy is refused.
 */
export class Effort {
  private left: number;

  constructor(steps: number) {
    this.left = steps;
  }

  /** False when nothing is left. */
  spend(steps: number): boolean {
    this.left -= steps;
    return this.left >= 0;
  }
}

/** Runs of bytes of all views. */
export const MOST_RUNS = 2 ** 26;
/** Constants that are read. */
export const MOST_CONSTANTS = 2 ** 33;
