import { statSync } from "node:fs";
import { type Artifact, isSealed } from "../artifact/container.ts";
import { fingerprint, readPrivateKey } from "../artifact/keys.ts";
import type { SearchRecord } from "../artifact/lineage.ts";
import type { CertifyDocument } from "../certify.ts";
import type { Graph } from "../ir/graph.ts";
import type { Recipe } from "../recipe.ts";
import type { BuildDocument, BuildNotes, StageLine } from "../report/build-document.ts";
import { placement } from "../target/placement.ts";
import type { Target } from "../target/schema.ts";
import type { Lowered, Planned } from "./kept.ts";
import type { Locked } from "./lock.ts";
import type { ImportedTeacher } from "./teacher.ts";

/** What the stages before certification made. */
export interface Made {
  readonly target: Target;
  readonly teacher: ImportedTeacher;
  readonly lowered: Lowered;
  readonly integer: Graph;
  readonly scheduled: Planned;
  readonly sealed: Artifact;
  /** The stages whose results were there already. */
  readonly kept: readonly string[];
  /** What `optimus.lock` says of this build. */
  readonly locked: Locked;
  /** Where the recipe has a goal. */
  readonly search?: SearchRecord;
}

interface Finished extends Made {
  readonly recipe: Recipe;
  /** Where the artifact lies. */
  readonly artifact: string;
  readonly judged: CertifyDocument;
  readonly stages: readonly StageLine[];
}

export function documentOf({ artifact, judged, teacher, lowered, scheduled, stages, search }: Finished): BuildDocument {
  const { digest, verdict, accuracy, latency, memory, energy } = judged;
  const { placement, floatTensors, int16Tensors, int4Tensors } = scheduled.stats;
  return {
    schema: "optimus-compile/build@2",
    artifact,
    digest,
    verdict,
    teacher: { nodes: teacher.size.nodes, parameters: teacher.size.parameters, macs: teacher.size.macs ?? 0 },
    accuracy: {
      metric: accuracy.metric,
      teacher: accuracy.teacher,
      compiled: accuracy.compiled,
      drop: accuracy.drop,
      n: accuracy.n,
      agreement: accuracy.agreement,
    },
    latency,
    memory,
    energy,
    placement,
    floatTensors,
    int16Tensors,
    int4Tensors,
    passes: lowered.log.map(({ name, nodesBefore, nodesAfter, ms }) => ({
      name,
      nodesBefore,
      nodesAfter,
      ms: round(ms),
    })),
    stages,
    ...(search && { search }),
  };
}

export function notesOf({ artifact, judged, teacher, integer, sealed, target, recipe, kept }: Finished): BuildNotes {
  const onCpu = placement(integer, target, { allowCpu: true })
    .filter(({ where }) => where === "cpu")
    .map(({ node, reason }) => `${node.op} "${node.origin[0] ?? node.outputs[0]}": ${reason}`);
  const sealedBytes = [...sealed.sections].reduce((sum, [name, { length }]) => sum + (isSealed(name) ? length : 0), 0);
  return {
    gates: judged.gates,
    signatures: {
      ...(recipe.key !== undefined && { build: fingerprint(readPrivateKey(recipe.key)) }),
      ...(judged.signedBy !== undefined && { certifier: judged.signedBy }),
    },
    onCpu,
    kept: [...kept, ...(judged.outcomesKept ? ["outcomes"] : [])],
    teacherBytes: teacher.bytes,
    sealedBytes,
    artifactBytes: statSync(artifact).size,
    target: `${target.name}, profile ${recipe.profile}`,
    ...(judged.accuracy.interval && { interval: judged.accuracy.interval }),
  };
}

const round = (ms: number): number => Math.round(ms * 100) / 100;
