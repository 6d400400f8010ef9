import { CompileError } from "../../error.ts";
import { attrs, type Graph, intsAttr, makeGraph, type Node } from "../../ir/graph.ts";
import { type Conversion, type ConvertContext, type Family, hintOf, withAttrs } from "./conversion.ts";

/**
 * Scan of opset 8 had a batch dimension before everything: it is today's Scan over the batch, whose body is today's Scan
 * over the sequence. Its first input, the length of each sequence, must be absent.
 */
const batched: Conversion = {
  before: 9,
  convert(node, context) {
    const body = node.attrs.get("body");
    if (body === undefined || !("g" in body)) return node;
    if (node.inputs[0] !== "") {
      throw new CompileError("model/unsupported-attribute", "Scan with sequence_lens is not supported", {
        where: `node ${node.origin[0]}`,
        remedy: "export the model with opset 9 or newer",
      });
    }
    const directions = intsAttr(node, "directions");
    const inner = withAttrs(node, {
      directions: undefined,
      ...(directions && { scan_input_directions: { ints: directions } }),
    });
    const inputs = node.inputs.slice(1);
    return {
      ...node,
      inputs,
      attrs: attrs({ body: { g: overBatch(inner, body.g, context) }, num_scan_inputs: { i: inputs.length } }),
    };
  },
};

/** The body over the batch: one sequence through the old body. */
function overBatch(inner: Node, body: Graph, context: ConvertContext): Graph {
  const hint = hintOf(inner);
  const inputs = body.inputs.map((name) => context.fresh(`${hint}/sequence/${name}`));
  const outputs = body.outputs.map((name) => context.fresh(`${hint}/sequence/${name}`));
  const nodes: Node[] = [{ ...inner, inputs, outputs }];
  const types = new Map(inputs.map((name, index) => [name, dtypeOf(body, index)] as const));
  return makeGraph({ name: `${hint}/batch`, inputs, outputs, nodes, types });
}

/** Shapes of a sequence are not written in the old body, which sees single steps. */
function dtypeOf(body: Graph, index: number) {
  return { dtype: body.types.get(body.inputs[index])?.dtype ?? "float32" };
}

export const scan: Family = { Scan: [batched] };
