import { ServiceError } from '../../core/errors.js';
import { BUILT_IN_RULES, type AlertRule } from '../../core/policy/alert-rules.js';
import { alertRuleSchema, type AlertRuleSettings } from '../../core/schemas/alert.js';
import { nameSubject } from '../audit/name-subject.js';
import type { Database } from '../database/database.js';
import type { ModelsConfig } from '../training/models-config.js';

/** Every rule is looked at with each finding. */
const MOST_RULES = 500;

interface CatalogueContext {
  database: Pick<Database, 'prisma'>;
  readModelsConfig: () => Promise<ModelsConfig>;
}

/** Rules of the models file are known by their model and their name, so that two models may have one of the same name. */
const rulesOfFile = ({ models }: ModelsConfig): AlertRule[] =>
  [...models.values()].flatMap(({ name: model, alerts }) =>
    Object.entries(alerts?.rules ?? {}).map(([name, settings]) => ({
      ...settings,
      name: `${model}:${name}`,
      declaredIn: 'file' as const,
      models: [model],
    })),
  );

/** All rules in the order in which they are asked: those of the API by name, those of the models file, those built in. */
export async function listRules({ database, readModelsConfig }: CatalogueContext): Promise<AlertRule[]> {
  const rows = await database.prisma.alertRule.findMany({ orderBy: { name: 'asc' } });
  const given = rows.map(({ name, definition }): AlertRule => ({
    ...alertRuleSchema.parse(definition),
    name,
    declaredIn: 'api',
  }));
  const isReplaced = ({ name }: AlertRule) => given.some((one) => one.name === name);
  return [...given, ...rulesOfFile(await readModelsConfig()), ...BUILT_IN_RULES.filter((one) => !isReplaced(one))];
}

const present = ({ declaredIn, name, ...rule }: AlertRule) => ({
  name,
  declared_in: declaredIn,
  ...rule,
  description: rule.description ?? null,
  severity: rule.severity ?? null,
  owner: rule.owner ?? null,
});

/** What people are told of, and when. */
export function createRuleCatalogue(context: CatalogueContext) {
  const { prisma } = context.database;

  async function get(name: string) {
    const found = (await listRules(context)).find((one) => one.name === name);
    if (found) return present(found);
    throw new ServiceError(
      'alert_rule_not_found',
      `There is no rule "${name.slice(0, 128)}". GET /alerts/rules lists them.`,
    );
  }

  async function write(name: string, definition: AlertRuleSettings, updatedBy: string, isNew: boolean) {
    await prisma.$transaction(async (transaction) => {
      await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext('alert_rules'))`;
      const others = await transaction.alertRule.findMany({ where: { name: { not: name } }, select: { name: true } });
      if (others.length >= MOST_RULES)
        throw new ServiceError(
          'alert_conflict',
          `There are ${MOST_RULES} rules already, which is the most there can be.`,
        );
      const known = await transaction.alertRule.findUnique({ where: { name } });
      if (isNew && known)
        throw new ServiceError(
          'alert_conflict',
          `There is a rule ${name} already. PUT /alerts/rules/${name} changes it.`,
        );
      const data = { definition: definition as never, updatedBy, updatedAt: new Date() };
      await transaction.alertRule.upsert({ where: { name }, create: { name, ...data }, update: data });
    });
    return get(name);
  }

  return {
    async list() {
      return { items: (await listRules(context)).map(present), next_cursor: null };
    },
    get,
    /** @throws ServiceError `alert_conflict` where there is one of this name already */
    create: (name: string, definition: AlertRuleSettings, by: string) => write(name, definition, by, true),
    /** Creates or replaces it; one of the name of a built-in rule takes its place. */
    put: (name: string, definition: AlertRuleSettings, by: string) => write(name, definition, by, false),
    /** What is built in under this name is in force again. @throws ServiceError `alert_rule_not_found`, `alert_conflict` */
    async remove(name: string, by: string): Promise<void> {
      const { count } = await prisma.$transaction(async (transaction) => {
        await nameSubject(transaction, by);
        return transaction.alertRule.deleteMany({ where: { name } });
      });
      if (count > 0) return;
      const { declared_in: origin } = await get(name);
      throw new ServiceError(
        'alert_conflict',
        origin === 'file'
          ? `The rule ${name} is of models/config.yaml: remove it there.`
          : `The rule ${name} is built in. PUT /alerts/rules/${name} with "enabled": false turns it off.`,
      );
    },
  };
}

export type RuleCatalogue = ReturnType<typeof createRuleCatalogue>;
