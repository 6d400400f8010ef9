import { encodeGolden, type GoldenSequence, type GoldenStep } from "../artifact/golden.ts";
import { bug } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import type { Samples } from "../pass.ts";
import { type ChipSections, chipExecutor, codesOf, disagreement, fastExecutor } from "../replay.ts";

/** Enough to meet every command, few enough to ship. */
const SEQUENCES = 2;
/** With states, errors come to light in later steps only. */
const STEPS = 8;

/**
 * Codes in and out for a few calibration samples, from the fast executor; the machine must give the same (`bug` where it
 * does not: then one of them is wrong, and no artifact may leave).
 */
export async function makeGolden(graph: Graph, sections: ChipSections, samples: Samples): Promise<Uint8Array> {
  const fast = fastExecutor(graph);
  const sequences: GoldenSequence[] = [];
  let index = 0;
  for (let count = 0; count < SEQUENCES && index < samples.size; count++) {
    const steps: GoldenStep[] = [];
    fast.reset();
    const name = samples.sequence?.(index);
    const length = graph.states.length === 0 ? 1 : STEPS;
    for (; steps.length < length && index < samples.size && samples.sequence?.(index) === name; index++) {
      const inputs = codesOf(graph, await samples.feeds(index));
      steps.push({ inputs, outputs: fast.run(inputs) });
    }
    sequences.push(steps);
    while (name !== undefined && index < samples.size && samples.sequence?.(index) === name) index++;
  }
  const found = disagreement(sequences, chipExecutor(sections));
  if (found !== undefined) return bug(`the machine and the fast executor disagree: ${found}`);
  return encodeGolden(sequences);
}
