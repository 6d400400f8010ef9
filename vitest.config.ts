import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// Every file's process, and every command that a test runs, loads the sources anew: Node keeps what it made of them.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL("node_modules/.cache/node-compile/", import.meta.url));

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Node itself loads the tests and the sources (type stripping), as it does outside tests: ops and
    // passes are also loaded by path with require(), and both ways must give the same module instance.
    experimental: { viteModuleRunner: false },
    pool: "forks",
    maxWorkers: 2,
    // What an earlier run left must not be what a test sees; tests of the cache name a folder of their own.
    env: { OPTIMUS_CACHE: "off" },
    testTimeout: 30_000,
  },
});
