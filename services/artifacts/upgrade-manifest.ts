import type { BundleManifest, GoldenCase } from './model-bundle.js';

/** `model.json` as release 0.1 wrote it: forests only, one a head. */
interface FirstManifest {
  format_version: 1;
  encoder: unknown;
  heads: { name: string; task: string; classes: (string | number | boolean)[]; file: string; sha256: string }[];
  golden: (GoldenCase['input'] & Pick<GoldenCase, 'outputs'>)[];
}

/** Versions that an earlier release made go on serving: their manifest is read as today's. */
export function upgradeManifest(stored: BundleManifest | FirstManifest): BundleManifest {
  if (stored.format_version !== 1) return stored;
  const { encoder, heads, golden } = stored;
  return {
    ...(stored as unknown as BundleManifest),
    format_version: 2,
    heads: heads.map(({ name, task, classes }) => ({ name, task, classes })),
    files: heads.map(({ file, sha256 }) => ({ file, sha256 })),
    body: { encoder, heads: heads.map((head) => ({ ...head, algorithm: 'random_forest' })) },
    golden: golden.map(({ features, outputs }) => ({ input: { features }, outputs })),
  };
}
