import { wantedOf } from "../build/data.ts";
import { openDataset } from "../data/dataset.ts";
import { fitSample } from "../data/fit.ts";
import { bug } from "../error.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { STEPS_A_SAMPLE } from "../quant/calibrate.ts";
import type { Recipe } from "../recipe.ts";
import type { Reference } from "./trial.ts";

/** Labelled samples of the selection split, spread over it; of streams so many times 16 steps from the start. */
export async function* selectionSamples(
  recipe: Recipe,
  graph: Graph,
  count: number,
): AsyncGenerator<Omit<Reference, "outputs">> {
  const dataset = await openDataset(recipe.data.selection ?? bug("no selection split"), recipe.folder);
  const wanted = wantedOf(graph);
  const used = Math.min(dataset.sequences ? count * STEPS_A_SAMPLE : count, dataset.length);
  let sequence: string | undefined;
  try {
    for (let at = 0; at < used; at++) {
      const index = dataset.sequences ? at : Math.floor((at * dataset.length) / used);
      const sample = await dataset.read(index);
      const first = sample.sequence === undefined || sample.sequence !== sequence;
      sequence = sample.sequence;
      const feeds = fitSample(sample, wanted) as ReadonlyMap<string, Tensor>;
      yield { feeds, first, ...(sample.target !== undefined && { target: sample.target }) };
    }
  } finally {
    dataset.close();
  }
}
