/** The Node API: what the command line does, as functions. */
export { type BuildOptions, type BuildResult, build } from "./build.ts";
export { type CertifyDocument, type CertifyOptions, type CertifyResult, certify } from "./certify.ts";
export { type Checking, checkArtifact } from "./checking.ts";
export { type EmulateOptions, type Emulation, emulateArtifact } from "./emulation.ts";
export { CompileError, type ErrorCode, exitCodeOf } from "./error.ts";
export { loadRecipe, type Recipe, type RecipeOptions } from "./recipe.ts";
export type { BuildDocument, BuildNotes } from "./report/build-document.ts";
export { type Check, type Verification, type VerifyOptions, verifyArtifact } from "./verify.ts";
