/** How far the integer program's values are from the teacher's, value by value, on the inputs of the golden vectors. */
import type { GoldenSequence } from "../artifact/golden.ts";
import { loadInteger } from "../emulate/integer.ts";
import { dequantize } from "../ir/codes.ts";
import { elementCount, type Graph, isStatic, type Node, type Tensor } from "../ir/graph.ts";
import { valuesOf } from "../ir/tensor.ts";
import { encodeModel } from "../onnx/write.ts";
import { tensorOf } from "../replay.ts";
import { createSession } from "../run/ort.ts";

/** Values of a model that are looked at, in elements of one run: what bounds the memory. */
const MOST_ELEMENTS = 64 * 2 ** 20;
/** How the equalizing pass marks values whose channels it scaled. */
const EQUALIZED = "/equalized";

/**
 * Signal over error in decibels, 10·log10(Σt² / Σ(t − c)²), of every value that both graphs have. Values that
 * `quantize/equalize` scaled channel by channel are scaled back by the least-squares gain of each channel first.
 */
export async function errorsOf(
  teacher: Graph,
  record: Graph,
  golden: readonly GoldenSequence[],
): Promise<Map<string, number>> {
  const shared = sharedValues(teacher, record);
  if (shared.size === 0 || golden.length === 0) return new Map();
  const program = loadInteger({ ...record, outputs: [...new Set([...record.outputs, ...shared.keys()])] });
  const wanted = [...new Set(shared.values())];
  const session = await createSession(
    encodeModel({ ...teacher, outputs: [...new Set([...teacher.outputs, ...wanted])] }),
    {
      threads: 1,
      optimization: "disabled",
    },
  );
  const sums = new Map<string, { signal: number; error: number }>();
  try {
    for (const steps of golden) {
      program.reset();
      const states = new Map(teacher.states.map(({ input, init }): [string, Tensor] => [input, init]));
      for (const { inputs } of steps) {
        const codes = program.run(new Map(inputs.map((one) => [one.name, tensorOf(one)])));
        const feeds = new Map(
          inputs.map((one): [string, Tensor] => [one.name, real(tensorOf(one, record.types.get(one.name)?.quant))]),
        );
        const floats = await session.run(new Map([...states, ...feeds]));
        for (const { input, output } of teacher.states)
          states.set(input, floats.get(output) ?? (states.get(input) as Tensor));
        for (const [name, original] of shared) add(sums, name, floats.get(original), codes.get(name));
      }
    }
  } finally {
    await session.release();
  }
  const found = new Map<string, number>();
  for (const [name, { signal, error }] of sums)
    if (signal > 0) found.set(name, 10 * Math.log10(signal / Math.max(error, signal * 1e-15)));
  return found;
}

/** Values of the record → the teacher's of the same name and shape. */
function sharedValues(teacher: Graph, record: Graph): Map<string, string> {
  const made = new Set(teacher.nodes.flatMap(({ outputs }) => outputs));
  const found = new Map<string, string>();
  let elements = 0;
  for (const name of record.nodes.filter((node) => !isUnnormalised(node)).flatMap(({ outputs }) => outputs)) {
    const original = name.endsWith(EQUALIZED) ? name.slice(0, -EQUALIZED.length) : name;
    const [ours, theirs] = [record.types.get(name), teacher.types.get(original)];
    if (!made.has(original) || !ours?.quant || theirs?.dtype !== "float32") continue;
    if (!isStatic(ours.shape) || !isStatic(theirs.shape) || ours.shape.join() !== theirs.shape.join()) continue;
    elements += elementCount(ours.shape);
    if (elements > MOST_ELEMENTS) break;
    found.set(name, original);
  }
  return found;
}

/** A Softmax before a product: its codes are weights that the product divides by their sum, and no shares yet. */
function isUnnormalised({ op, attrs }: Node): boolean {
  const normalised = attrs.get("normalised");
  return op === "Softmax" && normalised !== undefined && "i" in normalised && Number(normalised.i) === 0;
}

const real = (tensor: Tensor): Tensor => (tensor.quant === undefined ? tensor : dequantize(tensor));

function add(
  sums: Map<string, { signal: number; error: number }>,
  name: string,
  teacher: Tensor | undefined,
  codes: Tensor | undefined,
): void {
  if (teacher === undefined || codes === undefined) return;
  const wanted = valuesOf(teacher) as ArrayLike<number>;
  const got = valuesOf(real(codes)) as ArrayLike<number>;
  if (wanted.length !== got.length) return;
  const sum = sums.get(name) ?? { signal: 0, error: 0 };
  sums.set(name, sum);
  const channels = name.endsWith(EQUALIZED) ? (codes.shape[1] ?? 1) : 1;
  const inner = name.endsWith(EQUALIZED) ? elementCount(codes.shape.slice(2)) : wanted.length;
  const gains = new Float64Array(channels).fill(1);
  if (name.endsWith(EQUALIZED)) {
    const [cross, square] = [new Float64Array(channels), new Float64Array(channels)];
    for (let at = 0; at < got.length; at++) {
      const channel = Math.floor(at / inner) % channels;
      cross[channel] += wanted[at] * got[at];
      square[channel] += got[at] * got[at];
    }
    for (let channel = 0; channel < channels; channel++)
      if (square[channel] > 0) gains[channel] = cross[channel] / square[channel];
  }
  for (let at = 0; at < got.length; at++) {
    // What a mask made infinite is as far away as codes go, and no error.
    if (!Number.isFinite(wanted[at])) continue;
    const gain = gains[Math.floor(at / inner) % channels];
    sum.signal += wanted[at] ** 2;
    sum.error += (wanted[at] - gain * got[at]) ** 2;
  }
}
