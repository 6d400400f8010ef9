import type { KeyObject } from "node:crypto";
import { canonicalBytes, type Json, toJson } from "../artifact/canonical.ts";
import { type Artifact, digestOf, sha256 } from "../artifact/container.ts";
import { encodeLineage, LINEAGE_SCHEMA, type Lineage } from "../artifact/lineage.ts";
import type { Manifest } from "../artifact/manifest.ts";
import { signStatement } from "../artifact/sign.ts";
import { makeStatement, PROVENANCE } from "../artifact/statement.ts";
import { targetDigest } from "../certify/measure.ts";
import { bug } from "../error.ts";
import { confidenceOf } from "../ir/confidence.ts";
import { type Graph, isStatic, logical } from "../ir/graph.ts";
import type { PassRecord } from "../passes.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";
import { toolFacts } from "../tool.ts";
import { licensesOf } from "./licenses.ts";
import { operatorsOf } from "./operators.ts";

/** What the digest covers. */
export interface Sealed {
  readonly program: Uint8Array;
  readonly weights: Uint8Array;
  readonly plan: Uint8Array;
  readonly record: Uint8Array;
  readonly golden: Uint8Array;
}

export interface SealParts {
  readonly manifest: Manifest;
  readonly sections: Sealed;
  readonly lineage: Lineage;
  /** The build's private key. */
  readonly key?: KeyObject;
}

/**
 * @param teacher typed, before any pass: its border is what the host speaks
 * @param integer what the record holds
 */
export function manifestOf(teacher: Graph, integer: Graph, target: Target, profile: string): Manifest {
  const confidence = confidenceOf(integer);
  const states = new Map(teacher.states.map(({ input, output }) => [input, output]));
  const internal = new Set(states.values());
  const describe = (name: string) => {
    const type = teacher.types.get(name) ?? bug(`the teacher's "${name}" has no type`);
    return {
      name,
      dtype: logical(type).dtype,
      shape: isStatic(type.shape) ? [...type.shape] : bug(`"${name}" has no fixed shape`),
    };
  };
  return {
    format: 1,
    target: { name: target.name, digest: targetDigest(target), profile },
    inputs: teacher.inputs.filter((name) => !states.has(name)).map(describe),
    outputs: teacher.outputs.filter((name) => !internal.has(name)).map(describe),
    ...(confidence && { confidence }),
    states: teacher.states.map(({ input, output }) => ({ input, output })),
  };
}

/** The artifact, with the build's signed provenance where there is a key. */
export async function seal({ manifest, sections: sealed, lineage, key }: SealParts): Promise<Artifact> {
  const sections = new Map<string, Uint8Array>(Object.entries(sealed)).set("lineage", encodeLineage(lineage));
  if (key === undefined) return { manifest, sections };
  const statement = makeStatement(digestOf({ manifest, sections }), PROVENANCE, provenance(lineage, sections));
  const bundle = await signStatement(statement, key);
  return { manifest, sections: sections.set("attestations", canonicalBytes([bundle] as unknown as Json)) };
}

/** SLSA v1 provenance. The build signs for itself, which is Build Level 1 at most. */
function provenance(lineage: Lineage, sections: ReadonlyMap<string, Uint8Array>): { [key: string]: Json } {
  const { compiler, recipe, teacher, target, data } = lineage;
  const resource = (name: string, digest: string): Json => ({
    name,
    digest: { sha256: digest.replace("sha256:", "") },
  });
  const splits = Object.entries(data).map(([name, split]) => resource(`data/${name}`, split.digest));
  return {
    buildDefinition: {
      buildType: "urn:optimus-compile:build:v1",
      externalParameters: { recipe: recipe.name, target: target.name, profile: target.profile },
      resolvedDependencies: [
        resource("recipe", recipe.digest),
        resource("teacher", teacher.digest),
        ...teacher.external.map(({ file, digest }) => resource(`teacher/${file}`, digest)),
        resource("target", target.digest),
        ...splits,
      ],
    },
    runDetails: {
      builder: { id: "urn:optimus-compile:builder:self-signed", version: { "optimus-compile": compiler.version } },
      byproducts: [resource("lineage", sha256(sections.get("lineage")!))],
    },
    slsaBuildLevel: "at most 1: the build signed its own provenance",
  };
}

interface Inputs {
  readonly teacher: Lineage["teacher"];
  readonly data: Lineage["data"];
  readonly passes: readonly PassRecord[];
  /** Typed, before any pass. */
  readonly imported: Graph;
  readonly integer: Graph;
  /** The encoded record. */
  readonly record: Uint8Array;
  readonly errors?: Lineage["errors"];
  readonly search?: Lineage["search"];
}

export function lineageOf(recipe: Recipe, target: Target, inputs: Inputs): Lineage {
  const { teacher, data, passes, imported, integer, record, errors, search } = inputs;
  const { compiler, emulator, numerics } = toolFacts();
  return {
    schema: LINEAGE_SCHEMA,
    compiler,
    emulator,
    numerics,
    recipe: { name: recipe.name, digest: recipe.digest },
    teacher,
    target: { name: target.name, digest: targetDigest(target), profile: recipe.profile },
    data,
    passes: passes.map(passLineage),
    operators: { teacher: operatorsOf(imported), program: operatorsOf(integer) },
    licenses: licensesOf(recipe),
    ...(errors && { errors }),
    ...(search && { search }),
    record: `sha256:${sha256(record)}`,
  };
}

function passLineage({ name, nodesBefore, nodesAfter, options, digests }: PassRecord): Lineage["passes"][number] {
  const { before, after } = digests ?? bug(`the pass ${name} ran without digests`);
  const said = toJson(options ?? {}) as { readonly [option: string]: Json };
  return { name, nodesBefore, nodesAfter, before, after, options: said };
}
