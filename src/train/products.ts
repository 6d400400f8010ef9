/**
 * A step's matrix products on ONNX Runtime's kernels for channels in blocks, as convolutions with kernels of one place: 130–170
 * GFLOP/s where its own products come to 95–120 (a core with AVX-512, 2048 × 192 by 192 × 768 and its like).
 *
 * A matrix [r, c] lies in blocks of its columns, [c/b, r, b], or of its rows, [r/b, c, b]. With k the axis that is summed over,
 * `A·B` is the convolution of A in blocks of k, whose places are A's other axis, by the filters B in blocks of its other axis;
 * what comes out lies in blocks of that one, with A's places. Products that are transposed differ in nothing but which
 * blocks are asked for: the gradient by weights, Aᵀ·dY, needs dY in blocks of columns, as it comes. What works element by
 * element on values in blocks stays in blocks.
 */
import { floatAttr, type Graph, intAttr, type Node, type Type, typeOf } from "../ir/graph.ts";
import { numbersOf } from "../ir/tensor.ts";
import { readsOf } from "../ir/uses.ts";
import { type Convolution, windowAttributes } from "../ops/gradient/convolution.ts";
import { type Draft, draftOf, ELEMENTWISE, graphOf, type Put, putting, shapeOf } from "./drafting.ts";
import { BLOCKED_DOMAIN } from "./layout.ts";

/** Matrices with a shorter side gain nothing. */
const LEAST_SIDE = 64;
/** Places are laid out in as many lines at most: threads share out lines, and each ends in places that fill no kernel. */
const MOST_LINES = 2;

/** Axes of what lies in blocks, as ONNX Runtime counts them. */
const BLOCKED_RANK = 4;

/** A kernel of one place. */
const ONE_PLACE: Convolution = {
  ...{ kernel: [1, 1], strides: [1, 1], dilations: [1, 1], begin: [0, 0], end: [0, 0], output: [] },
  groups: 1,
};

interface Products extends Draft {
  /** By a matrix's root: its name in blocks of columns (in `blocked`) or of rows. */
  readonly byRows: Map<string, string>;
  /** Roots that were made in blocks of columns. */
  readonly inBlocks: Set<string>;
  /** How many nodes and outputs read a value. */
  readonly readers: ReadonlyMap<string, number>;
  /** Nodes that others have done already. */
  readonly done: Set<Node>;
  /** Roots of factors that a product wants in blocks of columns, sooner or later. */
  readonly inProducts: Set<string>;
  /** With those of what lies in blocks of columns: [1, columns, …places]. */
  readonly types: Map<string, Type>;
  /** Values that are there when a node runs: all before it. */
  readonly made: Set<string>;
}

/** A factor as a matrix, [rows, columns] as it is stored. */
interface Factor {
  readonly name: string;
  readonly shape: readonly [number, number];
  readonly transposed: boolean;
}

/**
 * The same graph with its products of float32 matrices in blocks of `block`, where no factor is a constant and sides are long
 * and made of whole blocks. The order of additions is another; shapes must be known.
 */
export function withBlockedProducts(graph: Graph, block: number): Graph {
  const readers = new Map<string, number>();
  for (const name of [...graph.nodes.flatMap(readsOf), ...graph.outputs]) {
    readers.set(name, (readers.get(name) ?? 0) + 1);
  }
  const draft: Products = {
    ...draftOf(graph, block),
    ...{
      byRows: new Map(),
      inBlocks: new Set(),
      inProducts: new Set(),
      readers,
      types: new Map(graph.types),
      done: new Set(),
      made: new Set([...graph.inputs, ...graph.constants.keys()]),
    },
  };
  for (const node of graph.nodes) {
    const found = productOf(draft, node);
    if (found !== undefined && !found.a.transposed) draft.inProducts.add(rootOf(draft, found.a.name));
  }
  const following = new Map(graph.nodes.flatMap((node) => node.inputs.map((name) => [name, node] as const)));
  let found = false;
  for (const node of graph.nodes) {
    if (draft.done.has(node)) continue;
    if (product(draft, node, following)) found = true;
    else if (!scaledSum(draft, node) && !elementwise(draft, node) && !columnSum(draft, node)) draft.nodes.push(node);
    for (const name of node.outputs) draft.made.add(name);
  }
  return found ? { ...graphOf(draft), types: draft.types } : graph;
}

