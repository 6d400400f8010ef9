/** What a search would do, before it is done. */
import type { Graph } from "../ir/graph.ts";
import { linearLayers } from "../quant/rounding/layers.ts";
import type { Goal } from "../recipe/schema.ts";
import { SEARCHED_FORMATS } from "./layers.ts";

export interface Outlook {
  readonly says: string;
  /** Runs of the float model, each of one sample. */
  readonly floatRuns: number;
  /** Plans that are built and measured on all selection samples, at most. */
  readonly builds: number;
}

/** @param teacher typed, before any pass: what passes fuse or unroll may make a few more layers or less */
export function outlookOf(goal: Goal, teacher: Graph, selection: number): Outlook {
  const layers = linearLayers(teacher).length;
  const samples = Math.min(goal.samples, selection);
  const says = [
    `about ${layers} layers in ${SEARCHED_FORMATS.length} formats, one by one on ${samples} of ${selection} selection samples`,
    `about ${layers + SEARCHED_FORMATS.length} plans scheduled`,
    `at most ${goal.tries} built and measured`,
  ];
  // Weights and values of each layer in two forms each.
  return { says: says.join("; "), floatRuns: 4 * layers * samples, builds: goal.tries };
}
