/** The rules of the house (ARCHITECTURE.md) that a machine can keep: who imports whom, what has a test, how long a file is. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { describe, expect, it } from "vitest";

const root = new URL("../", import.meta.url);

/** All files under a folder, as paths from the root. */
function filesOf(folder: string): string[] {
  const url = new URL(`${folder}/`, root);
  if (!existsSync(url)) return [];
  return readdirSync(url, { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === "node_modules" ? [] : filesOf(path);
    return [path];
  });
}

const read = (path: string): string => readFileSync(new URL(path, root), "utf8");
const isSource = (path: string): boolean =>
  path.endsWith(".ts") && !path.endsWith(".d.ts") && !path.includes("/assembly/");
const sources = [...filesOf("src"), ...filesOf("passes")].filter(isSource);

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

/** Where a file imports from: the house's own files, as paths from the root; and packages, as they are written. */
function importsOf(path: string): string[] {
  const text = withoutComments(read(path));
  const found = [...text.matchAll(/^\s*(?:import|export)\b[^;]*?\bfrom\s*"([^"]+)"|\bimport\(\s*"([^"]+)"\s*\)/gm)];
  return found.map((match) => {
    const name = match[1] ?? match[2];
    return name.startsWith(".") ? posix.join(posix.dirname(path), name) : name;
  });
}

/** The room of the house that a file is in: `src/ir`, `passes/fuse`, or the file itself where it stands in `src`. */
function roomOf(path: string): string {
  const parts = path.split("/");
  return parts.length === 2 ? path : parts.slice(0, 2).join("/");
}

