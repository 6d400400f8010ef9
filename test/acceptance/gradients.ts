/**
 * Gradients: every case of test/train/cases and random ones against finite differences in float64 under the interpreter, and
 * the same steps in float32 under ONNX Runtime against the interpreter. `--samples` is the number of random cases (60).
 */
import type { Tensor } from "../../src/ir/graph.ts";
import { float32, numbersOf } from "../../src/ir/tensor.ts";
import { encodeModel } from "../../src/onnx/write.ts";
import { interpret } from "../../src/run/interpret.ts";
import { createSession } from "../../src/run/ort.ts";
import { withBlockedConvolutions } from "../../src/train/blocked.ts";
import { differentiate } from "../../src/train/differentiate.ts";
import { convolutionBlock } from "../../src/train/layout.ts";
import { withBlockedProducts } from "../../src/train/products.ts";
import { checkGradient, feedsOf, type GradientCase, graphOf } from "../harness/gradient.ts";
import { GRADIENT_CASES } from "../train/cases/all.ts";
import { WIDE_CONVOLUTIONS, WIDE_PRODUCTS } from "../train/cases/blocked.ts";
import { randomCases } from "../train/cases/random.ts";
import type { AcceptanceCheck } from "./check.ts";

const RANDOM_CASES = 60;
const FINITE_DIFFERENCES_BAR = 1e-6;
/** float32 against float32, relative to a gradient's largest number. */
const RUNTIME_BAR = 1e-4;
/** Operators that came after opset 21, under which ONNX Runtime loads the step's graph otherwise. */
const LATER = new Set(["Swish", "RMSNormalization"]);

/** Largest difference between ONNX Runtime and the interpreter, over the largest number of each output. */
async function compareRuntime(given: GradientCase): Promise<number> {
  const graph = graphOf(given, "float32");
  const block = await convolutionBlock();
  const parameters = Object.keys(given.by);
  const step = differentiate(graph, { loss: "loss", parameters, ...(block === undefined ? {} : { block }) });
  const feeds = new Map<string, Tensor>(
    [...feedsOf(given)].map(([name, tensor]) => [name, float32(tensor.shape, numbersOf(tensor))]),
  );
  const expected = interpret(step, feeds);
  const opset = step.nodes.some(({ op }) => LATER.has(op)) ? 24 : 21;
  const later = { ...step, opsets: new Map([...step.opsets, ["", opset]]) };
  const session = await createSession(
    encodeModel(block === undefined ? later : withBlockedProducts(withBlockedConvolutions(later, block), block)),
  );
  const found = await session.run(feeds);
  await session.release();
  const errors = step.outputs.map((name) => {
    const [wanted, got] = [expected, found].map((values) => numbersOf(values.get(name) as Tensor));
    const scale = wanted.reduce((most, each) => Math.max(most, Math.abs(each)), 1e-3);
    return wanted.reduce((most, each, at) => Math.max(most, Math.abs(each - got[at]) / scale), 0);
  });
  return Math.max(...errors);
}

export const gradients: AcceptanceCheck = async function* ({ samples = RANDOM_CASES }) {
  const cases = [...GRADIENT_CASES, ...randomCases(samples)];
  const operators = new Set<string>();
  let [worst, where] = [0, ""];
  for (const each of cases) {
    const result = checkGradient(each);
    for (const name of result.operators) operators.add(name);
    if (!(result.worst <= worst)) [worst, where] = [result.worst, `${each.name}, ${result.where}`];
  }
  console.log(JSON.stringify({ operators: operators.size, cases: cases.length, worstRelativeError: worst }));
  const says = `${operators.size} operators, ${cases.length} cases, worst relative error ${worst.toExponential(2)} (${where})`;
  yield { name: "finite differences", good: worst < FINITE_DIFFERENCES_BAR, says };

  let [furthest, which, compared] = [0, "", 0];
  for (const each of [...cases.filter(({ runtime = true }) => runtime), ...WIDE_CONVOLUTIONS, ...WIDE_PRODUCTS]) {
    const error = await compareRuntime(each);
    compared++;
    if (!(error <= furthest)) [furthest, which] = [error, each.name];
  }
  yield {
    name: "ONNX Runtime",
    good: furthest < RUNTIME_BAR,
    says: `${compared} steps in float32, at most ${furthest.toExponential(2)} from the interpreter (${which})`,
  };
};
