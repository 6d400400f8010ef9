/** Each layer of an artifact, and each value that no layer reads, by how far it alone takes the answers away from the teacher's. */
import type { GoldenSequence } from "../artifact/golden.ts";
import { errorsOf } from "../findings/errors.ts";
import type { Graph } from "../ir/graph.ts";
import { valueClasses } from "../quant/classes.ts";
import { FORMATS } from "../quant/format.ts";
import { layerFormats } from "../quant/formats.ts";
import { fusionGroups } from "../quant/groups.ts";
import { withRounded } from "../quant/rounding/isolated.ts";
import { codesOf } from "../replay.ts";
import { annotated, type Prepared, quantizedAlone } from "../search/graphs.ts";
import { withStored } from "../search/isolated.ts";
import { FORMAT_NAMES, type FormatName, type SearchSpace, searchSpace } from "../search/layers.ts";
import { type SensitivityOptions, trialsOf } from "../search/sensitivity.ts";
import type { TrialBench, TrialResult } from "../search/trial.ts";
import { aloneErrors } from "./alone.ts";
import { type Counters, countersOf } from "./counters.ts";
import { type Culprit, WIDER } from "./remedies.ts";

/** A line of the table; the worst come first. Decibels are of signal over error against the teacher. */
export interface DiagnosedLayer extends Partial<Counters> {
  readonly layer: string;
  readonly op: string;
  /** Of a value that no layer reads, the bits that it is stored in. */
  readonly format: FormatName | "8 bits";
  /** What quantizing it alone does to the answers, as searches measure it. */
  readonly distance: number;
  /** Share of the answers that it alone changes. */
  readonly flips: number;
  /** Of its result where all before it is exact. */
  readonly isolatedDb?: number;
  /** Of its result in the program. */
  readonly cumulativeDb?: number;
}

export interface Diagnosed {
  readonly lines: readonly DiagnosedLayer[];
  /** In the order of the lines. */
  readonly culprits: readonly Culprit[];
  /** By culprit, what its own format and wider ones do to the answers alone; of values that no layer reads nothing. */
  readonly otherwise: readonly Readonly<Partial<Record<FormatName, Parts>>>[];
}

type Parts = Pick<TrialResult, "distance" | "changed">;

/** Weights of 8 bits are a remedy for those of 4. */
const BITS = ["int8", "int4"] as const;

/** Samples whose codes are counted, and values compared. */
const COUNTED = 32;

