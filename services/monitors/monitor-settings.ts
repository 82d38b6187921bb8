import { monitorSchema, type MonitorSettings } from '../../core/schemas/monitor.js';
import type { Database } from '../database/database.js';
import type { ModelDefinition } from '../training/models-config.js';

/** How a model is watched, and who says so. */
export interface EffectiveMonitor {
  settings: MonitorSettings;
  /** `api`: PUT /monitors/{model}. `config`: `monitor` of its entry. */
  declaredIn: 'default' | 'config' | 'api';
  updatedBy?: string;
  updatedAt?: Date;
}

/** What holds for a model: what was PUT, else its entry in the models file, else the defaults. */
export async function readMonitor(
  definition: Pick<ModelDefinition, 'name' | 'monitor'>,
  { prisma }: Pick<Database, 'prisma'>,
): Promise<EffectiveMonitor> {
  const row = await prisma.monitor.findUnique({ where: { model: definition.name } });
  // Settings of earlier releases lack what has been added since.
  if (row)
    return {
      settings: monitorSchema.parse(row.settings),
      declaredIn: 'api',
      updatedBy: row.updatedBy,
      updatedAt: row.updatedAt,
    };
  return definition.monitor
    ? { settings: definition.monitor, declaredIn: 'config' }
    : { settings: monitorSchema.parse({}), declaredIn: 'default' };
}

/** Keeps settings as a whole. */
export async function writeMonitor(
  model: string,
  settings: MonitorSettings,
  by: string,
  { prisma }: Pick<Database, 'prisma'>,
): Promise<void> {
  const data = { settings: settings as never, updatedBy: by, updatedAt: new Date() };
  await prisma.monitor.upsert({ where: { model }, create: { model, ...data }, update: data });
}
