import { dequantize } from "../ir/codes.ts";
import type { Graph, Node } from "../ir/graph.ts";
import { encodeModel } from "../onnx/write.ts";
import { probeChannels } from "./probe/channels.ts";
import { probeErrors } from "./probe/errors.ts";
import { maybeNaN, probeValue, shareOfSample } from "./probe/value.ts";
import { openWriter } from "./probe/writer.ts";

/** A value whose channels are wanted one by one; with `grid`, as they come back from its codes. */
export interface ChannelRequest {
  readonly value: string;
  readonly axis: number;
  readonly grid?: Grid;
  /** What is averaged: x itself, x², or |x|⁸, whose eighth root is close to the largest magnitude. */
  readonly moment: 1 | 2 | 8;
}

/** Codes of a type, each worth `scale`, with `zero` standing for 0. */
export interface Grid {
  readonly dtype: "int8" | "int16" | "uint8";
  readonly scale: number;
  readonly zero: number;
  /** Of int8 only the codes −8 to 7. */
  readonly bits?: 4;
}

/**
 * What rounding a value to each of the grids costs behind a linear operator that reads it, or in itself. The answer is a list:
 * the mean energy without error, then that of the error for each grid.
 */
export interface ErrorRequest {
  readonly value: string;
  readonly grids: readonly Grid[];
  readonly reader?: Node;
}

/** What calibration is to look at. */
export interface Wanted {
  /** Values whose histograms are wanted. */
  readonly values: readonly string[];
  /** Values of which the least and the largest number are enough. */
  readonly extremes: readonly string[];
  /** Values whose channels are wanted one by one, or what rounding them costs. */
  readonly channels: readonly (ChannelRequest | ErrorRequest)[];
}

/**
 * How a value is looked at: `whole`, as it comes out of the runtime; or `sampled`, where the runtime itself finds its extremes
 * and takes every `step`-th of its numbers. `at` is the place in the summary: least, largest, then `count` numbers, of which
 * there are none where extremes are enough.
 */
export type ValueProbe =
  | { readonly kind: "whole"; readonly value: string }
  | {
      readonly kind: "sampled";
      readonly at: number;
      readonly count: number;
      readonly step: number;
      /** Place of the sum of all numbers, for values that may hold NaN where nothing before them does. */
      readonly sum?: number;
    };

/** Places in the summary of one request's sums, and of the largest magnitudes that eighth powers are relative to. */
export interface ChannelProbe {
  readonly sums: number;
  readonly largest?: number;
  readonly channels: number;
  /** Numbers that go into each sum. */
  readonly size: number;
  /** The sum is so many times what was summed up, plus the offset. */
  readonly unit: number;
  readonly offset: number;
}

/** What is read from one run of the probed graph. */
export interface Probes {
  /** Output that holds all numbers of a size known beforehand, one after the other; absent where there are none. */
  readonly summary?: string;
  /** Input: the place of the first number that `sampled` probes take, modulo their step. */
  readonly shift?: string;
  /** Of the values, then of those with extremes alone. */
  readonly values: readonly ValueProbe[];
  /** Undefined where the shape is only known at run time. */
  readonly channels: readonly (ChannelProbe | undefined)[];
}

/**
 * The float graph with probes, as a model for ONNX Runtime. Activations stay in it: to copy them all out and to look at
 * them takes many times longer than to compute them. `samples`: how many will be run.
 */
export function probedModel(
  graph: Graph,
  { values, extremes, channels }: Wanted,
  samples: number,
): { readonly model: Uint8Array; readonly probes: Probes } {
  const writer = openWriter(graph);
  const most = shareOfSample(samples);
  const doubtful = maybeNaN(graph, new Set([...values, ...extremes]));
  const probes = [
    ...values.map((value) => probeValue(writer, value, most, doubtful.has(value))),
    ...extremes.map((value) => probeValue(writer, value, 0, doubtful.has(value))),
  ];
  const sums = channels.map((request) =>
    "grids" in request ? probeErrors(writer, request) : probeChannels(writer, request),
  );
  const inputs = new Set(graph.inputs);
  const whole = probes.flatMap((probe) => (probe.kind === "whole" && !inputs.has(probe.value) ? [probe.value] : []));
  const summary = writer.close();
  const outputs = [...new Set([...whole, ...graph.states.map((state) => state.output), ...(summary ? [summary] : [])])];
  const probed = writer.graph();
  // ONNX has no integer factors a block: such weights go in as the reals that they stand for.
  const constants = new Map(
    [...probed.constants].map(([name, tensor]) => [name, tensor.quant?.multipliers ? dequantize(tensor) : tensor]),
  );
  const model = encodeModel({ ...probed, constants, outputs, states: [], metadata: new Map(), extra: undefined });
  const shift = writer.shift();
  return { model, probes: { values: probes, channels: sums, ...(summary && { summary }), ...(shift && { shift }) } };
}
