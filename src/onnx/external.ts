import { createHash } from "node:crypto";
import { decode } from "./decode.ts";
import { externalFiles, openModel } from "./files.ts";
import type { AttributeProto, GraphProto, TensorProto } from "./schema.ts";

/** Read in pieces: such files are larger than memory likes. */
const PIECE = 16 * 2 ** 20;

export interface ExternalDigest {
  /** As the model writes it: relative to the model's own folder. */
  readonly file: string;
  /** `sha256:…` of the whole file. */
  readonly digest: string;
}

/** The external data files that a model's weights lie in, by name. Throws what reading the model throws. */
export function externalDigests(path: string): ExternalDigest[] {
  const { source, folder } = openModel(path);
  const open = externalFiles(folder);
  const model = decode("ModelProto", source);
  const locations = new Set<string>();
  const graphs: GraphProto[] = model.graph ? [model.graph] : [];
  const add = (tensor: TensorProto | undefined) => {
    const location = tensor?.externalData?.find(({ key }) => key === "location")?.value;
    if (location !== undefined && Number(tensor?.dataLocation ?? 0) === 1) locations.add(location);
  };
  const visit = ({ t, tensors = [], g, graphs: inner = [] }: AttributeProto) => {
    for (const tensor of [t, ...tensors]) add(tensor);
    graphs.push(...(g ? [g] : []), ...inner);
  };
  for (const { node = [] } of model.functions ?? []) for (const { attribute = [] } of node) attribute.forEach(visit);
  for (let graph = graphs.pop(); graph !== undefined; graph = graphs.pop()) {
    graph.initializer?.forEach(add);
    for (const { attribute = [] } of graph.node ?? []) attribute.forEach(visit);
  }
  return [...locations].sort().map((file) => {
    const { length, read } = open(file, "external data");
    const hash = createHash("sha256");
    for (let at = 0; at < length; at += PIECE) hash.update(read(at, Math.min(PIECE, length - at)));
    return { file, digest: `sha256:${hash.digest("hex")}` };
  });
}