/** Rooms and files that belong to nobody in particular: all may read them. */
const COMMON = ["src/error.ts", "src/suggest.ts"];
/** Who may import whom. What is not listed here is the table of contents (build, index, cli) and may import everything. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  "src/error.ts": [],
  "src/suggest.ts": [],
  "src/ir": [],
  "src/ops": ["src/ir"],
  "src/run": ["src/ir", "src/ops"],
  "src/onnx": ["src/ir", "src/ops"],
  "src/quant": ["src/ir", "src/ops", "src/run", "src/onnx", "src/pass.ts"],
  "src/train": ["src/ir", "src/ops", "src/run", "src/onnx", "src/pass.ts"],
  "src/training": [
    ...["src/ir", "src/ops", "src/run", "src/onnx", "src/train", "src/data", "src/artifact", "src/evidence"],
    ...["src/recipe", "src/student", "src/pass.ts", "src/passes.ts", "src/presets.ts"],
  ],
  "src/student": ["src/ir", "src/ops", "src/run", "src/onnx", "src/inspect.ts"],
  "src/pass.ts": ["src/ir"],
  "src/check.ts": ["src/ir", "src/pass.ts"],
  "src/presets.ts": ["src/pass.ts"],
  "src/passes.ts": ["src/ir", "src/ops", "src/pass.ts", "src/check.ts", "src/presets.ts"],
  "src/target": ["src/ir"],
  "src/schedule": ["src/ir", "src/ops", "src/target", "src/emulate"],
  "src/emulate": ["src/ir", "src/ops", "src/run", "src/target", "src/schedule"],
  "src/checker": ["src/ir", "src/target", "src/schedule"],
  "src/data": [],
  "src/evidence": ["src/data"],
  "src/artifact": [],
  "src/cache": ["src/artifact"],
  "src/explain": [],
  "src/report": ["src/evidence", "src/artifact"],
  "src/gate": [
    ...["src/artifact", "src/certify", "src/data", "src/emulate", "src/evidence", "src/ir", "src/recipe", "src/report"],
    ...["src/build.ts", "src/certify.ts", "src/escalation.ts", "src/recipe.ts"],
  ],
  "src/findings": [
    ...[
      "src/artifact",
      "src/emulate",
      "src/evidence",
      "src/schedule",
      "src/target",
      "src/ir",
      "src/onnx",
      "src/run",
      "src/report",
    ],
    ...["src/profile.ts", "src/replay.ts"],
  ],
  "src/recipe": ["src/target", "src/data", "src/recipe.ts"],
  "src/recipe.ts": ["src/target", "src/data", "src/recipe"],
};
const PASSES_MAY = ["src/ir", "src/ops", "src/quant", "src/train", "src/run", "src/pass.ts"];

function allowed(room: string): readonly string[] | undefined {
  return room.startsWith("passes/") ? PASSES_MAY : MAY[room];
}

describe("who imports whom", () => {
  it("follows the plan", () => {
    const found = sources.flatMap((path) => {
      const room = roomOf(path);
      const may = allowed(room);
      if (may === undefined) return [];
      const known = new Set([...may, ...COMMON, room]);
      const strangers = importsOf(path).filter((name) => /^(src|passes)\//.test(name) && !known.has(roomOf(name)));
      return strangers.map((name) => `${path} imports ${name}`);
    });
    expect(found).toEqual([]);
  });

  it("passes do not touch files or processes", () => {
    const forbidden = ["node:fs", "node:fs/promises", "node:child_process", "node:net", "node:http", "node:https"];
    const found = sources
      .filter((path) => path.startsWith("passes/"))
      .flatMap((path) =>
        importsOf(path)
          .filter((name) => forbidden.includes(name))
          .map((name) => `${path} imports ${name}`),
      );
    expect(found).toEqual([]);
  });

  it("the machine knows neither the operators nor the other executor", () => {
    const machine = sources.filter((path) => /^src\/emulate\/machine(\/|\.ts)/.test(path));
    const found = machine.flatMap((path) =>
      importsOf(path).filter((name) => name.startsWith("src/ops") || /integer/.test(name)),
    );
    expect(found).toEqual([]);
  });

  it("the checker knows the scheduler by the types of its programs alone, and targets by theirs", () => {
    const foreign = sources
      .filter((path) => path.startsWith("src/checker/"))
      .flatMap((path) => {
        const imports = withoutComments(read(path)).matchAll(/^\s*import\b([^;]*?)\bfrom\s*"(\.[^"]+)"/gm);
        return [...imports]
          .map(([, names, name]) => ({ typed: /^\s*type\b/.test(names), name: posix.join(posix.dirname(path), name) }))
          .filter(({ name }) => /^src\/(schedule|target)\//.test(name))
          .filter(({ typed, name }) => !typed || !["src/schedule/program.ts", "src/target/schema.ts"].includes(name))
          .map(({ name }) => `${path} imports ${name}`);
      });
    expect(foreign).toEqual([]);
  });

  it("sign and verify do not know each other", () => {
    expect(importsIfThere("src/artifact/sign.ts")).not.toContain("src/artifact/verify.ts");
    expect(importsIfThere("src/artifact/verify.ts")).not.toContain("src/artifact/sign.ts");
  });
});

function importsIfThere(path: string): string[] {
  return existsSync(new URL(path, root)) ? importsOf(path) : [];
}

describe("what is there has a test", () => {
  const tests = filesOf("test").filter((path) => path.endsWith(".test.ts"));
  const allTests = tests.map(read).join("\n");

  it("every pass", () => {
    const passes = sources.filter((path) => path.startsWith("passes/"));
    expect(passes.filter((path) => !tests.includes(`test/${path.replace(/\.ts$/, ".test.ts")}`))).toEqual([]);
  });

  it("every operator is named in a test", () => {
    const conformance = existsSync(new URL("test/conformance/declared.ts", root))
      ? read("test/conformance/declared.ts")
      : "";
    const operators = sources.filter(
      (path) => /^src\/ops\/[a-z0-9-]+\.ts$/.test(path) && /\bexport default\b/.test(read(path)),
    );
    const named = `${allTests}\n${conformance}`.toLowerCase();
    const unnamed = operators.filter((path) => {
      const name = path.slice("src/ops/".length, -".ts".length).replaceAll("-", "");
      return !new RegExp(`\\b${name}\\b`).test(named);
    });
    expect(unnamed).toEqual([]);
  });

  it("every target is tried", () => {
    if (filesOf("targets").length > 0) expect(allTests).toMatch(/listTargets|testTarget|targets\//);
  });
});

describe("how it is written", () => {
  const written = [...sources, ...filesOf("test"), ...filesOf("scripts"), ...filesOf("bench")].filter(isSource);

  it("no file is longer than 400 lines", () => {
    expect(written.filter((path) => read(path).split("\n").length > 401)).toEqual([]);
  });

  it("files are named in small letters and dashes", () => {
    expect(written.filter((path) => !/^[a-z0-9-]+(\.test)?\.ts$/.test(posix.basename(path)))).toEqual([]);
  });

  it("no drawer for everything", () => {
    expect(written.filter((path) => /(^|\/)(utils?|helpers?|misc|common)(\/|\.ts$)/.test(path))).toEqual([]);
  });

  it("nothing is left for later or hushed up", () => {
    const hushed =
      /@ts-ignore|@ts-nocheck|biome-ignore|\b(?:it|test|describe)\.(?:skip|only|todo)\b|\b(?:TODO|FIXME|XXX)\b/;
    const untyped = /: any\b|<any>|\bas any\b/;
    const found = written.filter((path) => {
      if (path === "test/house.test.ts") return false;
      const text = read(path);
      return hushed.test(text) || untyped.test(withoutComments(text));
    });
    expect(found).toEqual([]);
  });
});
