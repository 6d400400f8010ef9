/** Losses as nodes of the graph, so that their gradients come with everything else. */

import { CompileError } from "../error.ts";
import { type Graph, isStatic, type Node, type Type, typeOf } from "../ir/graph.ts";
import { namesOf } from "../ir/uses.ts";
import type { Value } from "../ops/gradient.ts";
import { inferTypes, knownValues } from "../ops/infer.ts";
import { builderInto, freshIn, type Workshop } from "./build.ts";
import { type LossTerm, looksAt, type TermContext, termOf } from "./terms.ts";

export interface GraphWithLosses {
  readonly graph: Graph;
  readonly loss: string;
  readonly terms: readonly string[];
  /** Constants that learn with the network and are no part of it: projections. */
  readonly learnt: readonly string[];
}

/**
 * The graph with `loss`, the weighted sum of the terms, and each term (`loss/0`, `loss/1`, …) as values beside; their
 * teachers and labels become inputs. Throws usage/unknown-value for a value that is not there or whose shape is not known, and
 * usage/loss-shape for values that cannot be compared.
 */
export function withLosses(graph: Graph, terms: readonly LossTerm[]): GraphWithLosses {
  const typed = inferTypes(graph);
  const nodes: Node[] = [...typed.nodes];
  const workshop: Workshop = {
    scaled: new Map(),
    names: namesOf(typed),
    types: new Map(typed.types),
    constants: new Map(typed.constants),
    known: knownValues(typed),
    shared: new Map(),
  };
  const inputs = [...typed.inputs];
  const source: Node = { op: "loss", domain: "", inputs: [], outputs: ["loss"], attrs: new Map(), origin: ["loss"] };
  const build = builderInto(workshop, nodes, source);
  const learnt: string[] = [];
  const input: TermContext["input"] = (name, dtype, shape) => {
    if (!workshop.names.has(name)) {
      workshop.names.add(name);
      workshop.types.set(name, { dtype, shape });
      inputs.push(name);
    }
    return { name, dtype, shape };
  };
  const weighted = terms.map((term, index): Value => {
    const context: TermContext = {
      ...{ build, input },
      learnt(hint, tensor) {
        const name = freshIn(workshop, `loss/${index}/${hint}`);
        workshop.constants.set(name, tensor);
        learnt.push(name);
        return { name, dtype: tensor.dtype, shape: tensor.shape };
      },
    };
    const result = termOf(term, valueNamed(typed, looksAt(term)), context);
    return build.emit("Mul", [result, term.weight ?? 1], { outputs: [`loss/${index}`] });
  });
  build.emit("Sum", weighted, { outputs: ["loss"] });
  const names = weighted.map(({ name }) => name);
  return {
    graph: {
      ...typed,
      inputs,
      outputs: [...typed.outputs, "loss", ...names],
      nodes,
      constants: workshop.constants,
      types: workshop.types,
    },
    loss: "loss",
    terms: names,
    learnt,
  };
}

function valueNamed(graph: Graph, name: string): Value {
  const type: Type | undefined = typeOf(graph, name);
  if (type !== undefined && isStatic(type.shape)) return { name, dtype: type.dtype, shape: type.shape };
  throw new CompileError("usage/unknown-value", `the graph has no value "${name}" of a known shape for a loss`, {
    where: `value ${name}`,
    remedy: "name an output of a node, and bind the model's dimensions, the batch size included",
  });
}
