// AssemblyScript, not TypeScript: built by `npm run build:wasm` to ../kernels.wasm.

/** Adds `n` int32 values at `b` to those at `a`, in place; `n` is a multiple of 4. */
export function addI32(a: usize, b: usize, n: i32): void {
  const end = a + ((<usize>n) << 2);
  while (a < end) {
    v128.store(a, i32x4.add(v128.load(a), v128.load(b)));
    a += 16;
    b += 16;
  }
}
