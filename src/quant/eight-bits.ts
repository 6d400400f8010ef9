/** Which layers are worth 8-bit weights among those that would have 4: the ones whose 4 bits cost the outputs most. */
import { elementCount, type Graph, type Tensor } from "../ir/graph.ts";
import type { Samples } from "../pass.ts";
import { withRounded } from "./rounding/isolated.ts";
import { linearLayers } from "./rounding/layers.ts";
import { type NetworkOptions, roundNetwork } from "./rounding/network.ts";
import { errorsOf } from "./sensitivity.ts";

export interface EightBitOptions extends NetworkOptions {
  /** How many of all layers' weights may keep 8 bits, as a share. */
  readonly share: number;
  /** Samples on which errors are measured, at most. */
  readonly trials: number;
}

/** A layer's weights with what their 4 bits cost, relative to all layers' cost, and their number, relative to all layers'. */
export interface EightBitChoice {
  readonly weights: string;
  readonly error: number;
  readonly size: number;
}

/**
 * The constants that should keep 8 bits, dearest first. Each layer is rounded to 4 bits as `options` say, alone in the float model,
 * and its error at the outputs measured; such errors add up. Layers are then taken by error saved for each weight, until the
 * share is used up. Layers whose format is not int4 count as weights, but are not looked at.
 */
export async function eightBitChoices(
  graph: Graph,
  samples: Samples,
  options: EightBitOptions,
): Promise<EightBitChoice[]> {
  const layers = linearLayers(graph);
  const four = layers.filter(({ nodes }) => options.formatOf(nodes[0]) === "int4");
  if (four.length === 0 || options.share === 0) return [];
  const rounded = await roundNetwork(graph, samples, {
    ...options,
    formatOf: (node) => (options.formatOf(node) === "int4" ? "int4" : undefined),
    prefix: "float",
    emit: "reals",
  });
  const places = new Map(graph.nodes.map((node, at) => [node, at]));
  const variants = four.map(
    ({ nodes }) =>
      () =>
        withRounded(
          graph,
          nodes.map((node) => places.get(node) as number),
          rounded,
        ),
  );
  const { trials, signal } = options;
  const errors = await errorsOf(graph, variants, samples, { samples: trials, ...(signal && { signal }) });
  const whole = errors.reduce((sum, error) => sum + error, 0);
  const sizeOf = (weights: string) => elementCount((graph.constants.get(weights) as Tensor).shape);
  const all = layers.reduce((sum, { weights }) => sum + sizeOf(weights), 0);
  const priced = four.map(({ weights }, index) => ({
    weights,
    error: whole > 0 ? errors[index] / whole : 0,
    size: sizeOf(weights) / all,
  }));
  return affordable(priced, options.share);
}

/** By error saved for each weight, as long as the share lasts; dearest first. */
function affordable(priced: readonly EightBitChoice[], share: number): EightBitChoice[] {
  let left = share;
  return [...priced]
    .sort((a, b) => b.error / b.size - a.error / a.size)
    .filter(({ error, size }) => {
      const fits = error > 0 && size <= left;
      if (fits) left -= size;
      return fits;
    })
    .sort((a, b) => b.error - a.error);
}
