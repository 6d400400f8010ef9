import { forgetLost } from "../../src/ir/edit.ts";
import { freshName, type Graph, type Node, type Tensor } from "../../src/ir/graph.ts";
import { decode, encode } from "../../src/ir/numbers.ts";
import { namesOf, readsOf } from "../../src/ir/uses.ts";
import { findOp } from "../../src/ops/find.ts";
import type { Pass } from "../../src/pass.ts";

/** e^−128 is far below what any format here can say beside 1. */
const MASKED = -128;
/** Numbers below this are meant as −∞. */
const MEANT_AS_NOTHING = -1000;
/** Operators that a mask's numbers are written into, by a factor 0 or 1, an addition or a choice, or that take a row of it. */
const WRITES = new Set(["Add", "Gather", "Mul", "Where"]);

/**
 * Masks say −∞ (or −10⁴, or the least float) to give a weight of nothing. −128 says the same to a Softmax whose scores are of
 * usual size, and leaves the scale of the codes to the scores.
 */
const pass: Pass = {
  summary: "Replaces −∞ in masks that only reach a Softmax by a number that leaves room for the scores.",
  run(graph) {
    const readers = readersOf(graph);
    const names = namesOf(graph);
    const constants = new Map(graph.constants);
    const replaced = new Map<string, string>();
    const nodes = graph.nodes.map((node) => {
      if (node.domain !== "" || !WRITES.has(node.op)) return node;
      const masks = node.inputs.filter((name) => isMask(graph, name));
      if (masks.length === 0 || !onlyReachesSoftmax(graph, node, readers)) return node;
      for (const name of masks) {
        if (replaced.has(name)) continue;
        const fresh = freshName(`${name}/mask`, names);
        names.add(fresh);
        constants.set(fresh, shallow(graph.constants.get(name) as Tensor));
        replaced.set(name, fresh);
      }
      return {
        ...node,
        inputs: node.inputs.map((name) => (masks.includes(name) ? (replaced.get(name) ?? name) : name)),
      };
    });
    return replaced.size === 0 ? graph : forgetLost(graph, { ...graph, nodes, constants });
  },
};

export default pass;

/** A constant with numbers that mean −∞, and none of which the shallower one would be taken for another. */
function isMask(graph: Graph, name: string): boolean {
  const tensor = graph.inputs.includes(name) ? undefined : graph.constants.get(name);
  if (tensor?.dtype !== "float32" || tensor.quant) return false;
  const values = Array.from(decode(tensor) as ArrayLike<number>, Number);
  if (values.some((each) => each > 100 || (each < MASKED && each >= MEANT_AS_NOTHING))) return false;
  return values.some((each) => each < MEANT_AS_NOTHING);
}

function shallow(tensor: Tensor): Tensor {
  const values = Array.from(decode(tensor) as ArrayLike<number>, (each) => Math.max(each, MASKED));
  return { dtype: "float32", shape: tensor.shape, data: encode("float32", values) };
}

function readersOf(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const readers = new Map<string, Node[]>();
  for (const node of graph.nodes) {
    for (const name of readsOf(node)) {
      const list = readers.get(name);
      if (list) list.push(node);
      else readers.set(name, [node]);
    }
  }
  return readers;
}

/** Whether everything that is made of the node's output, through additions, choices and moves, ends in a Softmax. */
function onlyReachesSoftmax(graph: Graph, start: Node, readers: ReadonlyMap<string, readonly Node[]>): boolean {
  const ends = new Set([...graph.outputs, ...graph.states.map((state) => state.output)]);
  const pending = [start];
  const seen = new Set<Node>();
  let reached = false;
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const name of node.outputs) {
      if (ends.has(name)) return false;
      for (const reader of readers.get(name) ?? []) {
        const moves = findOp(reader.domain, reader.op)?.passesThrough === true;
        if (reader.domain === "" && reader.op === "Softmax") reached = true;
        else if (moves || (reader.domain === "" && (reader.op === "Add" || reader.op === "Where")))
          pending.push(reader);
        else return false;
      }
    }
  }
  return reached;
}
