/**
 * Two SoCs run the same program on the same frames and compare their output codes at every frame's boundary. This detects;
 * it cannot tell who is right, and it does not see what both do wrong, such as a mistake of the compiler.
 */
import type { Codes } from "./artifact/golden.ts";
import { CompileError } from "./error.ts";
import { type Executor, firstDifference } from "./replay.ts";

/** What one SoC delivers at a frame's boundary. */
export interface Delivery {
  readonly outputs: readonly Codes[];
  /** After the frame's data were there. */
  readonly ms: number;
}

export interface Redundancy {
  readonly frames: number;
  /** How far apart the SoCs were at most, and how far they may be; absent: as far as they like. */
  readonly largestSkewMs: number;
  readonly allowedSkewMs?: number;
}

/** Why two deliveries do not count as one, in a sentence; undefined where they do. */
export function disagreementOf(one: Delivery, other: Delivery, allowedSkewMs?: number): string | undefined {
  const skew = Math.abs(one.ms - other.ms);
  if (allowedSkewMs !== undefined && skew > allowedSkewMs) {
    return `the SoCs deliver ${skew.toPrecision(3)} ms apart, allowed are ${allowedSkewMs} ms`;
  }
  const found = firstDifference(one.outputs, other.outputs) ?? firstDifference(other.outputs, one.outputs);
  return found === undefined ? undefined : `the SoCs differ: ${found}`;
}

/**
 * An executor that runs every frame on two, and what it saw so far. The policy: nothing is delivered of a frame on which they do
 * not agree. `times` gives the milliseconds of a frame on either SoC. Throws gate/socs-disagree.
 */
export function redundantExecutor(
  socs: readonly [Executor, Executor],
  times: (frame: number) => readonly [number, number],
  allowedSkewMs?: number,
): { readonly executor: Executor; readonly seen: () => Redundancy } {
  let [frames, largestSkewMs] = [0, 0];
  const run = (inputs: readonly Codes[]): Codes[] => {
    const frame = frames++;
    const [first, second] = times(frame);
    const outputs = socs[0].run(inputs);
    largestSkewMs = Math.max(largestSkewMs, Math.abs(first - second));
    const other = { outputs: socs[1].run(inputs), ms: second };
    const says = disagreementOf({ outputs, ms: first }, other, allowedSkewMs);
    if (says === undefined) return outputs;
    throw new CompileError("gate/socs-disagree", `frame ${frame}: ${says}`, {
      where: `frame ${frame}`,
      remedy: "nothing is delivered of this frame; run it again to see whether the fault stays",
    });
  };
  const reset = () => {
    for (const soc of socs) soc.reset();
  };
  const allowed = allowedSkewMs === undefined ? {} : { allowedSkewMs };
  return { executor: { run, reset }, seen: () => ({ frames, largestSkewMs, ...allowed }) };
}
