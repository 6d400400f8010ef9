/** The two executors behind one face, codes in and codes out, so that they can be compared with each other and with the past. */
import type { SealedArtifact } from "./artifact/container.ts";
import type { Codes, GoldenSequence } from "./artifact/golden.ts";
import { type IntegerProgram, loadInteger } from "./emulate/integer.ts";
import { createMachine, type HostCall } from "./emulate/machine.ts";
import { bug, CompileError } from "./error.ts";
import { quantize } from "./ir/codes.ts";
import { type DType, elementCount, type Graph, type Quant, type Tensor, type TypedArray } from "./ir/graph.ts";
import { decodeRecord } from "./ir/record.ts";
import { bytesOf, viewBytes } from "./ir/tensor.ts";
import { parse } from "./ir/text.ts";

export interface ChipSections {
  readonly program: Uint8Array;
  readonly weights: Uint8Array;
  readonly plan: Uint8Array;
}

export interface Executor {
  /** One inference. Outputs in the program's order, those that are fed back among them; states go on. */
  run(inputs: readonly Codes[]): Codes[];
  /** The first step of another sequence comes next. */
  reset(): void;
}

/** By the integer graph: as fast as it goes. */
export function fastExecutor(graph: Graph): Executor {
  const program = loadInteger(graph);
  return { run: (inputs) => runGraph(program, inputs), reset: () => program.reset() };
}

function runGraph(program: IntegerProgram, inputs: readonly Codes[]): Codes[] {
  const outputs = program.run(new Map(inputs.map((codes) => [codes.name, tensorOf(codes)])));
  return [...outputs].map(([name, tensor]) => codesFrom(name, tensor));
}

/** By the program's commands, in memories of their own. Throws trust/bad-program. */
export function chipExecutor(sections: ChipSections): Executor {
  const machine = createMachine(sections, { cpu: hostCall() });
  const [entry] = machine.program.entries;
  if (entry === undefined) throw new CompileError("trust/bad-program", "the program has no entry");
  return {
    run(inputs) {
      const given = new Map(inputs.map((codes) => [codes.name, tensorOf(codes).data as TypedArray]));
      const results = machine.run(entry.name, given);
      return entry.outputs.map(({ name, dtype, shape }) => {
        const data = results.get(name) ?? bug(`the machine gave no "${name}"`);
        return codesFrom(name, { dtype, shape, data });
      });
    },
    reset: () => machine.reset(),
  };
}

/** What the host computes for the chip: graphs in the one notation, each loaded once. */
function hostCall(): HostCall {
  const loaded = new Map<string, IntegerProgram>();
  return (text, inputs) => {
    const program = loaded.get(text) ?? loadInteger(parse(text));
    loaded.set(text, program);
    const outputs = program.run(new Map(inputs.map((tensor, at) => [program.inputs[at], tensor as Tensor])));
    return program.outputs.map((name) => outputs.get(name) as ReturnType<HostCall>[number]);
  };
}

export function executorOf(kind: "machine" | "fast", artifact: SealedArtifact): Executor {
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  if (kind === "fast") return fastExecutor(decodeRecord(section("record")));
  return chipExecutor({ program: section("program"), weights: section("weights"), plan: section("plan") });
}

/** What the host hands over: codes where the input is quantized, the values themselves elsewhere. */
export function codesOf(graph: Graph, feeds: ReadonlyMap<string, Tensor>): Codes[] {
  return [...feeds].map(([name, tensor]) => {
    const type = graph.types.get(name);
    return codesFrom(name, type?.quant === undefined ? tensor : quantize(tensor, type.dtype, type.quant));
  });
}

function codesFrom(name: string, tensor: Tensor): Codes {
  return { name, dtype: tensor.dtype, shape: tensor.shape, bytes: bytesOf(tensor) };
}

export function tensorOf({ dtype, shape, bytes }: Codes, quant?: Quant): Tensor {
  const data = viewBytes(dtype as DType, elementCount(shape), bytes);
  return quant === undefined ? { dtype: dtype as DType, shape, data } : { dtype: dtype as DType, shape, data, quant };
}

/** Where an executor first gives other codes than those recorded; undefined where it never does. */
export function disagreement(sequences: readonly GoldenSequence[], executor: Executor): string | undefined {
  for (const [number, steps] of sequences.entries()) {
    executor.reset();
    for (const [step, { inputs, outputs }] of steps.entries()) {
      const found = firstDifference(outputs, executor.run(inputs));
      if (found !== undefined) return `sequence ${number}, step ${step}, ${found}`;
    }
  }
  return undefined;
}

/** The first byte in which two lists of outputs differ, in words. */
export function firstDifference(wanted: readonly Codes[], found: readonly Codes[]): string | undefined {
  for (const { name, bytes } of wanted) {
    const other = found.find((codes) => codes.name === name)?.bytes;
    if (other === undefined) return `output "${name}" is missing`;
    if (other.length !== bytes.length) return `output "${name}" has ${other.length} bytes, not ${bytes.length}`;
    const at = bytes.findIndex((byte, index) => byte !== other[index]);
    if (at >= 0) return `output "${name}", byte ${at}: ${other[at]} instead of ${bytes[at]}`;
  }
  return undefined;
}
