// Build step: packs the compiled workflows into one file, so that workers start in a second.
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode } from '@temporalio/worker';

const compiled = (path) => fileURLToPath(new URL(`../dist/${path}`, import.meta.url));
const quiet = () => undefined;
const { code } = await bundleWorkflowCode({
  workflowsPath: compiled('workflows/index.js'),
  workflowInterceptorModules: [compiled('workflows/interceptors.js')],
  logger: { log: quiet, trace: quiet, debug: quiet, info: quiet, warn: console.warn, error: console.error },
});
await writeFile(compiled('workflow-bundle.js'), code);