/** A Reshape that leaves the last axis alone leaves a matrix of all others by the last as it is. */
function rootOf(draft: Draft, name: string): string {
  let root = name;
  for (let maker = draft.makers.get(root); maker?.op === "Reshape" && maker.domain === ""; ) {
    const [source] = maker.inputs;
    if (shapeOf(draft, source).at(-1) !== shapeOf(draft, root).at(-1)) break;
    root = source;
    maker = draft.makers.get(root);
  }
  return root;
}

function matrixOf(draft: Draft, name: string): readonly [number, number] | undefined {
  const shape = shapeOf(draft, name);
  const columns = shape.at(-1) ?? 0;
  if (shape.length < 2 || columns === 0 || typeOf(draft.graph, name)?.dtype !== "float32") return undefined;
  return [shape.slice(0, -1).reduce((a, b) => a * b, 1), columns];
}

/** Places in lines. */
function lines(places: number): [number, number] {
  for (let count = MOST_LINES; count > 1; count--) if (places % count === 0) return [count, places / count];
  return [1, places];
}

function byColumns(draft: Products, name: string, put: Put): string {
  const root = rootOf(draft, name);
  const before = draft.blocked.get(root);
  if (before !== undefined) return before;
  const [rows, columns] = matrixOf(draft, root) ?? [0, 0];
  const attributes = { channels_last: { i: 1 } };
  const made = put("ReorderInput", [put.reshape(root, [1, ...lines(rows), columns])], {
    domain: BLOCKED_DOMAIN,
    attributes,
  });
  draft.blocked.set(root, made);
  return made;
}

function byRows(draft: Products, name: string, put: Put): string {
  const root = rootOf(draft, name);
  const before = draft.byRows.get(root);
  if (before !== undefined) return before;
  const [rows, columns] = matrixOf(draft, root) ?? [0, 0];
  const made = put("ReorderInput", [put.reshape(root, [1, rows, ...lines(columns)])], { domain: BLOCKED_DOMAIN });
  draft.byRows.set(root, made);
  return made;
}

/** The factors of a node that is a product of two matrices, and its bias. */
function factorsOf(draft: Products, node: Node): { a: Factor; b: Factor; bias?: string } | undefined {
  if (node.domain !== "" || (node.op !== "MatMul" && node.op !== "Gemm")) return undefined;
  const [first, second, bias] = node.inputs;
  if (draft.graph.constants.has(first) || draft.graph.constants.has(second)) return undefined;
  const [left, right] = [matrixOf(draft, first), matrixOf(draft, second)];
  if (left === undefined || right === undefined || shapeOf(draft, second).length !== 2) return undefined;
  const [transA, transB] = ["transA", "transB"].map((name) => intAttr(node, name, 0) !== 0);
  const factors = {
    a: { name: first, shape: left, transposed: transA },
    b: { name: second, shape: right, transposed: transB },
  };
  if (!bias) return floatAttr(node, "alpha", 1) === 1 ? factors : undefined;
  const plain = floatAttr(node, "alpha", 1) === 1 && floatAttr(node, "beta", 1) === 1;
  return plain && shapeOf(draft, bias).length === 1 && shapeOf(draft, bias)[0] === right[transB ? 0 : 1]
    ? { ...factors, bias }
    : undefined;
}

interface Product {
  readonly a: Factor;
  readonly b: Factor;
  readonly bias?: string;
  /** Of the result, and what is summed over. */
  readonly rows: number;
  readonly columns: number;
  readonly summed: number;
}

/** The node as a product for the kernels, if it is one. */
function productOf(draft: Products, node: Node): Product | undefined {
  const found = factorsOf(draft, node);
  if (found === undefined) return undefined;
  const { a, b } = found;
  const [rows, summed] = a.transposed ? [a.shape[1], a.shape[0]] : a.shape;
  const columns = b.transposed ? b.shape[0] : b.shape[1];
  const whole = [rows, summed, columns].every((size) => size >= LEAST_SIDE && size % draft.block === 0);
  return whole ? { ...found, rows, columns, summed } : undefined;
}

