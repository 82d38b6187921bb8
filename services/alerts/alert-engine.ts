import type { AlertRule } from '../../core/policy/alert-rules.js';
import type { AlertSettings } from './alert-settings.js';
import { BackgroundLoop } from '../background-loop.js';
import { ChannelListener } from '../database/channel-listener.js';
import type { Database } from '../database/database.js';
import type { CheckedDependency } from '../health/check-dependencies.js';
import { FINDINGS_CHANNEL } from '../monitors/monitor-findings.js';
import type { FailPoint } from '../telemetry/fail-point.js';
import type { Logger } from '../telemetry/logger.js';
import type { ModelsConfig } from '../training/models-config.js';
import { findOverspent } from './false-alarm-budget.js';
import { moveAlerts, resolveOrphans } from './move-alerts.js';
import { PlatformWatch } from './platform-watch.js';
import { listReceivers } from './receivers.js';
import { listRules } from './rule-catalogue.js';
import { tellChanges } from './tell-changes.js';
import { readFoundThings, readObservedThings } from './watched-windows.js';

export interface AlertEngineContext {
  database: Database;
  databaseUrl: string;
  logger: Logger;
  settings: AlertSettings;
  readModelsConfig: () => Promise<ModelsConfig>;
  askDependencies: () => Promise<Record<string, CheckedDependency>>;
  failPoint: FailPoint;
}

/** Besides the notifications of monitors: for silences that end, what people did, and what no monitor watches. */
const POLL_MS = 3000;
/** What monitors find within so long is told in one message. */
const GATHER_MS = 500;
const PASS_TIMEOUT_MS = 30_000;
const CURSOR = 'findings';
/** A transaction that is slow to commit has findings which are older than those that were seen already. */
const OVERLAP_MS = 120_000;
/** At the very first start findings of so long are looked at. */
const FIRST_MS = 86_400_000;

/**
 * Turns what monitors find into alerts and these into messages. Any number of processes may run it: one at a time does so, in one
 * transaction, so that whoever dies leaves either all of a pass or nothing.
 */
export class AlertEngine {
  readonly #listener: ChannelListener;
  readonly #loop: BackgroundLoop;
  readonly #platform: PlatformWatch;

  constructor(private readonly context: AlertEngineContext) {
    this.#platform = new PlatformWatch(context);
    this.#loop = new BackgroundLoop({
      look: () => this.pass(new Date()),
      everyMs: POLL_MS,
      problem: 'alerts cannot be looked at at present',
      logger: context.logger,
    });
    this.#listener = new ChannelListener({
      ...context,
      channel: FINDINGS_CHANNEL,
      onNotice: () => setTimeout(() => this.#loop.look(), GATHER_MS).unref(),
    });
  }

  start(): void {
    void this.#listener.start();
    this.#loop.start();
  }

  async stop(): Promise<void> {
    await Promise.all([this.#listener.stop(), this.#loop.stop()]);
  }

  /** One look at everything. @returns false when another process is at it */
  async pass(now: Date): Promise<boolean> {
    const config = await this.context.readModelsConfig();
    const rules = await listRules(this.context);
    await this.#platform.look(rules, now);
    return moveAndTell(this.context, { rules, config, now });
  }
}

async function moveAndTell(
  { database, settings, failPoint }: AlertEngineContext,
  { rules, config, now }: { rules: readonly AlertRule[]; config: ModelsConfig; now: Date },
): Promise<boolean> {
  return database.prisma.$transaction(
    async (transaction) => {
      const [lock] = await transaction.$queryRaw<{ locked: boolean }[]>`
        SELECT pg_try_advisory_xact_lock(hashtext('alert_engine')) AS locked`;
      if (!lock?.locked) return false;
      const cursor = await transaction.alertCursor.findUnique({ where: { name: CURSOR } });
      const since = cursor ? cursor.seenUntil.getTime() - OVERLAP_MS : now.getTime() - FIRST_MS;
      const things = [
        ...(await readFoundThings(transaction, rules, new Date(since))),
        ...(await readObservedThings(transaction, rules, now)),
      ];
      await moveAlerts(transaction, things, { overspent: await findOverspent(transaction, config, now) });
      await resolveOrphans(transaction, rules);
      const { messagesPerHour } = settings;
      const told = await tellChanges(transaction, { receivers: listReceivers(settings), messagesPerHour, now });
      if (told > 0) failPoint('alerts:before-commit');
      await transaction.$executeRaw`INSERT INTO alert_cursors (name, seen_until)
        SELECT ${CURSOR}, max(found_at) FROM monitor_findings HAVING max(found_at) IS NOT NULL
        ON CONFLICT (name) DO UPDATE SET seen_until = EXCLUDED.seen_until WHERE alert_cursors.seen_until < EXCLUDED.seen_until`;
      return true;
    },
    { timeout: PASS_TIMEOUT_MS, maxWait: 5000 },
  );
}
