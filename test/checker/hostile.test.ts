import { expect, test } from "vitest";
import { checkProgram } from "../../src/checker/check.ts";
import { seededRandom } from "../../src/ir/random.ts";
import type { Program } from "../../src/schedule/program.ts";
import { loadTarget } from "../../src/target/load.ts";
import { programOf, smallNetwork } from "./programs.ts";

const target = loadTarget("ai4", { set: ["sram=16KiB"] });

type Slot = { readonly holder: Record<string | number, unknown>; readonly key: string | number };

/** Every number of a program, where it is; weights aside. */
function numbersIn(value: unknown, found: Slot[] = []): Slot[] {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return found;
  for (const [key, inner] of Object.entries(value)) {
    if (typeof inner === "number") found.push({ holder: value as Record<string, unknown>, key });
    else numbersIn(inner, found);
  }
  return found;
}

test("whatever numbers a program holds, it gets a verdict", () => {
  const program = programOf(smallNetwork(), target);
  const random = seededRandom("hostile");
  const values = [0, -1, 1, 2, 3, 63, 2 ** 16, 2 ** 31 - 1, 2 ** 32 - 1, 2 ** 40, 2 ** 53 - 1, -(2 ** 53) + 1];
  let caught = 0;
  for (let run = 0; run < 300; run++) {
    const copy = structuredClone({ ...program, weights: new Uint8Array() }) as Program;
    const slots = numbersIn(copy);
    for (let change = 0; change < 1 + Math.floor(random() * 3); change++) {
      const { holder, key } = slots[Math.floor(random() * slots.length)];
      holder[key] = values[Math.floor(random() * values.length)];
    }
    const { faults } = checkProgram({ ...copy, weights: program.weights }, target);
    if (faults.length > 0) caught++;
    for (const { kind, where, says } of faults)
      expect([typeof kind, typeof where, typeof says]).toEqual(["string", "string", "string"]);
  }
  expect(caught).toBeGreaterThan(200);
});
