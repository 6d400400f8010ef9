/** A CycloneDX 1.6 ML-BOM of an artifact: what it is made from and under which terms, from its lineage and evidence alone. */
import type { Json } from "./canonical.ts";
import type { SealedArtifact } from "./container.ts";
import { decodeLineage, type Lineage } from "./lineage.ts";

type Fields = { readonly [key: string]: Json | undefined };

/** The BOM as a value. No clock and no random number: the same artifact gives the same BOM. Throws trust/lineage. */
export function bomOf(artifact: SealedArtifact): Fields {
  const lineage = decodeLineage(artifact.sections.get("lineage"));
  const model = "artifact";
  const parts = [teacherOf(lineage), ...weightsOf(lineage), ...dataOf(lineage), targetOf(lineage), compilerOf(lineage)];
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuidOf(artifact.digest)}`,
    version: 1,
    metadata: {
      component: {
        type: "machine-learning-model",
        "bom-ref": model,
        name: lineage.recipe.name,
        version: artifact.digest,
        hashes: hashesOf(artifact.digest),
        ...licensesOf(lineage.licenses.teacher),
        modelCard: {
          modelParameters: {
            inputs: artifact.manifest.inputs.map(({ name, dtype, shape }) => ({
              format: `${name}: ${dtype}[${shape}]`,
            })),
            outputs: artifact.manifest.outputs.map(({ name, dtype, shape }) => ({
              format: `${name}: ${dtype}[${shape}]`,
            })),
            datasets: Object.keys(lineage.data).map((split) => ({ ref: `data/${split}` })),
          },
          quantitativeAnalysis: { performanceMetrics: metricsOf(artifact) },
        },
        properties: propertiesOf(lineage),
      },
    },
    components: parts,
    dependencies: [{ ref: model, dependsOn: parts.map((part) => part["bom-ref"] as string) }],
  };
}

const hashesOf = (digest: string): Json => [{ alg: "SHA-256", content: digest.replace("sha256:", "") }];

/** What nobody said is not there: an unknown licence is no licence. */
function licensesOf(license: string | undefined): Fields {
  if (license === undefined) return {};
  // An identifier outside of the SPDX list is not one of CycloneDX's enumeration, but may stand in an expression.
  return { licenses: [{ expression: license }] };
}

function teacherOf({ teacher, licenses }: Lineage): Fields {
  const at = teacher.package?.lastIndexOf("@") ?? -1;
  const [name, version] = [teacher.package?.slice(0, at), teacher.package?.slice(at + 1)];
  const purl = name && `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return {
    type: "machine-learning-model",
    "bom-ref": "teacher",
    name: teacher.file,
    hashes: hashesOf(teacher.digest),
    ...licensesOf(licenses.teacher),
    ...(purl && { purl, version }),
  };
}

function weightsOf({ teacher, licenses }: Lineage): Fields[] {
  return teacher.external.map(({ file, digest }) => ({
    type: "file",
    "bom-ref": `teacher/${file}`,
    name: file,
    hashes: hashesOf(digest),
    ...licensesOf(licenses.teacher),
  }));
}

function dataOf({ data, licenses }: Lineage): Fields[] {
  const splits = Object.entries(data).filter(([, split]) => split !== undefined);
  return splits.map(([name, { digest, samples }]) => ({
    type: "data",
    "bom-ref": `data/${name}`,
    name,
    hashes: hashesOf(digest),
    ...licensesOf(licenses.data),
    data: [{ type: "dataset", name, contents: { properties: [{ name: "samples", value: String(samples.length) }] } }],
  }));
}

const targetOf = ({ target }: Lineage): Fields => ({
  type: "device",
  "bom-ref": "target",
  name: target.name,
  hashes: hashesOf(target.digest),
});

const compilerOf = ({ compiler }: Lineage): Fields => ({
  type: "application",
  "bom-ref": "compiler",
  name: compiler.name,
  version: compiler.version,
  hashes: hashesOf(compiler.digest),
  properties: Object.entries(compiler.dependencies).map(([name, version]) => ({
    name: `dependency:${name}`,
    value: version,
  })),
});

function propertiesOf({ passes, numerics, record, recipe, licenses }: Lineage): Json {
  const unknown = (["teacher", "data"] as const).filter((role) => licenses[role] === undefined);
  return [
    { name: "optimus-compile:recipe", value: recipe.digest },
    { name: "optimus-compile:record", value: record },
    { name: "optimus-compile:numerics", value: numerics },
    ...unknown.map((role) => ({ name: "optimus-compile:license-unknown", value: role })),
    ...passes.map(({ name, after }, at) => ({ name: `optimus-compile:pass:${at + 1}`, value: `${name} ${after}` })),
  ];
}

/** The metric of teacher and compiled model, where the artifact was certified. */
function metricsOf(artifact: SealedArtifact): Json {
  const section = artifact.sections.get("evidence");
  if (section === undefined) return [];
  const { accuracy } = JSON.parse(new TextDecoder().decode(section)) as { accuracy?: { [key: string]: unknown } };
  const { metric, teacher, compiled } = accuracy ?? {};
  const rows: [string, unknown][] = [
    ["teacher", teacher],
    ["compiled", compiled],
  ];
  return rows
    .filter(([, value]) => typeof value === "number")
    .map(([slice, value]) => ({ type: String(metric), value: String(value), slice }));
}

/** A UUID of version 8, whose bits are the digest's: the artifact's name, not a random one. */
function uuidOf(digest: string): string {
  const hex = digest.replace("sha256:", "").slice(0, 32);
  const variant = "89ab"[Number.parseInt(hex[16], 16) & 3];
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
}
