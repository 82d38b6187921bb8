// Build step: packs the compiled workflows into one file, so that workers start in a second; and into another for workers with ENCRYPTION_KEYS,
// since what becomes of a failure is decided within the workflow.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const compiled = (path) => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));
const quiet = () => undefined;
for (const [name, converter] of [
  ['workflow-bundle.js', undefined],
  ['workflow-bundle-encrypted.js', compiled('workflows/encrypted-failures.js')],
]) {
  const { code } = await bundleWorkflowCode({
    workflowsPath: compiled('workflows/index.js'),
    workflowInterceptorModules: [compiled('workflows/interceptors.js')],
    ...(converter ? { failureConverterPath: converter } : {}),
    logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: console.warn, error: console.error },
  });
  await writeFile(compiled(name), code);
}
