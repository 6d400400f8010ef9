/** The teacher inside the step: what the losses compare with is made where the student's values are, batch by batch and thread by thread. */
import { CompileError } from "../error.ts";
import { renameReads } from "../ir/edit.ts";
import type { Graph, Node } from "../ir/graph.ts";
import { namesOf, readsOf } from "../ir/uses.ts";
import { runPasses } from "../passes.ts";
import { presetPasses } from "../presets.ts";

/** Under which name a loss finds a value of the teacher. */
export const taughtAs = (value: string): string => `teacher/${value}`;

/**
 * The graph with the teacher's nodes before its own, as far as `values` need them; those are called `taughtAs(value)`. Both
 * read the same inputs, and nothing of the teacher learns. Throws usage/unknown-value where it has none of a name.
 */
export async function withTeacher(graph: Graph, teacher: Graph, values: readonly string[]): Promise<Graph> {
  const wanted = [...new Set(values)];
  const made = new Set(teacher.nodes.flatMap(({ outputs }) => outputs));
  const missing = wanted.find((name) => !made.has(name));
  if (missing !== undefined) {
    throw new CompileError("usage/unknown-value", `the teacher has no value "${missing}"`, { where: "losses" });
  }
  const { graph: fast } = await runPasses({ ...teacher, outputs: wanted }, presetPasses("training"));
  const names = namesOf(graph);
  const called = new Map<string, string>();
  const call = (name: string): void => {
    if (name === "" || called.has(name)) return;
    let own = taughtAs(name);
    while (names.has(own)) own = `${own}~`;
    names.add(own);
    called.set(name, own);
  };
  const inputs = new Set(fast.inputs);
  for (const name of wanted) {
    if (names.has(taughtAs(name))) throw taken(taughtAs(name));
    call(name);
  }
  for (const { outputs } of fast.nodes) for (const name of outputs) call(name);
  for (const name of fast.constants.keys()) if (!inputs.has(name)) call(name);
  const renamed = (name: string): string => called.get(name) ?? name;
  const nodes = fast.nodes.map((node): Node => {
    const moved = renameReads(node, called);
    return { ...moved, outputs: node.outputs.map(renamed) };
  });
  const read = new Set(nodes.flatMap(readsOf));
  const fresh = fast.inputs.filter((name) => read.has(name) && !graph.inputs.includes(name));
  const opsets = new Map(graph.opsets);
  for (const [domain, version] of fast.opsets) opsets.set(domain, Math.max(version, opsets.get(domain) ?? 0));
  return {
    ...graph,
    opsets,
    inputs: [...graph.inputs, ...fresh],
    nodes: [...nodes, ...graph.nodes],
    constants: new Map([
      ...graph.constants,
      ...[...fast.constants].map(([name, tensor]) => [renamed(name), tensor] as const),
    ]),
    types: new Map([...[...fast.types].map(([name, type]) => [renamed(name), type] as const), ...graph.types]),
  };
}

function taken(name: string): CompileError {
  return new CompileError("usage/unknown-value", `the student has a value "${name}" of its own`, {
    where: "losses",
    remedy: "give the student's value another name",
  });
}
