import type { KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { findPackageJSON } from "node:module";
import { canonicalBytes, type Json } from "../artifact/canonical.ts";
import { type Artifact, digestOf, sha256 } from "../artifact/container.ts";
import { encodeLineage, type Lineage } from "../artifact/lineage.ts";
import type { Manifest } from "../artifact/manifest.ts";
import { signStatement } from "../artifact/sign.ts";
import { makeStatement, PROVENANCE } from "../artifact/statement.ts";
import { targetDigest } from "../certify/measure.ts";
import { bug } from "../error.ts";
import { type Graph, isStatic } from "../ir/graph.ts";
import type { PassRecord } from "../passes.ts";
import type { Recipe } from "../recipe.ts";
import type { Target } from "../target/schema.ts";

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

/** @param teacher typed, before any pass: its border is what the host speaks. */
export function manifestOf(teacher: Graph, target: Target, profile: string): Manifest {
  const states = new Map(teacher.states.map(({ input, output }) => [input, output]));
  const internal = new Set(states.values());
  const describe = (name: string) => {
    const type = teacher.types.get(name) ?? bug(`the teacher's "${name}" has no type`);
    return {
      name,
      dtype: type.dtype,
      shape: isStatic(type.shape) ? [...type.shape] : bug(`"${name}" has no fixed shape`),
    };
  };
  return {
    format: 1,
    target: { name: target.name, digest: targetDigest(target), profile },
    inputs: teacher.inputs.filter((name) => !states.has(name)).map(describe),
    outputs: teacher.outputs.filter((name) => !internal.has(name)).map(describe),
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
}

export function lineageOf(recipe: Recipe, target: Target, { teacher, data, passes }: Inputs): Lineage {
  return {
    schema: "optimus-compile/lineage@1",
    compiler: compilerFacts(),
    recipe: { name: recipe.name, digest: recipe.digest },
    teacher,
    target: { name: target.name, digest: targetDigest(target), profile: recipe.profile },
    data,
    passes: passes.map(({ name, nodesBefore, nodesAfter }) => ({ name, nodesBefore, nodesAfter })),
  };
}

function compilerFacts(): Lineage["compiler"] {
  const { name, version } = JSON.parse(readFileSync(findPackageJSON(import.meta.url)!, "utf8")) as Lineage["compiler"];
  return { name, version, node: process.versions.node };
}
