import type { Graph } from "./graph.ts";

/** Key of the metadata in which `lower/margin` says what it added. */
export const CONFIDENCE = "lower/margin";

/** The output that is the program's own confidence: one integer, the larger the surer. */
export interface Confidence {
  readonly output: string;
  /** The output whose margin it is. */
  readonly of: string;
  /** Of several rows the least or the mean. */
  readonly over: "least" | "mean";
  /** Rows whose answer is class 0 count only where all are so. */
  readonly ctc: boolean;
}

/**
 * Undefined where the program says no confidence. The note is believed where it fits the graph alone: `lower/margin` writes it, but
 * a model may bring metadata of any kind.
 */
export function confidenceOf(graph: Graph): Confidence | undefined {
  const text = graph.metadata.get(CONFIDENCE);
  if (text === undefined) return undefined;
  let said: Partial<Record<keyof Confidence, unknown>>;
  try {
    said = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { output, of, over, ctc } = said ?? {};
  if (typeof output !== "string" || typeof of !== "string" || typeof ctc !== "boolean") return undefined;
  if (over !== "least" && over !== "mean") return undefined;
  const { dtype, shape } = graph.types.get(output) ?? {};
  const fits = dtype === "int16" && shape?.length === 1 && shape[0] === 1;
  const made = graph.nodes.find(({ outputs }) => outputs[0] === output)?.domain === "npu";
  return fits && made && graph.outputs.at(-1) === output && graph.outputs.includes(of)
    ? { output, of, over, ctc }
    : undefined;
}
