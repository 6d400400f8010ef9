import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { readArtifact, readRegularFile, writeArtifact, writeFileAtomic } from "../../src/artifact/file.ts";
import { fingerprint, readPrivateKey, readPublicKeys, writeKeyPair } from "../../src/artifact/keys.ts";
import { sampleArtifact } from "./sample.ts";

const folder = mkdtempSync(join(tmpdir(), "artifact-"));

describe("writeFileAtomic", () => {
  test("replaces the file and leaves nothing else behind", () => {
    const path = join(folder, "a.dopt");
    writeArtifact(path, sampleArtifact());
    writeArtifact(path, sampleArtifact());
    expect(readArtifact(path).manifest.target.name).toBe("ai4");
    expect(readdirSync(folder).filter((name) => name.startsWith("."))).toEqual([]);
  });

  test.each([
    ["a folder that is not there", join(folder, "none", "a.dopt"), "ENOENT"],
    ["a folder in the way", folder, "EISDIR|EEXIST|ENOTEMPTY"],
    ["a device without room", "/dev/full/a", "ENOTDIR"],
  ])("says why it cannot write: %s", (_, path, reason) => {
    expect(() => writeFileAtomic(path, ["text"])).toThrow(
      expect.objectContaining({ code: "usage/cannot-write", message: expect.stringMatching(reason) }) as Error,
    );
  });

  test("killed at any moment, it leaves the old file or the new one", { timeout: 60_000 }, async () => {
    const path = join(folder, "killed.dopt");
    const source = resolve(import.meta.dirname, "../../src/artifact/file.ts");
    const script = `
      import { writeFileAtomic } from ${JSON.stringify(source)};
      process.send("ready");
      for (let round = 0; ; round++) writeFileAtomic(${JSON.stringify(path)}, [new Uint8Array(4e6).fill(round), "end"]);
    `;
    writeFileSync(path, "old");
    for (const milliseconds of [0, 3, 8, 15, 30]) {
      const child = spawn(process.execPath, ["--input-type=module-typescript", "--eval", script], {
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      });
      await once(child, "message");
      await new Promise((done) => setTimeout(done, milliseconds));
      child.kill("SIGKILL");
      await once(child, "exit");
      const found = readFileSync(path);
      if (found.toString("latin1") === "old") continue;
      expect(found.length).toBe(4e6 + 3);
      expect(found.subarray(0, 4e6).every((byte) => byte === found[0])).toBe(true);
    }
  });
});

describe("readRegularFile", () => {
  test("reads through a link, but only regular files of a sane size", () => {
    writeFileSync(join(folder, "five"), "12345");
    symlinkSync(join(folder, "five"), join(folder, "link"));
    expect(Buffer.from(readRegularFile(join(folder, "link"), "file")).toString()).toBe("12345");
    const code = (path: string) => {
      try {
        return String(readRegularFile(path, "file", 4).length);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(code(join(folder, "five"))).toBe("usage/file-too-large");
    expect(code(join(folder, "six"))).toBe("usage/no-such-file");
    expect(code(folder)).toBe("usage/not-a-file");
    expect(code("/dev/zero")).toBe("usage/not-a-file");
  });
});

describe("keys", () => {
  test.each(["p256", "ed25519"] as const)("%s: private for the owner alone, public beside it", (kind) => {
    const path = join(folder, `${kind}.pem`);
    const { publicPath, fingerprint: name } = writeKeyPair(path, kind);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(publicPath).toBe(join(folder, `${kind}.pub.pem`));
    expect(fingerprint(readPrivateKey(path))).toBe(name);
    expect(readPublicKeys(publicPath).map(fingerprint)).toEqual([name]);
  });

  test("a file with two public keys gives both, in order", () => {
    const pem = ["p256", "ed25519"].map((name) => readFileSync(join(folder, `${name}.pub.pem`), "utf8")).join("");
    writeFileSync(join(folder, "both.pem"), pem);
    expect(readPublicKeys(join(folder, "both.pem")).map((key) => key.asymmetricKeyType)).toEqual(["ec", "ed25519"]);
  });

  test.each([
    ["noise", "not a key"],
    ["a broken block", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"],
  ])("%s is no key", (_, text) => {
    writeFileSync(join(folder, "bad.pem"), text);
    const bad = expect.objectContaining({ code: "trust/bad-key" }) as Error;
    expect(() => readPublicKeys(join(folder, "bad.pem"))).toThrow(bad);
    expect(() => readPrivateKey(join(folder, "bad.pem"))).toThrow(bad);
  });
});
