import { z } from "zod";
import { CONFIDENCE, confidenceOf } from "../../src/ir/confidence.ts";
import {
  type Attr,
  attrs,
  elementCount,
  freshName,
  type Graph,
  isStatic,
  type Node,
  type Tensor,
  type Type,
  typeOf,
} from "../../src/ir/graph.ts";
import { makeTensor } from "../../src/ir/tensor.ts";
import { namesOf } from "../../src/ir/uses.ts";
import { multiplierOf } from "../../src/ops/lowering/multiplier.ts";
import type { Pass } from "../../src/pass.ts";

const options = z
  .object({
    enabled: z.boolean().default(true),
    /** Which output holds the classes along its last axis; the first if absent. */
    output: z.string().optional(),
    over: z.enum(["least", "mean"]).default("least"),
    /** Class 0 is CTC's blank: of steps, those that make a character count, and all only where none does. */
    ctc: z.boolean().default(false),
  })
  .strict();

/** The wide form of a requantization by 1, which is exact. */
const UNIT = { multiplier: 2 ** 14, shift: 14 };
/** Rows that a wide sum of int16 margins cannot overflow: 2^15 of 2^22 stay below 2^38. */
const MOST_ROWS = 2 ** 22;

const pass: Pass<z.infer<typeof options>> = {
  summary:
    "Has the program say how sure it is: the integer margin between the two largest codes, as an output of its own.",
  options,
  lossy: true,
  run(graph, context) {
    const { enabled, output, over, ctc } = context.options;
    if (enabled && confidenceOf(graph)) return graph;
    if (!enabled) return withoutNote(graph);
    const internal = new Set(graph.states.map((state) => state.output));
    const of = output ?? graph.outputs.find((name) => !internal.has(name));
    const type = of === undefined ? undefined : typeOf(graph, of);
    const refusal = whyNot(graph, of, type);
    if (of === undefined || type === undefined || refusal !== undefined) {
      context.log.warn(`the program has no confidence of its own: ${refusal}`);
      return withoutNote(graph);
    }
    return withMargin(graph, of, type, { over, ctc });
  },
};

export default pass;

/** A note that a model brought along says nothing. */
function withoutNote(graph: Graph): Graph {
  if (!graph.metadata.has(CONFIDENCE)) return graph;
  return { ...graph, metadata: new Map([...graph.metadata].filter(([key]) => key !== CONFIDENCE)) };
}

function whyNot(graph: Graph, of: string | undefined, type: Type | undefined): string | undefined {
  if (of === undefined || !graph.outputs.includes(of)) return `there is no output ${JSON.stringify(of)}`;
  const { dtype, quant, shape } = type ?? {};
  if ((dtype !== "int8" && dtype !== "int16") || !quant || !isStatic(shape)) return `"${of}" has no 8 or 16 bit codes`;
  if (quant.scale.length !== 1) return `"${of}" has a scale for each channel, so that its codes do not compare`;
  if ((shape.at(-1) ?? 1) < 2) return `"${of}" has no classes along its last axis`;
  if (elementCount(shape) / Number(shape.at(-1)) > MOST_ROWS) return `"${of}" has more than ${MOST_ROWS} rows`;
  return undefined;
}

interface Margin {
  readonly over: "least" | "mean";
  readonly ctc: boolean;
}

function withMargin(graph: Graph, of: string, type: Type, { over, ctc }: Margin): Graph {
  const { shape = [], quant } = type;
  const names = namesOf(graph);
  const nodes: Node[] = [];
  const constants = new Map(graph.constants);
  const types = new Map(graph.types);
  const maker = graph.nodes.find(({ outputs }) => outputs.includes(of));
  const fresh = (hint: string) => {
    const name = freshName(hint, names);
    names.add(name);
    return name;
  };
  const output = fresh("confidence");
  // In units of the output's own scale: read as reals it is the difference of two of its values.
  const stored: Type = {
    dtype: "int16",
    ...(quant && { quant: { scale: quant.scale, zeroPoint: Int32Array.of(0) } }),
  };
  const emit = (
    op: string,
    inputs: readonly (string | Tensor)[],
    size: readonly number[],
    given: Record<string, Attr>,
    like = stored,
  ) => {
    const made = fresh(`${output}/${op.toLowerCase()}`);
    const read = inputs.map((input) => {
      if (typeof input === "string") return input;
      const name = fresh(`${output}/constant`);
      constants.set(name, input);
      return name;
    });
    nodes.push({
      op,
      domain: "npu",
      inputs: read,
      outputs: [made],
      attrs: attrs(given),
      origin: maker?.origin ?? [of],
    });
    types.set(made, { ...like, shape: size });
    return made;
  };
  const reduced = { axes: { ints: [1] }, keepdims: { i: 0 } };
  const classes = Number(shape.at(-1));
  const rows = elementCount(shape as readonly number[]) / classes;
  const several = rows > 1;
  const asRows = emit("Reshape", [of], [rows, classes], { shape: { ints: [rows, classes] } }, type);
  const flagged = ctc && several && over === "least";
  let last = emit("ReduceMargin", [asRows], [rows], { ...reduced, ...(flagged && { ctc: { i: 1 } }) });
  if (several) {
    const row = emit("Reshape", [last], [1, rows], { shape: { ints: [1, rows] } });
    if (over === "mean") {
      const post = postOf(multiplierOf(1 / rows, 15));
      last = emit("ReduceSum", [row, ...post.inputs], [1], { ...reduced, ...post.attrs });
    } else last = emit("ReduceMin", [row], [1], reduced);
  }
  if (flagged) {
    // Below 0 is a character's margin less 2^15: −1 is taken 2^15 times off again.
    const post = postOf(UNIT);
    const isCharacter = emit("Rescale", [last, ...post.inputs], [1], {
      ...post.attrs,
      y_min: { i: -1 },
      y_max: { i: 0 },
    });
    last = emit("Add", [last, isCharacter, ...post.inputs], [1], { ...post.attrs, b_multiplier: { i: -(2 ** 15) } });
  }
  const named = nodes.map((node) => (node.outputs[0] === last ? { ...node, outputs: [output] } : node));
  types.delete(last);
  types.set(output, { ...stored, shape: [1] });
  return {
    ...graph,
    nodes: [...graph.nodes, ...named],
    constants,
    types,
    outputs: [...graph.outputs, output],
    metadata: new Map(graph.metadata).set(CONFIDENCE, JSON.stringify({ output, of, over, ctc })),
  };
}

function postOf({ multiplier, shift }: { readonly multiplier: number; readonly shift: number }) {
  const int32 = (value: number) => makeTensor("int32", [1], Int32Array.of(value));
  return { inputs: [int32(multiplier), int32(shift)], attrs: { wide: { i: 1 }, y_dtype: { s: "int16" } } };
}