/** Adds the product to the draft, if it is one for the kernels. */
function product(draft: Products, node: Node, following: ReadonlyMap<string, Node>): boolean {
  const found = productOf(draft, node);
  if (found === undefined) return false;
  const { a, b, rows, columns, summed } = found;
  const put = putting(draft, node);
  const sum = found.bias === undefined ? biasAfter(draft, node, columns, following) : undefined;
  const bias = found.bias ?? sum?.bias;
  const turns = a.transposed && !b.transposed && bias === undefined;
  const rest = turns ? undefined : addedAfter(draft, sum?.output ?? node.outputs[0], following);
  const y = rest?.output ?? sum?.output ?? node.outputs[0];
  for (const after of [sum, rest]) if (after !== undefined) draft.done.add(after.node);
  if (turns && turning(draft, b.name, a.name) < turning(draft, a.name, b.name)) {
    const made = convolved(put, [byRows(draft, b.name, put), byColumns(draft, a.name, put)], [rows, summed]);
    const attributes = { channels: { i: rows } };
    put.reshape(put("ReorderOutput", [made], { attributes, domain: BLOCKED_DOMAIN }), shapeOf(draft, y), y);
    return true;
  }
  const places = a.transposed ? byRows(draft, a.name, put) : byColumns(draft, a.name, put);
  const filters = b.transposed ? byRows(draft, b.name, put) : byColumns(draft, b.name, put);
  inColumns(
    draft,
    y,
    convolved(put, [places, filters, bias, rest && byColumns(draft, rest.value, put)], [columns, summed]),
    columns,
    put,
  );
  return true;
}

/**
 * Elements to move until one factor lies by rows and the other by columns; what comes in blocks has to leave them first, and what
 * is joined of pieces may be joined in blocks of columns alone (`withBlockedCuts`).
 */
function turning(draft: Products, rows: string, columns: string): number {
  const [first, second] = [rootOf(draft, rows), rootOf(draft, columns)];
  const moved = (root: string): number => shapeOf(draft, root).reduce((a, b) => a * b, 1);
  const leaves = draft.inBlocks.has(first) || draft.makers.get(first)?.op === "Concat" ? 2 : 1;
  return (draft.byRows.has(first) ? 0 : leaves * moved(first)) + (draft.blocked.has(second) ? 0 : moved(second));
}

/** A product, and what is added to it as it is made: a bias to all places, something else in blocks to each. */
type Operands = readonly [places: string, filters: string, bias?: string, sum?: string];

function convolved(put: Put, [places, filters, bias, sum]: Operands, shape: readonly [number, number]): string {
  const added = sum !== undefined ? [bias ?? "", sum] : bias !== undefined ? [bias] : [];
  const inputs = [places, put.reshape(filters, [...shape, 1, 1]), ...added];
  return put("Conv", inputs, { attributes: windowAttributes(ONE_PLACE), domain: BLOCKED_DOMAIN });
}

/** Says that a value lies in blocks of columns, and puts it in order for whoever wants it so. */
function inColumns(draft: Products, value: string, blocked: string, columns: number, put: Put): void {
  draft.blocked.set(value, blocked);
  draft.inBlocks.add(value);
  draft.made.add(value);
  const [rows] = matrixOf(draft, value) ?? [0, 0];
  draft.types.set(blocked, { dtype: "float32", shape: [1, columns, ...lines(rows)] });
  const attributes = { channels: { i: columns }, channels_last: { i: 1 } };
  const flat = put("ReorderOutput", [blocked], { attributes, domain: BLOCKED_DOMAIN });
  put.reshape(flat, shapeOf(draft, value), value);
}

/** What a product's only reader adds to every row. */
function biasAfter(
  draft: Products,
  node: Node,
  columns: number,
  following: ReadonlyMap<string, Node>,
): { node: Node; bias: string; output: string } | undefined {
  const [y] = node.outputs;
  const after = following.get(y);
  if (after?.op !== "Add" || after.domain !== "" || draft.readers.get(y) !== 1) return undefined;
  const bias = after.inputs[0] === y ? after.inputs[1] : after.inputs[0];
  const shape = shapeOf(draft, bias);
  // An input or a constant is there before the product runs.
  if (shape.length !== 1 || shape[0] !== columns || draft.makers.has(bias)) return undefined;
  return { node: after, bias, output: after.outputs[0] };
}

/** What the only reader of a product adds to it, of its shape and made before it: the sum then takes no pass of its own. */
function addedAfter(
  draft: Products,
  y: string,
  following: ReadonlyMap<string, Node>,
): { node: Node; value: string; output: string } | undefined {
  const after = following.get(y);
  if (after?.op !== "Add" || after.domain !== "" || draft.readers.get(y) !== 1) return undefined;
  const value = after.inputs[0] === y ? after.inputs[1] : after.inputs[0];
  const [output] = after.outputs;
  const shape = shapeOf(draft, output).join();
  if (shapeOf(draft, value).join() !== shape || shapeOf(draft, y).join() !== shape) return undefined;
  return draft.made.has(value) ? { node: after, value, output } : undefined;
}

