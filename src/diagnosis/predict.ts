/** What a change to the recipe would do for a few culprits, before the whole model is built with it. */
import type { Graph } from "../ir/graph.ts";
import { FORMATS } from "../quant/format.ts";
import { withRounded } from "../quant/rounding/isolated.ts";
import { annotated, type Prepared, rounded } from "../search/graphs.ts";
import { withStored } from "../search/isolated.ts";
import { searchSpace } from "../search/layers.ts";
import { type SensitivityOptions, trialsOf } from "../search/sensitivity.ts";
import type { TrialBench } from "../search/trial.ts";
import type { Culprit } from "./remedies.ts";

/**
 * Share of the answers that the culprits change, each alone in the float model that `prepared` holds and with the ranges and roundings
 * of its recipe; summed. Culprits that the model does not have any more change none.
 */
export async function flipsOf(
  prepared: Prepared,
  culprits: readonly Culprit[],
  bench: TrialBench,
  options: SensitivityOptions,
): Promise<number> {
  const { graph, recipe } = prepared;
  const { layers, groups } = searchSpace(graph);
  const stored = await annotated(prepared, recipe.quantize.formats);
  const weights = new Map<"int8" | "int4", Graph>();
  const trials: (() => Graph)[] = [];
  for (const { keys, format } of culprits) {
    if (format === undefined) {
      trials.push(() => withStored(graph, keys, stored));
      continue;
    }
    const layer = layers.find((one) => one.keys.some((key) => keys.includes(key)));
    if (layer === undefined) continue;
    const bits = FORMATS[format].weights;
    const whole = weights.get(bits) ?? (await rounded(prepared, bits));
    weights.set(bits, whole);
    trials.push(() => withStored(withRounded(graph, layer.nodes, whole), groups[layer.group].roots, stored));
  }
  return (await trialsOf(trials, bench, options)).reduce((sum, { changed }) => sum + changed, 0);
}
