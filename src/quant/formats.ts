/** Which layer has which format, as a recipe says it: teacher nodes by name or pattern. */
import { CompileError } from "../error.ts";
import type { Graph, Node } from "../ir/graph.ts";
import { type ActivationFormat, FORMATS, type Format } from "./format.ts";

/** Operators whose operands go into the multiplier array: the layers that have a format. */
export const ARRAY: ReadonlySet<string> = new Set(["Conv", "ConvTranspose", "Gemm", "MatMul"]);

/** The formats that a recipe gives to layers by name; layers that it does not name have none here. */
export type LayerFormats = ReadonlyMap<Node, Format>;

/**
 * `formats`: a teacher node's name, or a pattern in which `*` stands for any characters → the name of a format. Where several
 * match a layer, the last one holds. Throws usage/unknown-value where an entry matches no layer.
 */
export function layerFormats(graph: Graph, formats: Readonly<Record<string, keyof typeof FORMATS>>): LayerFormats {
  const found = new Map<Node, Format>();
  const layers = graph.nodes.filter((node) => node.domain === "" && ARRAY.has(node.op));
  for (const [pattern, name] of Object.entries(formats)) {
    const matches = matcher(pattern);
    const matching = layers.filter((node) => [...node.origin, ...node.outputs].some(matches));
    for (const node of matching) found.set(node, FORMATS[name]);
    if (matching.length === 0) {
      throw new CompileError("usage/unknown-value", `quantize.formats names "${pattern}", which is no layer`, {
        where: "quantize.formats",
        remedy: "name a Conv, Gemm or MatMul of the teacher; `optimus-compile inspect --text` prints the names",
      });
    }
  }
  return found;
}

/** Parts between the stars must follow one another; no regular expression, which a recipe could make slow. */
function matcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return (name) => name === pattern;
  const [first, last] = [parts[0], parts[parts.length - 1]];
  return (name) => {
    if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
    let at = first.length;
    for (const part of parts.slice(1, -1)) {
      const next = name.indexOf(part, at);
      if (next < 0 || next + part.length > name.length - last.length) return false;
      at = next + part.length;
    }
    return true;
  };
}

/** Values that layers with a format of their own read, by how many bits they want. */
export function formatWishes(graph: Graph, formats: LayerFormats): Record<ActivationFormat, Set<string>> {
  const wishes = { int4: new Set<string>(), int8: new Set<string>(), int16: new Set<string>() };
  for (const [node, { activations }] of formats) {
    const [first] = node.inputs;
    if (first && !graph.constants.has(first)) wishes[activations].add(first);
  }
  return wishes;
}
