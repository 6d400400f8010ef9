import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { CompileError } from "../error.ts";
import type { Node } from "../ir/graph.ts";
import type { Op } from "./op.ts";

const load = createRequire(import.meta.url);
const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
const found = new Map<string, Op | undefined>();

/** `HardSwish` → `hard-swish`, `LSTM` → `lstm`, `QLinearConv` → `q-linear-conv`. */
export function fileNameOf(op: string): string {
  return op
    .replace(/([a-z0-9])([A-Z])/g, "$1-$2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1-$2")
    .toLowerCase();
}

/** "" → src/ops, `npu` → src/ops/npu, `com.microsoft` → src/ops/com-microsoft. */
function folderOf(domain: string): string {
  return domain === "" || domain === "ai.onnx" ? "." : `./${domain.replaceAll(".", "-")}`;
}

/** The operator's file, loaded when first asked for; undefined where there is none. The path is the name. */
export function findOp(domain: string, op: string): Op | undefined {
  const key = `${domain}:${op}`;
  if (!found.has(key)) {
    const path = `${folderOf(domain)}/${fileNameOf(op)}${extension}`;
    const sane = /^[a-z0-9-]+$/.test(fileNameOf(op)) && /^[a-z0-9.-]*$/.test(domain);
    const url = new URL(path, import.meta.url);
    const isOperator = sane && existsSync(url);
    const module = isOperator ? (load(path) as { default?: Op }) : undefined;
    found.set(key, module?.default);
  }
  return found.get(key);
}

export function opOf(node: Node): Op {
  const op = findOp(node.domain, node.op);
  if (op) return op;
  const name = node.domain === "" ? node.op : `${node.domain}::${node.op}`;
  throw new CompileError("model/unknown-operator", `the operator ${name} is not known`, {
    where: `node ${node.origin[0] ?? node.outputs[0]}`,
    remedy: `export the model with standard ONNX operators, or add src/ops/${fileNameOf(node.op)}.ts`,
  });
}
