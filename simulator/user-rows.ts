import { drawFromSums, drawTastes, ITEM_ACTIONS, itemChoice, type Item } from './item-catalogue.js';
import { drawProjectOutcome, drawProjectPlan } from './project-model.js';
import { RandomSource } from './random-source.js';
import { DAY_MS, dayNumber, type SimulationParameters } from './simulation-parameters.js';
import type { SourceRow, SourceTableName } from './source-tables.js';
import { simulateUserLife, type UserLife } from './user-life.js';
import { EVENT_TYPES, type EventType } from './user-model.js';

/** The tables whose rows come from users' lives. */
export type UserRows = Record<Exclude<SourceTableName, 'resource_metrics'>, SourceRow[]>;

const PLANS = ['free', 'pro', 'team'] as const;
const COUNTRIES = ['US', 'DE', 'IN', 'BR', 'GB', 'FR', 'JP', 'CH'] as const;
const CLIENTS = ['web', 'ide', 'cli'] as const;
/** Event types that belong to a project. */
const PROJECT_WORK: ReadonlySet<EventType> = new Set(['code_generation', 'code_review', 'commit', 'deployment']);
/** Chance to start a project on an active day; the first active day of the window always starts one. */
const NEW_PROJECT_CHANCE = 0.03;
/** Mean number of items turned to on an active day. */
const ITEMS_PER_ACTIVE_DAY = 0.5;

/** What a user carries from day to day while their rows are written. */
interface Writer {
  life: UserLife;
  rows: UserRows;
  random: RandomSource;
  projects: string[];
  /** Hour (UTC) at which their day begins, and how many hours it lasts. */
  dayStart: number;
  dayHours: number;
  events: number;
  interactions: number;
}

/**
 * Turns users into rows, in order of their index. Projects are numbered through all users, so that a generator is used
 * from the first user on.
 */
export class UserRowSource {
  #projects = 0;
  readonly #parameters: SimulationParameters;
  readonly #items: readonly Item[];
  readonly #startDay: number;

  constructor(parameters: SimulationParameters, items: readonly Item[]) {
    this.#parameters = parameters;
    this.#items = items;
    this.#startDay = dayNumber(parameters.start);
  }

  /** Appends all rows of user `index` to `rows`. */
  writeUser(index: number, rows: UserRows): void {
    const life = simulateUserLife(this.#parameters, index);
    const random = new RandomSource(this.#parameters.seed, 'rows', index);
    const dayHours = 6 + random.below(6);
    const dayStart = random.below(24 - dayHours);
    const writer: Writer = { life, rows, random, projects: [], dayStart, dayHours, events: 0, interactions: 0 };
    const choice = itemChoice(this.#items, drawTastes(random, 1.8));
    rows.users.push([
      life.userId,
      this.#timesOn(writer, life.registeredDay, 1)[0] ?? life.registeredDay * DAY_MS,
      PLANS[random.weighted([0.6, 0.3, 0.1])] ?? 'free',
      COUNTRIES[random.weighted([8, 4, 6, 3, 3, 2, 2, 1])] ?? 'US',
    ]);
    let typeIndex = 0;
    life.counts.forEach((count, offset) => {
      const day = life.registeredDay + offset;
      if (day >= this.#startDay && count > 0) {
        const times = this.#timesOn(writer, day, count);
        if (writer.projects.length === 0 || random.chance(NEW_PROJECT_CHANCE))
          this.#startProject(writer, times[0] ?? 0);
        times.forEach((time, i) => writeEvent(writer, time, EVENT_TYPES[life.types[typeIndex + i] ?? 0] ?? 'login'));
        this.#writeInteractions(writer, choice, day);
      }
      typeIndex += count;
    });
  }

  /** Times within the user's hours of a day, in order, apart by a millisecond at least; never over midnight. */
  #timesOn({ random, dayStart, dayHours }: Writer, day: number, count: number): number[] {
    const from = day * DAY_MS + dayStart * 3_600_000;
    const offsets = Array.from({ length: count }, () => random.below(dayHours * 3_600_000 - 1000));
    return offsets.sort((a, b) => a - b).map((offset, i) => from + offset + i);
  }

  #startProject(writer: Writer, createdAt: number): void {
    const { random, rows, life } = writer;
    this.#projects += 1;
    const projectId = `proj_${this.#projects}`;
    const plan = drawProjectPlan(random);
    const { isSuccess, actualDays } = drawProjectOutcome(random, plan);
    const completedAt = createdAt + Math.round(actualDays * DAY_MS);
    const isOpen = completedAt >= dayNumber(this.#parameters.end) * DAY_MS;
    writer.projects.push(projectId);
    rows.projects.push([
      projectId,
      life.userId,
      createdAt,
      plan.complexityScore,
      plan.teamSize,
      plan.durationEstimate,
      plan.technologyMaturity,
      isOpen ? null : isSuccess ? 'success' : 'failed',
      isOpen ? null : completedAt,
      isOpen ? null : actualDays,
    ]);
  }

  #writeInteractions(writer: Writer, choice: Float64Array, day: number): void {
    const { random, rows, life } = writer;
    for (const time of this.#timesOn(writer, day, random.poisson(ITEMS_PER_ACTIVE_DAY))) {
      const item = this.#items[drawFromSums(random, choice)];
      if (item === undefined) continue;
      writer.interactions += 1;
      const action = ITEM_ACTIONS[random.weighted([0.6, 0.3, 0.1])] ?? 'view';
      rows.item_interactions.push([
        `int_${life.index + 1}_${writer.interactions}`,
        life.userId,
        item.itemId,
        item.itemType,
        action,
        time,
      ]);
    }
  }
}

/** Work goes to the newest project with chance 0.6, else to any of the user's; other events name a project half as often. */
function writeEvent(writer: Writer, time: number, type: EventType): void {
  const { random, rows, life, projects } = writer;
  writer.events += 1;
  const hasProject = PROJECT_WORK.has(type) || (type !== 'login' && random.chance(0.5));
  const project = random.chance(0.6) ? projects.length - 1 : random.below(projects.length);
  const seconds = Math.round(60 * Math.exp(1.2 * random.normal()));
  const properties = `{"client":"${CLIENTS[random.weighted([0.4, 0.45, 0.15])] ?? 'web'}","duration_seconds":${seconds}}`;
  rows.user_events.push([
    `evt_${life.index + 1}_${writer.events}`,
    life.userId,
    type,
    hasProject ? (projects[project] ?? null) : null,
    time,
    properties,
  ]);
}

export function emptyUserRows(): UserRows {
  return { users: [], user_events: [], projects: [], item_interactions: [] };
}
