import { closeSync, openSync, readSync } from "node:fs";
import { Command } from "commander";
import { CompileError } from "../error.ts";
import type { GraphFacts, GraphSize, ValueFacts } from "../inspect.ts";
import type { Graph, Type } from "../ir/graph.ts";
import { print, printJson } from "./terminal.ts";

interface Flags {
  readonly json?: boolean;
  readonly text?: boolean;
}

export const inspect = new Command("inspect")
  .description("show what is in an ONNX model or in an artifact")
  .argument("<model-or-artifact>", "an .onnx or a .dopt file")
  .option("--json", "print one JSON document")
  .option("--text", "print the graph in the notation of the passes")
  .action(async (path: string, flags: Flags) => {
    if (isArtifact(path)) await inspectArtifact(path, flags);
    else await inspectModel(path, flags);
  });

/** By content, since names lie. */
function isArtifact(path: string): boolean {
  try {
    const file = openSync(path, "r");
    try {
      const head = Buffer.alloc(4);
      return readSync(file, head, 0, 4, 0) === 4 && head.toString("latin1") === "DOPT";
    } finally {
      closeSync(file);
    }
  } catch {
    return false;
  }
}

async function inspectModel(path: string, flags: Flags): Promise<void> {
  const [{ readModel }, { normalise }, { factsOf, sizeOf }, { inferTypes }] = await Promise.all([
    import("../onnx/read.ts"),
    import("../onnx/normalise.ts"),
    import("../inspect.ts"),
    import("../ops/infer.ts"),
  ]);
  const graph = inferTypes(normalise(readModel(path)));
  if (flags.text) return print(`${(await import("../ir/text.ts")).print(graph)}\n`);
  const facts = factsOf(graph);
  const atOne = facts.macs === undefined ? macsAtOne(graph, inferTypes, sizeOf) : undefined;
  const opsets = [...graph.opsets].map(([domain, version]) => ({ domain, version }));
  if (flags.json) return printJson(document(path, "model", facts, { opsets }));
  print(await describe(facts, atOne));
}

async function inspectArtifact(path: string, flags: Flags): Promise<void> {
  const [{ readArtifact }, { attestationsOf }, { decodeRecord }, { factsOf }] = await Promise.all([
    import("../artifact/file.ts"),
    import("../artifact/verify.ts"),
    import("../ir/record.ts"),
    import("../inspect.ts"),
  ]);
  const artifact = readArtifact(path);
  const graph = decodeRecord(artifact.sections.get("record") ?? new Uint8Array());
  if (flags.text) return print(`${(await import("../ir/text.ts")).print(graph)}\n`);
  const facts = factsOf(graph);
  const sections = [...artifact.sections].map(([name, bytes]) => ({ name, bytes: bytes.length }));
  const { manifest, digest } = artifact;
  const attestations = attestationsOf(artifact).length;
  if (flags.json) return printJson(document(path, "artifact", facts, { digest, manifest, sections, attestations }));
  const { formatBytes, formatTable } = await import("../report/table.ts");
  const { name, profile } = manifest.target;
  print(`digest ${digest}\ntarget ${name}, profile ${profile}\n`);
  print(attestations === 0 ? "unsigned\n" : `${attestations} attestations (\`verify\` checks them)\n`);
  print(`sections\n${formatTable(sections.map((section) => [section.name, formatBytes(section.bytes)]))}`);
  print(await describe(facts));
}

/** MACs with every named symbolic dimension at 1; undefined where even that leaves shapes open. */
function macsAtOne(
  graph: Graph,
  infer: (graph: Graph) => Graph,
  sizeOf: (graph: Graph) => GraphSize,
): number | undefined {
  const types = new Map<string, Type>();
  for (const name of graph.inputs) {
    const type = graph.types.get(name);
    if (type === undefined) continue;
    const shape = type.shape?.map((dim) => (typeof dim === "string" ? 1 : dim));
    types.set(name, shape === undefined ? type : { ...type, shape });
  }
  try {
    return sizeOf(infer({ ...graph, types })).macs;
  } catch (error) {
    // Some models are too deep for so small an input.
    if (error instanceof CompileError) return undefined;
    throw error;
  }
}

function document(file: string, kind: "model" | "artifact", facts: GraphFacts, more: object) {
  const operators = Object.fromEntries(facts.operators);
  return { schema: "optimus-compile/inspect@1", file, kind, ...facts, macs: facts.macs ?? null, operators, ...more };
}

async function describe(facts: GraphFacts, macsAtOne?: number): Promise<string> {
  const [{ formatCount, formatTable }, { printable }] = await Promise.all([
    import("../report/table.ts"),
    import("../report/escape.ts"),
  ]);
  const values = (list: readonly ValueFacts[]) =>
    formatTable(list.map(({ name, dtype, shape }) => [printable(name), `${dtype}[${shape?.join(", ") ?? "…"}]`]));
  const known = facts.macs ?? macsAtOne;
  const condition = facts.macs === undefined ? ", each symbolic dimension being 1" : "";
  const macs = known === undefined ? "unknown: a dimension is symbolic" : `${formatCount(known)}${condition}`;
  const counts = [
    ["nodes", formatCount(facts.nodes)],
    ["parameters", formatCount(facts.parameters)],
    ["MACs", macs],
  ];
  const operators = facts.operators.map(([name, count]) => [printable(name), formatCount(count)]);
  return [
    `inputs\n${values(facts.inputs)}`,
    `outputs\n${values(facts.outputs)}`,
    `size\n${formatTable(counts)}`,
    `operators\n${formatTable(operators)}`,
  ].join("");
}