/** `x + c·v` of values in blocks of columns, c one constant number: a convolution of each channel by itself adds to x as it multiplies. */
function scaledSum(draft: Products, node: Node): boolean {
  if (node.op !== "Add" || node.domain !== "") return false;
  const [y] = node.outputs;
  const shape = shapeOf(draft, y);
  const lies = (name: string): string | undefined =>
    shapeOf(draft, name).join() === shape.join() ? draft.blocked.get(rootOf(draft, name)) : undefined;
  for (const side of [0, 1]) {
    const maker = draft.makers.get(node.inputs[side]);
    if (maker?.op !== "Mul" || maker.domain !== "" || draft.readers.get(node.inputs[side]) !== 1) continue;
    const at = maker.inputs.findIndex((name) => draft.graph.constants.get(name)?.shape.length === 0);
    const [factor, scaled, x] = [
      draft.graph.constants.get(maker.inputs[at]),
      maker.inputs[1 - at],
      node.inputs[1 - side],
    ];
    const [first, second] = [lies(x), at < 0 ? undefined : lies(scaled)];
    if (factor === undefined || first === undefined || second === undefined) continue;
    const put = putting(draft, node);
    const columns = shape.at(-1) ?? 0;
    const filters = new Float32Array(columns).fill(Number(numbersOf(factor)[0]));
    const weights = put.constant({ dtype: "float32", shape: [columns, 1, 1, 1], data: filters });
    const attributes = windowAttributes({ ...ONE_PLACE, groups: columns });
    const made = put("Conv", [second, weights, "", first], { attributes, domain: BLOCKED_DOMAIN });
    inColumns(draft, y, made, columns, put);
    return true;
  }
  return false;
}

/** What works element by element on values in blocks of columns, and on single numbers, gives a value in blocks. */
function elementwise(draft: Products, node: Node): boolean {
  if (!ELEMENTWISE.has(node.op) || node.domain !== "" || node.outputs.length !== 1) return false;
  const [y] = node.outputs;
  const shape = shapeOf(draft, y).join();
  const inputs = node.inputs.map((name) => {
    if (name === "") return name;
    const own = (draft.graph.constants.get(name) ?? typeOf(draft.graph, name))?.shape;
    if (own?.join() === shape) return draft.blocked.get(rootOf(draft, name));
    return own !== undefined && own.length <= BLOCKED_RANK && own.every((size) => size === 1) ? name : undefined;
  });
  if (inputs.includes(undefined) || inputs.every((name, at) => name === node.inputs[at])) return false;
  const put = putting(draft, node);
  const made = put(node.op, inputs as string[], { attributes: Object.fromEntries(node.attrs) });
  inColumns(draft, y, made, shapeOf(draft, y).at(-1) ?? 0, put);
  return true;
}

/**
 * The sum of each column: the product of a row of ones with a matrix that lies in blocks, or will for another product. It reads
 * the matrix once, at the speed of memory, which ReduceSum does not.
 */
function columnSum(draft: Products, node: Node): boolean {
  if (node.op !== "ReduceSum" || node.domain !== "" || intAttr(node, "keepdims", 1) !== 0) return false;
  const [x, axes] = node.inputs;
  const given = draft.graph.constants.get(axes ?? "");
  const [rows, columns] = matrixOf(draft, x) ?? [0, 0];
  const rank = shapeOf(draft, x).length;
  if (given === undefined || rank < 2 || rows < LEAST_SIDE || rows % draft.block !== 0) return false;
  if (numbersOf(given).join() !== Array.from({ length: rank - 1 }, (_, axis) => axis).join()) return false;
  const root = rootOf(draft, x);
  if (!draft.inProducts.has(root) && !draft.inBlocks.has(root)) return false;
  const put = putting(draft, node);
  const ones = put.constant({ dtype: "float32", shape: [1, rows, 1, 1], data: new Float32Array(rows).fill(1) });
  put.reshape(convolved(put, [ones, byColumns(draft, x, put)], [columns, rows]), [columns], node.outputs[0]);
  return true;
}
