import { createHash } from "node:crypto";
import { basename } from "node:path";
import { readRegularFile } from "../artifact/file.ts";
import type { Lineage } from "../artifact/lineage.ts";
import { CompileError } from "../error.ts";
import { type GraphSize, sizeOf } from "../inspect.ts";
import type { Graph } from "../ir/graph.ts";
import { externalDigests } from "../onnx/external.ts";
import { type InputBinding, importOnnx } from "../onnx/import.ts";
import { readModel } from "../onnx/read.ts";
import { inferTypes } from "../ops/infer.ts";
import { runPasses } from "../passes.ts";
import type { Recipe } from "../recipe.ts";
import { packageOf } from "./licenses.ts";

export interface ImportedTeacher {
  readonly graph: Graph;
  readonly size: GraphSize;
  readonly bytes: number;
  readonly lineage: Lineage["teacher"];
}

/** The recipe's model: bound, in canonical form, typed. Throws what importOnnx throws, and usage/no-such-file. */
export async function importTeacher(recipe: Recipe): Promise<ImportedTeacher> {
  const bytes = readRegularFile(recipe.model, "model", Number.MAX_SAFE_INTEGER);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const graph = inferTypes(
    importOnnx(recipe.model, { inputs: bindingsOf(recipe), dims: new Map(Object.entries(recipe.dims)) }),
  );
  const size = await sizeKnown(graph);
  const from = packageOf(recipe.model);
  const lineage = {
    file: basename(recipe.model),
    digest,
    external: externalDigests(recipe.model),
    ...(from && { package: `${from.name}@${from.version}` }),
  };
  return { graph, size, bytes: bytes.length, lineage };
}

/** Types of which ONNX Runtime (1.30) lays other tensors of the same shape over the values, which are half as long as it takes them for. */
const UNSAFE: ReadonlySet<string> = new Set(["int4", "uint4"]);

/**
 * The teacher's file runs as it is where a certificate compares with it. Throws model/int4-values for one that ONNX Runtime computes wrongly;
 * what this program writes has clamped codes of 8 bits in their place.
 */
export function requireRunnable({ model }: Recipe, { graph }: ImportedTeacher): void {
  if (![...graph.types.values()].some(({ dtype, quant }) => quant && UNSAFE.has(dtype))) return;
  const { nodes, constants } = readModel(model);
  const found = nodes.find(
    ({ op, inputs }) => op === "QuantizeLinear" && UNSAFE.has(constants.get(inputs[2] ?? "")?.dtype ?? ""),
  );
  if (found === undefined) return;
  throw new CompileError(
    "model/int4-values",
    "the model computes with values of 4 bits, and ONNX Runtime overwrites them",
    {
      where: `node ${found.origin[0] ?? found.outputs[0]}`,
      remedy:
        "`optimus-compile export RECIPE --qdq FILE` writes the same model with clamped codes of 8 bits: build that",
    },
  );
}

/** Shapes inside branches are known once it is known which one is taken; the multiplications are then those of that one. */
async function sizeKnown(graph: Graph): Promise<GraphSize> {
  const size = sizeOf(graph);
  if (size.macs !== undefined) return size;
  return { ...size, macs: sizeOf((await runPasses(graph, ["simplify"])).graph).macs };
}

function bindingsOf(recipe: Recipe): Map<string, InputBinding> {
  const bindings = new Map<string, InputBinding>();
  for (const [name, { shape, value, from, init }] of Object.entries(recipe.inputs)) {
    const sized = shape === undefined ? {} : { shape };
    if (value !== undefined) bindings.set(name, { value, ...sized });
    else if (from !== undefined) bindings.set(name, { from, init: init ?? 0, ...sized });
    else bindings.set(name, sized);
  }
  return bindings;
}
