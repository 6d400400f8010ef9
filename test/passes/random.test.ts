import fc from "fast-check";
import { expect, it } from "vitest";
import { relativeError } from "../../src/check.ts";
import { seededRandom } from "../../src/ir/random.ts";
import { print } from "../../src/ir/text.ts";
import { runPasses } from "../../src/passes.ts";
import { interpret } from "../../src/run/interpret.ts";
import { prepare, seededFeeds } from "../harness/pass.ts";

interface Value {
  readonly name: string;
  readonly shape: readonly number[];
}

/** Writes random graphs that are thick with what the passes look for: scales, shifts, reshapes, gates, dead ends. */
class Writer {
  readonly lines: string[] = [];
  readonly values: Value[] = [];
  readonly #next: () => number;
  #count = 0;

  constructor(seed: number) {
    this.#next = seededRandom(seed);
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.#next() * items.length)];
  }

  name(): string {
    return `v${this.#count++}`;
  }

  constant(type: string, value: string): string {
    const name = this.name();
    this.lines.unshift(`const ${name}: ${type} = ${value}`);
    return name;
  }

  random(shape: readonly number[], low = -1, high = 1): string {
    return this.constant(`float32[${shape}]`, `random(${Math.floor(this.#next() * 1e6)}, ${low}, ${high})`);
  }

  add(shape: readonly number[], call: string): Value {
    const value = { name: this.name(), shape };
    this.lines.push(`${value.name} = ${call}`);
    this.values.push(value);
    return value;
  }

  int64(values: readonly number[]): string {
    return this.constant(`int64[${values.length}]`, `[${values}]`);
  }
}

type Step = (writer: Writer, x: Value) => void;

const SCALARS = ["0", "1", "3", "6", "0.5", "0.16666667", "2", "-0.7", "1.4142135"];
const image = (x: Value): boolean => x.shape.length === 4;

const STEPS: readonly Step[] = [
  (w, x) => w.add(x.shape, `${w.pick(["Relu", "Sigmoid", "Tanh", "Neg", "Identity", "HardSwish", "Erf"])}(${x.name})`),
  (w, x) =>
    w.add(
      x.shape,
      `${w.pick(["Add", "Mul", "Sub", "Div"])}(${x.name}, ${w.constant("float32[]", w.pick(SCALARS.slice(1)))})`,
    ),
  (w, x) => w.add(x.shape, `${w.pick(["Add", "Mul"])}(${w.constant("float32[1]", w.pick(SCALARS))}, ${x.name})`),
  (w, x) => w.add(x.shape, `Clip(${x.name}, ${w.constant("float32[]", "0")}, ${w.constant("float32[]", "6")})`),
  (w, x) => {
    const other = w.pick(w.values.filter((value) => String(value.shape) === String(x.shape)));
    w.add(x.shape, `${w.pick(["Add", "Mul", "Max"])}(${x.name}, ${other.name})`);
  },
  (w, x) => {
    const perm = w.pick([
      [0, 2, 1, 3],
      [0, 3, 1, 2],
      [0, 2, 3, 1],
      [1, 0, 2, 3],
    ]);
    if (image(x))
      w.add(
        perm.map((axis) => x.shape[axis]),
        `Transpose(${x.name}) perm=[${perm}]`,
      );
  },
  (w, x) => {
    const size = x.shape.reduce((product, dim) => product * dim, 1);
    const last = x.shape.at(-1) ?? 1;
    const shapes = [[size], [1, size], [1, last, size / last], [1, 4, 3, size / 12], [1, 1, size]];
    const shape = w.pick(shapes.filter((dims) => dims.every(Number.isInteger)));
    w.add(shape, `Reshape(${x.name}, ${w.int64(shape)})`);
  },
  (w, x) => {
    if (!image(x)) return;
    const out = w.pick([2, 4]);
    const bias = w.pick(["", `, ${w.random([out])}`]);
    const shape = [x.shape[0], out, x.shape[2], x.shape[3]];
    const y = w.add(shape, `Conv(${x.name}, ${w.random([out, x.shape[1], 3, 3])}${bias}) pads=[1,1,1,1]`);
    if (w.pick([true, false])) {
      const numbers = [w.random([out]), w.random([out]), w.random([out]), w.random([out], 0.5, 2)];
      w.add(shape, `BatchNormalization(${y.name}, ${numbers.join(", ")})`);
      return;
    }
    if (w.pick([true, false])) w.add(shape, `${w.pick(["Add", "Mul"])}(${y.name}, ${w.random([out, 1, 1], 0.5, 2)})`);
  },
  (w, x) => {
    const inner = x.shape.at(-1) ?? 1;
    if (x.shape.length > 1) w.add([...x.shape.slice(0, -1), 3], `MatMul(${x.name}, ${w.random([inner, 3])})`);
  },
  (w, x) => {
    const gate = w.add(x.shape, `Sigmoid(${x.name})`);
    w.add(x.shape, `Mul(${gate.name}, ${x.name})`);
  },
  (w, x) => {
    const a = w.add(x.shape, `Add(${x.name}, ${w.constant("float32[]", "3")})`);
    const c = w.add(x.shape, `Clip(${a.name}, ${w.constant("float32[]", "0")}, ${w.constant("float32[]", "6")})`);
    const m = w.add(x.shape, `Mul(${x.name}, ${c.name})`);
    w.add(x.shape, `Div(${m.name}, ${w.constant("float32[]", "6")})`);
  },
  (w, x) => {
    const condition = w.constant("bool[]", w.pick(["0", "1"]));
    w.add(
      x.shape,
      `If(${condition}) then_branch={\n inner = Neg(${x.name})\n return inner } else_branch={ return ${x.name} }`,
    );
  },
  (w, x) => {
    const shape = w.name();
    w.lines.push(`${shape} = Shape(${x.name})`);
    w.add(x.shape, `Reshape(${x.name}, ${shape})`);
  },
];

function randomGraph(seed: number): string {
  const writer = new Writer(seed);
  writer.values.push({ name: "x", shape: [1, 4, 6, 6] });
  for (let step = 0; step < 14; step++) writer.pick(STEPS)(writer, writer.pick(writer.values.slice(-4)));
  const inputs = "input x: float32[1,4,6,6]";
  const constants = writer.lines.filter((line) => line.startsWith("const"));
  const nodes = writer.lines.filter((line) => !line.startsWith("const"));
  const outputs = new Set([
    writer.values.at(-1)?.name,
    writer.pick(writer.values).name,
    writer.pick(writer.values).name,
  ]);
  return [inputs, ...constants, ...nodes, `return ${[...outputs].filter((name) => name !== "x").join(", ")}`].join(
    "\n",
  );
}

it("the float preset keeps the numbers of random graphs, and comes to rest", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), async (seed) => {
      const before = prepare(randomGraph(seed));
      const { graph } = await runPasses(before, ["float"]);
      const feeds = seededFeeds(before);
      const [wanted, found] = [interpret(before, feeds), interpret(graph, feeds)];
      for (const name of before.outputs) {
        const error = relativeError(wanted.get(name), found.get(name));
        expect(error, `${name} of\n${print(before)}\nbecame\n${print(graph)}`).toBeLessThan(1e-4);
      }
      for (const node of graph.nodes) expect(node.origin).not.toEqual([]);
      const again = await runPasses(graph, ["float"]);
      expect(
        again.log.filter(({ changed }) => changed).map(({ name }) => name),
        print(graph),
      ).toEqual([]);
    }),
    { seed: 5, numRuns: Number(process.env.RANDOM_GRAPHS ?? 40), endOnFailure: true },
  );
});
