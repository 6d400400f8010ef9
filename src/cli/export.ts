import { Command, Option } from "commander";
import { CompileError } from "../error.ts";
import type { Graph } from "../ir/graph.ts";
import { print, printJson, warn } from "./terminal.ts";

interface Flags {
  readonly integerOnnx?: string;
  readonly onnx?: string;
  readonly qdq?: string;
  readonly border: "codes" | "float";
  readonly json?: boolean;
}

export const exportCommand = new Command("export")
  .description("write an artifact, a model, or what a recipe makes of one, as standard ONNX")
  .argument("<artifact-model-or-recipe>", "a .dopt, an .onnx, or a recipe's .yaml file")
  .option(
    "--integer-onnx <file>",
    "the artifact's integer program in standard operators: the same bits in ONNX Runtime",
  )
  .addOption(
    new Option("--border <kind>", "what the integer model takes and gives: codes, or real numbers")
      .choices(["codes", "float"])
      .default("codes"),
  )
  .option("--onnx <file>", "the model as it was read, unchanged")
  .option(
    "--qdq <file>",
    "a recipe's model quantized: float operators between QuantizeLinear and DequantizeLinear, for other tools",
  )
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const wanted = [flags.integerOnnx, flags.onnx, flags.qdq].filter((file) => file !== undefined);
    const [out] = wanted;
    if (out === undefined || wanted.length > 1) {
      const message = "say what to write: one of --integer-onnx FILE, --onnx FILE and --qdq FILE";
      throw new CompileError("usage/what-to-export", message);
    }
    const { writeModel } = await import("../onnx/write.ts");
    writeModel(await graphOf(path, flags), out);
    if (flags.json) printJson({ schema: "optimus-compile/export@1", from: path, to: out });
    else print(`${out}\n`);
  });

async function graphOf(path: string, flags: Flags): Promise<Graph> {
  if (flags.qdq !== undefined) return quantize(path);
  return flags.integerOnnx === undefined ? readTeacher(path) : readInteger(path, flags.border);
}

async function quantize(path: string): Promise<Graph> {
  const [{ quantizedGraph }, { loadRecipe }] = await Promise.all([
    import("../build/quantized.ts"),
    import("../recipe.ts"),
  ]);
  return quantizedGraph(loadRecipe(path, { strict: false, warn }), { progress: { detail: () => {}, warn } });
}

async function readTeacher(path: string) {
  return (await import("../onnx/read.ts")).readModel(path);
}

async function readInteger(path: string, border: "codes" | "float") {
  const [{ readArtifact }, { decodeRecord }, { exportIntegerOnnx }] = await Promise.all([
    import("../artifact/file.ts"),
    import("../ir/record.ts"),
    import("../onnx/integer.ts"),
  ]);
  const record = readArtifact(path).sections.get("record") ?? new Uint8Array();
  return exportIntegerOnnx(decodeRecord(record), { border });
}
