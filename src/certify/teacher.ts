import { CompileError } from "../error.ts";
import { elementCount, type Tensor } from "../ir/graph.ts";
import { encode } from "../ir/numbers.ts";
import type { Recipe } from "../recipe.ts";
import { createSession, type SessionValue } from "../run/ort.ts";

/** The float model itself, under ONNX Runtime: what the compiled one is compared with. */
export interface Teacher {
  /** Outputs by name, without those that are fed back. States go on from the last step. */
  step(feeds: ReadonlyMap<string, Tensor>): Promise<Map<string, Tensor>>;
  /** The first step of another sequence comes next. */
  reset(): void;
  release(): Promise<void>;
}

type Bindings = Recipe["inputs"];

/** @param path the ONNX file. Throws model/onnxruntime, usage/bad-binding. */
export async function openTeacher(path: string, bindings: Bindings): Promise<Teacher> {
  const session = await createSession(path, { threads: 1 });
  const fixed = new Map<string, Tensor>();
  const initial = new Map<string, Tensor>();
  const fedBack = new Map<string, string>();
  for (const input of session.inputs) {
    const binding = bindings[input.name];
    if (binding?.value !== undefined) fixed.set(input.name, constant(input, binding.shape, binding.value));
    if (binding?.from === undefined) continue;
    initial.set(input.name, constant(input, binding.shape, binding.init ?? 0));
    fedBack.set(input.name, binding.from);
  }
  const internal = new Set(fedBack.values());
  let states = new Map(initial);
  return {
    async step(feeds) {
      const outputs = await session.run(new Map([...fixed, ...states, ...feeds]));
      for (const [input, output] of fedBack) states.set(input, outputs.get(output)!);
      return new Map([...outputs].filter(([name]) => !internal.has(name)));
    },
    reset() {
      states = new Map(initial);
    },
    release: () => session.release(),
  };
}

/** A recipe's number or numbers as the tensor that the model takes; one number fills it. */
function constant(input: SessionValue, given: readonly number[] | undefined, value: unknown): Tensor {
  const shape = given ?? input.shape ?? [];
  if (input.dtype === undefined || !shape.every((dim) => typeof dim === "number")) {
    throw new CompileError("usage/bad-binding", `the input "${input.name}" needs a shape in the recipe`, {
      where: `inputs.${input.name}`,
    });
  }
  const count = elementCount(shape);
  const numbers = [value].flat().map(Number);
  const all = numbers.length === count ? numbers : new Array<number>(count).fill(numbers[0]);
  const whole = input.dtype.endsWith("int64") ? all.map(BigInt) : all;
  return { dtype: input.dtype, shape, data: encode(input.dtype, whole) };
}
