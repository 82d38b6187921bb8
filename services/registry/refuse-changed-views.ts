import { isDeepStrictEqual } from 'node:util';
import { ServiceError } from '../../core/errors.js';
import { viewChanges } from '../../core/policy/view-compatibility.js';
import { featureNameOf, type FeatureView } from '../../core/schemas/feature-view.js';
import { featuresOf } from '../features/join-views.js';
import type { ReadinessContext } from './refuse-unready.js';

/**
 * A version whose feature views mean something else by now would be answered from other features than it learnt from.
 * @throws ServiceError `feature_view_changed` with what has changed
 */
export async function refuseChangedViews(
  name: { model: string; version: string },
  { database: { prisma }, readModelsConfig }: ReadinessContext,
): Promise<void> {
  const row = await prisma.modelVersion.findUnique({
    where: { model_version: { model: name.model, version: name.version } },
  });
  const { feature_views: used = [] } = (row?.lineage ?? {}) as { feature_views?: { view: string; version: number }[] };
  if (!row || used.length === 0) return;
  const { features = [] } = row.signature as { features?: { name: string }[] };
  const taken = new Set(features.map((feature) => feature.name));
  const declared = (await readModelsConfig()).featureViews;
  for (const { view, version } of used) {
    const versions = await prisma.featureView.findMany({ where: { view }, orderBy: { version: 'desc' } });
    const before = versions.find((one) => one.version === version)?.definition as unknown as FeatureView | undefined;
    const after = declared.get(view) ?? (versions[0]?.definition as unknown as FeatureView | undefined);
    if (!before || !after) continue;
    const names = featuresOf(before).flatMap((one) => (taken.has(featureNameOf(view, one.name)) ? [one.name] : []));
    const changes = viewChanges(before, after, names, isDeepStrictEqual);
    if (changes.length > 0)
      throw new ServiceError(
        'feature_view_changed',
        `${name.model} ${name.version} learnt from the feature view ${view} in version ${version}, which has changed since: ${changes.join(', ')}. Train again.`,
        [{ path: `features.${view}`, message: changes.join(', ') }],
      );
  }
}
