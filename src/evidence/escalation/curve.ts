/** How well confidence tells right from wrong: areas under risk over coverage, and what escalation costs for a risk. */

export interface Rated {
  readonly confidence: number;
  /** From 0 to 1. */
  readonly loss: number;
}

export interface Curve {
  /** Mean over coverages of the mean loss of what is kept (Geifman and El-Yaniv 2017); plug-in, ties move together. */
  readonly aurc: number;
  /** Mean over coverages of the loss of what is kept over all decisions (Traub et al. 2024); plug-in. */
  readonly augrc: number;
  /** After each tie: how many are kept and what they lose together. */
  readonly steps: readonly { readonly kept: number; readonly loss: number }[];
}

/** Surest first. */
export function curveOf(rows: readonly Rated[]): Curve {
  const sorted = [...rows].sort((a, b) => b.confidence - a.confidence);
  const steps: { kept: number; loss: number }[] = [];
  let [aurc, augrc, loss] = [0, 0, 0];
  for (let first = 0; first < sorted.length; ) {
    let next = first;
    while (next < sorted.length && sorted[next].confidence === sorted[first].confidence) loss += sorted[next++].loss;
    aurc += ((next - first) * loss) / next;
    augrc += ((next - first) * loss) / sorted.length;
    steps.push({ kept: next, loss });
    first = next;
  }
  return { aurc: aurc / sorted.length, augrc: augrc / sorted.length, steps };
}

/** Sums of losses in another order differ by less. */
const SLACK = 1e-12;

/** The least share to escalate for this plug-in system risk: for comparing two confidences, no guarantee. */
export function leastEscalation({ steps }: Curve, alpha: number, escalatedLoss: number): number | undefined {
  const n = steps.at(-1)?.kept ?? 0;
  for (const { kept, loss } of steps.toReversed()) {
    if (loss + (n - kept) * escalatedLoss <= alpha * n + SLACK * n) return 1 - kept / n;
  }
  return escalatedLoss <= alpha ? 1 : undefined;
}
