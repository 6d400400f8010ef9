/** The layout of ONNX Runtime's fast convolutions on this CPU. */
import { attrs, makeGraph } from "../ir/graph.ts";
import { float32, valuesOf } from "../ir/tensor.ts";
import { encodeModel } from "../onnx/write.ts";
import { createSession } from "../run/ort.ts";

/** ONNX Runtime's own domain: `Conv`, `ReorderInput` and `ReorderOutput` on channels in blocks. */
export const BLOCKED_DOMAIN = "com.microsoft.nchwc";

const CHANNELS = 64;

let known: Promise<number | undefined> | undefined;

/**
 * How many channels lie beside one another where ONNX Runtime convolves in blocks, [n, c/block, y, x, block]: 16 with
 * AVX-512, 8 with AVX. Undefined where it has no such kernels. It is found out by having two places of 64 channels reordered.
 */
export function convolutionBlock(): Promise<number | undefined> {
  known ??= probe();
  return known;
}

async function probe(): Promise<number | undefined> {
  const shape = [1, CHANNELS, 1, 2];
  const graph = makeGraph({
    inputs: ["x"],
    outputs: ["y"],
    nodes: [
      { op: "ReorderInput", domain: BLOCKED_DOMAIN, inputs: ["x"], outputs: ["y"], attrs: attrs({}), origin: [] },
    ],
    types: new Map(["x", "y"].map((name) => [name, { dtype: "float32", shape }])),
    opsets: new Map([
      ["", 21],
      [BLOCKED_DOMAIN, 1],
    ]),
  });
  try {
    const session = await createSession(encodeModel(graph));
    const x = float32(
      shape,
      Array.from({ length: CHANNELS * 2 }, (_, at) => at),
    );
    const found = await session.run(new Map([["x", x]]));
    await session.release();
    const y = found.get("y");
    return y && blockIn(valuesOf(y) as Float32Array);
  } catch {
    // A runtime without these kernels refuses the node, when it loads the model or when it runs it.
    return undefined;
  }
}

/** The block in which 0, 1, 2, … (channel · 2 + place) were laid. */
function blockIn(values: Float32Array): number | undefined {
  const block = values.indexOf(1);
  if (block < 2 || CHANNELS % block !== 0) return undefined;
  const right = values.every((value, at) => {
    const [lane, place, group] = [at % block, Math.floor(at / block) % 2, Math.floor(at / (2 * block))];
    return value === (group * block + lane) * 2 + place;
  });
  return right ? block : undefined;
}
