/** Planned jobs → Program: DRAM, ports, states, commands. */
import { costOf } from "../emulate/costs.ts";
import { dramBytesPerCycle } from "../emulate/cycles.ts";
import { bug, CompileError } from "../error.ts";
import { elementCount, type Graph, typeOf } from "../ir/graph.ts";
import type { Target } from "../target/schema.ts";
import { alignUp } from "./allocate.ts";
import { arrange, arrangeAs, stagingBytes } from "./arrange.ts";
import type { Planned, Prepared } from "./plan.ts";
import {
  type Command,
  type Entry,
  type EntryPlan,
  type Port,
  type PortQuant,
  type Program,
  STORAGE_BYTES,
  type StateBuffer,
} from "./program.ts";
import { storageOf } from "./roots.ts";
import { type Root, viewOfRoot } from "./view.ts";
import { codesOf, type Weights } from "./weights.ts";

/** Hands out DRAM behind the weights. */
class DramMap {
  private next: number;
  private readonly addresses = new Map<Root, number>();
  private readonly weights: Weights;

  constructor(weights: Weights, first: number) {
    this.weights = weights;
    this.next = first;
  }

  get end(): number {
    return this.next;
  }

  place(root: Root, address = this.next): number {
    this.addresses.set(root, address);
    if (address === this.next) this.next = alignUp(this.next + root.bytes, 64);
    return address;
  }

  address(root: Root): number {
    if (root.kind === "constant") return this.weights.add([{ view: viewOfRoot(root), at: 0 }], root.bytes);
    return this.addresses.get(root) ?? this.place(root);
  }
}

function quantOf(graph: Graph, name: string): PortQuant | undefined {
  const quant = typeOf(graph, name)?.quant;
  if (!quant) return undefined;
  const { scale, zeroPoint, axis } = quant;
  return { scale: [...scale], zeroPoint: [...zeroPoint], ...(axis === undefined ? {} : { axis }) };
}

function portOf(graph: Graph, name: string, address: number): Port {
  const quant = quantOf(graph, name);
  return { name, ...storageOf(typeOf(graph, name), name), ...(quant ? { quant } : {}), address };
}

/** Constants that commands reach in DRAM directly must be in the section before addresses behind it are fixed. */
function addDirectConstants(planned: readonly Planned[], weights: Weights): void {
  for (const { jobs } of planned) {
    for (const { job } of jobs) {
      const direct =
        job.kind === "cpu" ? job.inputs : job.direct?.input === undefined ? [] : [job.inputs[job.direct.input]];
      for (const view of direct)
        if (view?.root.kind === "constant") weights.add([{ view: viewOfRoot(view.root), at: 0 }], view.root.bytes);
    }
  }
}

/** Gives everything its place in DRAM, emits the commands, and puts the Program together. */
export function assemble(
  prepared: readonly Prepared[],
  planned: readonly Planned[],
  weights: Weights,
  target: Target,
  prefetch: boolean,
): { readonly program: Program; readonly constantBytes: number } {
  addDirectConstants(planned, weights);
  const constantBytes = weights.byteLength;
  const inits = new Map(
    prepared.flatMap(({ graph }) =>
      graph.states.map(({ input, init }) => {
        const { dtype, shape } = storageOf(typeOf(graph, input), input);
        const bytes = elementCount(shape) * STORAGE_BYTES[dtype];
        const root: Root = { name: input, dtype, shape, bytes, kind: "constant", codes: codesOf(init) };
        return [input, weights.add([{ view: viewOfRoot(root), at: 0 }], bytes)] as const;
      }),
    ),
  );
  const dram = new DramMap(weights, alignUp(weights.byteLength, 64));
  const states = placeStates(prepared, inits, dram);
  const entries: Entry[] = [];
  const plan: EntryPlan[] = [];
  prepared.forEach(({ name, graph, lowered, transfers, npus, inDram }, index) => {
    const { jobs, residency, merged, sequence, apart = false } = planned[index];
    const fedInputs = new Map(graph.states.map(({ input }) => [input, states.get(input)]));
    const fedOutputs = new Map(graph.states.map(({ input, output }) => [output, states.get(input)]));
    for (const [input, root] of lowered.inputs) dram.place(root, fedInputs.get(input)?.address);
    for (const root of transfers.ports.values()) dram.place(root);
    for (const [root, port] of merged) dram.place(root, dram.address(port));
    const dramAddress = (root: Root) => dram.address(root);
    const perCycle = dramBytesPerCycle(target);
    const lead = 2 * target.dma.latencyCycles;
    const workOf = (command: Command) => costOf(command, target, perCycle);
    const given = { jobs, npus, dramAddress, prefetch, lead, workOf, apart };
    const ordered = sequence && arrangeAs(given, residency, sequence, target);
    const result = ordered ?? arrange(given, residency, target, inDram !== undefined);
    const inputs = graph.inputs
      .filter((input) => !fedInputs.has(input))
      .map((input) => portOf(graph, input, dram.address(lowered.inputs.get(input) ?? bug(input))));
    const outputs = [...new Set(graph.outputs)].map((output) => {
      const port = transfers.ports.get(output);
      return portOf(
        graph,
        output,
        fedOutputs.get(output)?.address ?? dram.address(port ?? bug(`no port for ${output}`)),
      );
    });
    entries.push({ name, inputs, outputs, commands: result.commands });
    plan.push({
      name,
      sramPeakBytes: result.sramPeakBytes,
      sramLowerBoundBytes: result.sramLowerBoundBytes,
      buffers: result.buffers,
    });
  });
  const program: Program = {
    name: prepared[0]?.graph.name ?? "",
    target: target.name,
    npus: prepared.reduce((most, { npus }) => Math.max(most, npus), 1),
    sramBytes: stagingBytes(target.sram),
    dramBytes: dram.end,
    weightBytes: weights.byteLength,
    get weights() {
      return weights.bytes();
    },
    states: [...states.values()],
    entries,
    plan,
  };
  return { program, constantBytes };
}

function placeStates(
  prepared: readonly Prepared[],
  inits: ReadonlyMap<string, number>,
  dram: DramMap,
): Map<string, StateBuffer> {
  const states = new Map<string, StateBuffer>();
  for (const { graph } of prepared) {
    for (const { input, output } of graph.states) {
      const { dtype, shape } = storageOf(typeOf(graph, input), input);
      const known = states.get(input);
      if (known && (known.dtype !== dtype || String(known.shape) !== String(shape))) {
        throw new CompileError(
          "model/state-mismatch",
          `the state "${input}" is ${known.dtype}[${known.shape}] in one entry and ${dtype}[${shape}] in another`,
          { where: input },
        );
      }
      if (known) continue;
      const bytes = elementCount(shape) * STORAGE_BYTES[dtype];
      const address = dram.place({ name: input, dtype, shape, bytes, kind: "state" });
      const quant = quantOf(graph, input);
      states.set(input, {
        input,
        output,
        dtype,
        shape,
        ...(quant ? { quant } : {}),
        address,
        init: inits.get(input) ?? bug(input),
      });
    }
  }
  return states;
}
