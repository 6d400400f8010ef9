/**
 * The chip as bytes: it decodes a Program and executes its commands, in program order, on an SRAM for every NPU and a DRAM
 * of its own.
 * It shares no code with the compiler, the operators or the fast executor; all that it computes is in
 * docs/integer-semantics.md.
 */
import { CompileError } from "../error.ts";
import type { Command, CpuCommand, Entry, Operand, Program, Sections, Storage } from "../schedule/program.ts";
import { decodeProgram } from "./decode.ts";
import { checkProgram } from "./machine/check.ts";
import { runConv, runDeconv } from "./machine/convolution.ts";
import { runMatMul } from "./machine/matmul.ts";
import {
  type AnyArray,
  ELEMENT_BYTES,
  forEachRow,
  Memories,
  Memory,
  type NumberArray,
  sizeOf,
} from "./machine/memory.ts";
import { runDma, runFill, runGather, runMove, runNibbles, runScatter } from "./machine/move.ts";
import { runNorm, runPool, runReduce, runSoftmax } from "./machine/rows.ts";
import { runEltwise, runScale, runTable } from "./machine/vector.ts";

/** A tensor that a host call reads or makes: row-major codes. */
export interface HostTensor {
  readonly dtype: Storage;
  readonly shape: readonly number[];
  readonly data: AnyArray;
}

/** What the host computes for a `cpu` command: the outputs of the graph in `text`, in its order. */
export type HostCall = (text: string, inputs: readonly HostTensor[]) => readonly HostTensor[];

export interface MachineOptions {
  /** Absent: a program with `cpu` commands is refused. */
  readonly cpu?: HostCall;
  /** 8 GiB unless said otherwise. */
  readonly maxDramBytes?: number;
}

export interface Machine {
  readonly program: Program;
  /** One inference: codes of every input → codes of every output. States keep what they hold. */
  run(entry: string, inputs: ReadonlyMap<string, AnyArray>): Map<string, AnyArray>;
  /** Gives every state its initial codes. */
  reset(): void;
}

/** Throws trust/bad-program for bytes that no scheduler of ours would write. */
export function createMachine(sections: Sections, options: MachineOptions = {}): Machine {
  const program = decodeProgram(sections);
  const sramBytes = checkProgram(program, options.maxDramBytes ?? 2 ** 33);
  const dram = new Memory(program.dramBytes);
  dram.bytes.set(program.weights);
  const npus = sramBytes.map((bytes) => new Memories(new Memory(bytes), dram));
  const entries = new Map(program.entries.map((entry) => [entry.name, entry]));
  const reset = () => {
    for (const { dtype, shape, address, init } of program.states) {
      const bytes = byteLength(dtype, shape);
      dram.bytes.set(program.weights.subarray(init, init + bytes), address);
    }
  };
  reset();
  return {
    program,
    reset,
    run(name, inputs) {
      const entry = entries.get(name);
      if (!entry) {
        throw new CompileError("usage/unknown-entry", `the program has no entry "${name}"`, {
          remedy: `choose one of ${[...entries.keys()].join(", ")}`,
        });
      }
      feed(entry, inputs, dram);
      for (const command of entry.commands) {
        const seen = command.kind === "dma-read" ? (command.npus ?? [command.npu]) : [command.npu];
        for (const npu of seen) execute(command, npus[npu], options.cpu);
      }
      return fetch(entry, dram);
    },
  };
}

function byteLength(dtype: Storage, shape: readonly number[]): number {
  return sizeOf(shape) * ELEMENT_BYTES[dtype];
}

function feed(entry: Entry, inputs: ReadonlyMap<string, AnyArray>, dram: Memory): void {
  for (const { name, dtype, shape, address } of entry.inputs) {
    const data = inputs.get(name);
    const array = dram.array(dtype);
    if (data === undefined || data.constructor !== array.constructor || data.length !== sizeOf(shape)) {
      const given = data === undefined ? "nothing" : `${data.constructor.name} of ${data.length}`;
      throw new CompileError("usage/bad-input", `the input "${name}" is ${given}, not ${dtype}[${shape}]`, {
        where: name,
        remedy: "give codes of the input's storage type and shape",
      });
    }
    (array as NumberArray).set(data as NumberArray, address / array.BYTES_PER_ELEMENT);
  }
}

function fetch(entry: Entry, dram: Memory): Map<string, AnyArray> {
  const outputs = new Map<string, AnyArray>();
  for (const { name, dtype, shape, address } of entry.outputs) {
    const array = dram.array(dtype);
    const first = address / array.BYTES_PER_ELEMENT;
    outputs.set(name, array.slice(first, first + sizeOf(shape)));
  }
  return outputs;
}

function execute(command: Command, memories: Memories, cpu: HostCall | undefined): void {
  switch (command.kind) {
    case "dma-read":
    case "dma-write":
      runDma(command, memories);
      return;
    case "conv":
      runConv(command, memories);
      return;
    case "deconv":
      runDeconv(command, memories);
      return;
    case "matmul":
      runMatMul(command, memories);
      return;
    case "eltwise":
      runEltwise(command, memories);
      return;
    case "scale":
      runScale(command, memories);
      return;
    case "table":
      runTable(command, memories);
      return;
    case "pool":
      runPool(command, memories);
      return;
    case "reduce":
      runReduce(command, memories);
      return;
    case "softmax":
      runSoftmax(command, memories);
      return;
    case "norm":
      runNorm(command, memories);
      return;
    case "move":
      runMove(command, memories);
      return;
    case "pack":
    case "unpack":
      runNibbles(command, memories);
      return;
    case "fill":
      runFill(command, memories);
      return;
    case "gather":
      runGather(command, memories);
      return;
    case "scatter":
      runScatter(command, memories);
      return;
    case "cpu":
      runHost(command, memories, cpu);
      return;
    case "stop":
      return;
  }
}

/** A compact copy of a view. */
function read(operand: Operand, memories: Memories): HostTensor {
  const place = memories.any(operand);
  const copy = place.data.slice(0, 0).constructor as new (length: number) => NumberArray;
  const data = new copy(sizeOf(operand.shape));
  const source = place.data as NumberArray;
  let at = 0;
  forEachRow(place.shape, [place.strides], (count, [offset], [step]) => {
    for (let i = 0; i < count; i++) data[at++] = source[place.offset + offset + i * step];
  });
  return { dtype: operand.dtype, shape: operand.shape, data };
}

function runHost(command: CpuCommand, memories: Memories, cpu: HostCall | undefined): void {
  const where = command.origin[0] ?? "cpu command";
  if (cpu === undefined) {
    throw new CompileError("trust/cpu-command", "the program runs a node on the host, which is not allowed here", {
      where,
      remedy: "set allowCpu: true in the recipe",
    });
  }
  const outputs = cpu(
    command.text,
    command.inputs.map((operand) => read(operand, memories)),
  );
  command.outputs.forEach((operand, index) => {
    const place = memories.any(operand);
    const made = outputs[index];
    if (made?.dtype !== operand.dtype || made.data.length !== sizeOf(operand.shape)) {
      throw new Error(`bug: the host gave no ${operand.dtype}[${operand.shape}] for ${where}`);
    }
    const source = made.data as NumberArray;
    const target = place.data as NumberArray;
    let at = 0;
    forEachRow(place.shape, [place.strides], (count, [offset], [step]) => {
      for (let i = 0; i < count; i++) target[place.offset + offset + i * step] = source[at++];
    });
  });
}