export async function diagnoseLayers(
  prepared: Prepared,
  teacher: Graph,
  record: Graph,
  bench: TrialBench,
  options: SensitivityOptions,
): Promise<Diagnosed> {
  const { graph, recipe } = prepared;
  const space = searchSpace(graph);
  const plan = planOfRecipe(space, prepared);
  const quantized = await quantizedAlone(
    prepared,
    plan.some((format) => format.startsWith("W4")),
    plan.some((format) => format.endsWith("A4")),
  );
  const stored = await annotated(prepared, recipe.quantize.formats);
  const loose = looseValues(graph, space, stored);
  const { layers, groups } = space;
  const weighed = layers.flatMap(({ nodes }, at) =>
    (plan[at].startsWith("W4") ? BITS : BITS.slice(0, 1)).map((bits) => ({ at, bits, nodes })),
  );
  const read = (["int8", "int16", "int4"] as const).flatMap((bits) => quantized.values[bits] ?? []);
  const trials = await trialsOf(
    [
      ...weighed.map(
        ({ nodes, bits }) =>
          () =>
            withRounded(graph, nodes, quantized.weights[bits]),
      ),
      ...groups.flatMap(({ roots }) => read.map((values) => () => withStored(graph, roots, values))),
      ...loose.map((roots) => () => withStored(graph, roots, stored)),
    ],
    bench,
    options,
  );
  const ofGroups = weighed.length;
  const partsOf = (at: number, format: FormatName) => {
    const { weights, activations } = FORMATS[format];
    const weight = trials[weighed.findIndex((one) => one.at === at && one.bits === weights)];
    const place = ["int8", "int16", "int4"].indexOf(activations);
    const value = trials[ofGroups + read.length * layers[at].group + place];
    return { distance: weight.distance + value.distance, changed: weight.changed + value.changed };
  };
  const steps = bench.references.slice(0, COUNTED);
  const counters = countersOf(record, steps);
  const cumulative = await errorsOf(teacher, record, sequencesOf(record, steps));
  const alone = await aloneErrors(layers, plan, quantized, steps);
  const found = layers.map((layer, at) => {
    const node = graph.nodes[layer.nodes[0]];
    const made = nodeOf(record, layer.keys);
    const { distance, changed } = partsOf(at, plan[at]);
    const [isolatedDb, cumulativeDb] = [alone[at], made && cumulative.get(made.outputs[0])];
    return {
      line: {
        ...{ layer: layer.name, op: node.op, format: plan[at], distance, flips: Math.min(1, changed) },
        ...(isolatedDb !== undefined && { isolatedDb }),
        ...(cumulativeDb !== undefined && { cumulativeDb }),
        ...(made && counters.get(made.inputs[0])),
      } as DiagnosedLayer,
      culprit: { name: layer.name, keys: layer.keys, format: plan[at] } as Culprit,
      otherwise: Object.fromEntries(
        [plan[at], ...WIDER[plan[at]].map(([wider]) => wider)].map((format): [FormatName, Parts] => [
          format,
          partsOf(at, format),
        ]),
      ),
    };
  });
  const values = loose.map((roots, at) => {
    const trial = trials[ofGroups + read.length * groups.length + at];
    const node = graph.nodes.find(({ outputs }) => outputs.includes(roots[0]));
    const name = node?.origin[0] ?? roots[0];
    return {
      line: {
        ...{ layer: name, op: node?.op ?? "input", format: "8 bits", distance: trial.distance, flips: trial.changed },
        ...(cumulative.has(roots[0]) && { cumulativeDb: cumulative.get(roots[0]) }),
        ...counters.get(roots[0]),
      } as DiagnosedLayer,
      culprit: { name, keys: roots } as Culprit,
      otherwise: {},
    };
  });
  const ranked = [...found, ...values].sort((a, b) => b.line.distance - a.line.distance);
  return {
    lines: ranked.map(({ line }) => line),
    culprits: ranked.map(({ culprit }) => culprit),
    otherwise: ranked.map(({ otherwise }) => otherwise),
  };
}

/** The formats that the recipe gives to the layers. */
function planOfRecipe({ layers }: SearchSpace, { graph, recipe }: Prepared): FormatName[] {
  const { weights, activations, formats } = recipe.quantize;
  const named = layerFormats(graph, formats);
  return layers.map(({ nodes, weights: own }) => {
    const given = named.get(graph.nodes[nodes[0]]) ?? { weights, activations };
    const wanted = own === undefined ? { ...given, weights: "int8" } : given;
    const same = (name: FormatName) =>
      FORMATS[name].weights === wanted.weights && FORMATS[name].activations === wanted.activations;
    return FORMAT_NAMES.find(same) ?? "W8A8";
  });
}

/** Values in 8 bits that no layer reads: where the numbers are new, class by class. */
function looseValues(graph: Graph, { groups }: SearchSpace, stored: Graph): string[][] {
  const read = new Set(groups.flatMap(({ roots }) => roots));
  const hidden = new Set([...fusionGroups(graph).byAnchor.values()].flatMap((group) => group.hidden));
  const classes = new Set(valueClasses(graph, hidden).values());
  return [...classes]
    .map(({ roots }) => [...roots])
    .filter((roots) => roots.every((name) => !read.has(name) && !graph.constants.has(name)))
    .filter((roots) => roots.some((name) => stored.types.get(name)?.quant && stored.types.get(name)?.dtype === "int8"));
}

/** The program's node that does a layer's work. */
function nodeOf(record: Graph, keys: readonly string[]) {
  const works = new Set(["Conv", "ConvTranspose", "MatMul"]);
  return record.nodes.find(({ op, origin, outputs }) => {
    return works.has(op) && keys.some((key) => origin.includes(key) || outputs.includes(key));
  });
}

/** Samples as the program's inputs. */
function sequencesOf(record: Graph, steps: TrialBench["references"]): GoldenSequence[] {
  const sequences: GoldenSequence[number][][] = [];
  for (const { feeds, first } of steps) {
    const step = { inputs: codesOf(record, feeds), outputs: [] };
    const last = sequences.at(-1);
    if (first || last === undefined) sequences.push([step]);
    else last.push(step);
  }
  return sequences;
}
