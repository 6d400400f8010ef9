import { Command, Option } from "commander";
import { CompileError } from "../error.ts";
import { print, printJson } from "./terminal.ts";

interface Flags {
  readonly integerOnnx?: string;
  readonly onnx?: string;
  readonly border: "codes" | "float";
  readonly json?: boolean;
}

export const exportCommand = new Command("export")
  .description("write an artifact, or a model, as standard ONNX")
  .argument("<artifact-or-model>", "a .dopt or an .onnx file")
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
  .option("--json", "print one JSON document")
  .action(async (path: string, flags: Flags) => {
    const { integerOnnx, onnx } = flags;
    if ((integerOnnx === undefined) === (onnx === undefined)) {
      throw new CompileError("usage/what-to-export", "say what to write: --integer-onnx FILE or --onnx FILE");
    }
    const { writeModel } = await import("../onnx/write.ts");
    const out = (integerOnnx ?? onnx)!;
    writeModel(integerOnnx === undefined ? await readTeacher(path) : await readInteger(path, flags.border), out);
    if (flags.json) printJson({ schema: "optimus-compile/export@1", from: path, to: out });
    else print(`${out}\n`);
  });

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
