/** What an artifact alone tells of its layers, without its teacher, its recipe and its data. */

import { readArtifact } from "../artifact/file.ts";
import { decodeGolden } from "../artifact/golden.ts";
import { decodeLineage } from "../artifact/lineage.ts";
import { decodeRecord } from "../ir/record.ts";
import { tensorOf } from "../replay.ts";
import { type Counters, countersOf, type Step } from "./counters.ts";

export interface GlanceLine extends Partial<Counters> {
  readonly layer: string;
  readonly op: string;
  /** Decibels of signal over error beside the teacher, as the build told it. */
  readonly cumulativeDb?: number;
}

export interface Glance {
  readonly schema: "optimus-compile/glance@1";
  readonly artifact: string;
  readonly digest: string;
  /** The worst first; those of which no error is known last. */
  readonly layers: readonly GlanceLine[];
}

/** Codes are counted on the inputs of the golden vectors. */
export function glanceAt(path: string): Glance {
  const artifact = readArtifact(path);
  const section = (name: string) => artifact.sections.get(name) ?? new Uint8Array();
  const record = decodeRecord(section("record"));
  const errors = new Map(decodeLineage(section("lineage")).errors?.values ?? []);
  const steps = decodeGolden(section("golden")).flatMap((sequence) =>
    sequence.map(({ inputs }, at): Step => {
      return { first: at === 0, feeds: new Map(inputs.map((codes) => [codes.name, tensorOf(codes)])) };
    }),
  );
  const counters = countersOf(record, steps);
  const lines = record.nodes.flatMap(({ op, origin, outputs: [output] }): GlanceLine[] => {
    const [counted, cumulativeDb] = [counters.get(output), errors.get(output)];
    if (counted === undefined && cumulativeDb === undefined) return [];
    return [{ layer: origin[0] ?? output, op, ...(cumulativeDb !== undefined && { cumulativeDb }), ...counted }];
  });
  const rank = ({ cumulativeDb = Number.POSITIVE_INFINITY }: GlanceLine) => cumulativeDb;
  const layers = lines.sort((a, b) => (rank(a) < rank(b) ? -1 : rank(a) > rank(b) ? 1 : 0));
  return { schema: "optimus-compile/glance@1", artifact: path, digest: artifact.digest, layers };
}
