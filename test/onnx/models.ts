import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { CompileError, exitCodeOf } from "../../src/error.ts";
import { encode } from "../../src/onnx/encode.ts";
import type { GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto } from "../../src/onnx/schema.ts";

/** Small models as the messages of their file, so that a test can damage any field. */

export function float(name: string, dims: number[], values: number[]): TensorProto {
  return { name, dims, dataType: 1, rawData: new Uint8Array(Float32Array.from(values).buffer) };
}

export function value(name: string, dims: (number | string)[], elemType = 1): ValueInfoProto {
  const dim = dims.map((size) => (typeof size === "number" ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}

export function node(opType: string, input: string[], output: string[], rest: NodeProto = {}): NodeProto {
  return { opType, input, output, name: `n-${output[0]}`, ...rest };
}

/** `s = x + w; y = Relu(s)` over [2, 3], or what `graph` says instead. */
export function model(graph: GraphProto = {}, rest: ModelProto = {}): ModelProto {
  return {
    irVersion: 8,
    opsetImport: [{ domain: "", version: 17 }],
    graph: {
      name: "tiny",
      node: [node("Add", ["x", "w"], ["s"]), node("Relu", ["s"], ["y"])],
      initializer: [float("w", [3], [1, -2, 3])],
      input: [value("x", [2, 3])],
      output: [value("y", [2, 3])],
      ...graph,
    },
    ...rest,
  };
}

export function bytes(graph: GraphProto = {}, rest: ModelProto = {}): Uint8Array {
  return encode("ModelProto", model(graph, rest));
}

/** A folder that goes away with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "optimus-onnx-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A model whose `w` is external data with these entries; returns the model's path. */
export function withExternal(folder: string, entries: Readonly<Record<string, string>>): string {
  const externalData = Object.entries(entries).map(([key, text]) => ({ key, value: text }));
  const path = join(folder, "model.onnx");
  const w: TensorProto = { name: "w", dims: [3], dataType: 1, dataLocation: 1, externalData };
  writeFileSync(path, bytes({ initializer: [w] }));
  return path;
}

/** What a refused model throws. Anything but a CompileError of the model's family fails the test. */
export function refusal(run: () => unknown): CompileError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CompileError);
    expect(exitCodeOf(error)).toBe(3);
    return error as CompileError;
  }
  throw new Error("the model was accepted");
}
