/** How much there is to compute, before anything is: what choices of bits and of worker threads weigh. */
import { elementCount, type Graph, isStatic, type Node, type Type, typeOf } from "../ir/graph.ts";
import { findOp } from "../ops/find.ts";
import { ARRAY } from "./formats.ts";

/** Products that an array makes while one byte comes or goes, about: 9,216 a cycle beside some 90 bytes. */
export const BYTE = 100;

/** Products, and what is read and written in 8 bits. */
export function workOf(graph: Graph, node: Node): number {
  const values = [...node.inputs, ...node.outputs].filter((name) => name && !graph.constants.has(name));
  return macsOf(graph, node) + BYTE * values.reduce((sum, name) => sum + sizeOf(graph, name), 0);
}

/** Elements of a value; 0 where its shape is only known at run time. */
export function sizeOf(graph: Graph, name: string): number {
  const shape = typeOf(graph, name)?.shape;
  return isStatic(shape) ? elementCount(shape) : 0;
}

/** Products of the array's operators; 0 of others, and where shapes are only known at run time. */
export function macsOf(graph: Graph, node: Node): number {
  if (!ARRAY.has(node.op)) return 0;
  const types = (names: readonly string[]) => names.map((name) => (name ? typeOf(graph, name) : undefined));
  const [inputs, outputs] = [types(node.inputs), types(node.outputs)];
  if (![...inputs, ...outputs].every((type) => type === undefined || isStatic(type.shape))) return 0;
  return findOp(node.domain, node.op)?.macs?.(node, inputs, outputs as Type[]) ?? 0;
}

/** About four seconds' work: workers would save one or two of them, and each takes as much memory again. */
const SMALL = 2 ** 39;

/** Workers that running the graph on so many samples pays for: 1, this thread, where there is little to do. */
export function jobsFor(graph: Graph, samples: number, jobs: number): number {
  const known = graph.nodes.every(({ outputs }) =>
    outputs.every((name) => !name || isStatic(typeOf(graph, name)?.shape)),
  );
  const work = graph.nodes.reduce((sum, node) => sum + workOf(graph, node), 0);
  return known && work * samples < SMALL ? 1 : jobs;
}
