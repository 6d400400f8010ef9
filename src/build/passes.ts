import type { Check, RunGraph } from "../check.ts";
import type { Graph, Tensor } from "../ir/graph.ts";
import { encodeModel } from "../onnx/write.ts";
import type { PassSpec, Samples } from "../pass.ts";
import { loadPass } from "../passes.ts";
import { presetPasses } from "../presets.ts";
import type { Recipe } from "../recipe.ts";
import { createSession } from "../run/ort.ts";

/** Samples that a pass is checked on: enough to meet both sides of most branches. */
const CHECKED_SAMPLES = 2;

/**
 * The recipe's passes in order, all of which are there: a mistyped name shows before anything is computed.
 * What `quantize` says goes to the quantizing pass, which may say otherwise itself.
 */
export function passesOf(recipe: Recipe): PassSpec[] {
  const list = typeof recipe.passes === "string" ? presetPasses(recipe.passes) : recipe.passes;
  return list.map((spec) => withQuantization(spec, recipe));
}

function withQuantization(spec: PassSpec, recipe: Recipe): PassSpec {
  if (typeof spec === "object" && "repeat" in spec) {
    return { repeat: (spec.repeat as readonly PassSpec[]).map((inner) => withQuantization(inner, recipe)) };
  }
  const { pass, ...options } = (typeof spec === "string" ? { pass: spec } : spec) as { readonly pass: string };
  loadPass(pass);
  return pass === "quantize/int8" ? { pass, ...quantization(recipe), ...options } : spec;
}

function quantization({ quantize }: Recipe): object {
  const { activations, calibrator, samples, int16 } = quantize;
  const { name, ...options } = typeof calibrator === "string" ? { name: calibrator } : calibrator;
  return { activations, calibrator: name, samples, int16, ...options };
}

/** Each pass's graph runs beside the one before it under ONNX Runtime. */
export function checkOf(samples: Samples): Check {
  return { samples: { ...samples, size: Math.min(samples.size, CHECKED_SAMPLES) }, run: runUnderOrt };
}

const runUnderOrt: RunGraph = async (graph, feeds, keep) => {
  const outputs = [...new Set([...graph.outputs, ...keepable(graph, keep)])];
  const session = await createSession(encodeModel({ ...graph, outputs, states: [] }), { optimization: "disabled" });
  try {
    const initial = graph.states.map(({ input, init }): [string, Tensor] => [input, init]);
    return await session.run(new Map([...initial, ...feeds].filter(([name]) => graph.inputs.includes(name))));
  } finally {
    await session.release();
  }
};

function keepable(graph: Graph, keep: ReadonlySet<string>): string[] {
  return graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== "" && keep.has(name)));
}
