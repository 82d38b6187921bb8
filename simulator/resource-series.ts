import { round } from './project-model.js';
import { RandomSource } from './random-source.js';
import { DAY_MS, dayNumber, type SimulationParameters } from './simulation-parameters.js';
import type { SourceRow } from './source-tables.js';

export const INCIDENT_TYPES = ['cpu_spike', 'memory_leak', 'error_burst', 'traffic_surge'] as const;
export type IncidentType = (typeof INCIDENT_TYPES)[number];

const SERVICE_NAMES = [
  'api_gateway',
  'code_generator',
  'build_runner',
  'model_server',
  'search',
  'collaboration',
] as const;
/** Mean days from one incident of a service to the next, and how long one lasts, in hours. */
export const INCIDENT_EVERY_DAYS = 7;
export const INCIDENT_HOURS = { least: 1, most: 6 } as const;
/** Noise as standard deviations: that of an AR(1) with this memory per hour, relative to the value. */
const NOISE = { sigma: 0.03, memoryPerHour: 0.7 } as const;

/** What makes one service different from another. */
interface ServiceTraits {
  name: string;
  /** Share of CPU and memory in use at mean load, and of storage at the start of the window. */
  cpu: number;
  memory: number;
  storage: number;
  /** Growth of the load over the window as a share, and of storage in share per day. */
  growth: number;
  storagePerDay: number;
  /** Users at mean load, and requests per second of each. */
  users: number;
  requestsPerUser: number;
  /** Hour (UTC) of the daily peak, height of the daily swing, and what is left of the load at weekends. */
  peakHour: number;
  swing: number;
  weekend: number;
}

interface Incident {
  type: IncidentType;
  fromMs: number;
  toMs: number;
  /** 0.5..1.5. */
  strength: number;
}

/** The name of service `index` (0-based); after the sixth they are numbered. */
export function serviceName(index: number): string {
  return SERVICE_NAMES[index] ?? `service_${index + 1}`;
}

/** Yields the measurements of service `index` in order of time, in columns of `resource_metrics`. */
export function* resourceSeries(parameters: SimulationParameters, index: number): Generator<SourceRow> {
  const random = new RandomSource(parameters.seed, 'service', index);
  const traits = drawTraits(random, index);
  const startMs = dayNumber(parameters.start) * DAY_MS;
  const endMs = dayNumber(parameters.end) * DAY_MS;
  const incidents = drawIncidents(new RandomSource(parameters.seed, 'incidents', index), startMs, endMs);
  const memory = NOISE.memoryPerHour ** (parameters.metricsStepMinutes / 60);
  const fresh = NOISE.sigma * Math.sqrt(1 - memory * memory);
  const noise = [0, 0, 0];
  for (let time = startMs; time < endMs; time += parameters.metricsStepMinutes * 60_000) {
    for (let k = 0; k < 3; k += 1) noise[k] = memory * (noise[k] ?? 0) + fresh * random.normal();
    while (incidents[0] !== undefined && incidents[0].toMs <= time) incidents.shift();
    const incident = incidents[0] !== undefined && incidents[0].fromMs <= time ? incidents[0] : undefined;
    yield measure(
      traits,
      time,
      (time - startMs) / (endMs - startMs),
      (time - startMs) / DAY_MS,
      noise,
      incident,
      random,
    );
  }
}

function drawTraits(random: RandomSource, index: number): ServiceTraits {
  const between = (low: number, high: number): number => low + (high - low) * random.uniform();
  return {
    name: serviceName(index),
    cpu: between(0.28, 0.4),
    memory: between(0.38, 0.5),
    storage: between(0.25, 0.45),
    growth: between(0.05, 0.35),
    storagePerDay: between(0.0002, 0.0012),
    users: Math.round(between(120, 260)),
    requestsPerUser: between(1.4, 2),
    peakHour: between(12, 18),
    swing: between(0.25, 0.4),
    weekend: between(0.5, 0.8),
  };
}

/** Incidents come after exponential waits and never overlap. */
function drawIncidents(random: RandomSource, startMs: number, endMs: number): Incident[] {
  const incidents: Incident[] = [];
  let time = startMs;
  for (;;) {
    time += -Math.log(1 - random.uniform()) * INCIDENT_EVERY_DAYS * DAY_MS;
    if (time >= endMs) return incidents;
    const hours = INCIDENT_HOURS.least + (INCIDENT_HOURS.most - INCIDENT_HOURS.least) * random.uniform();
    const type = INCIDENT_TYPES[random.below(INCIDENT_TYPES.length)] ?? 'cpu_spike';
    incidents.push({ type, fromMs: time, toMs: time + hours * 3_600_000, strength: 0.5 + random.uniform() });
    time += hours * 3_600_000;
  }
}

/** Load relative to its mean: growth, a daily wave and quieter weekends. */
function loadAt(traits: ServiceTraits, time: number, share: number): number {
  const day = Math.floor(time / DAY_MS);
  const hour = (time - day * DAY_MS) / 3_600_000;
  const weekend = (day + 3) % 7 >= 5 ? traits.weekend : 1;
  const wave = 1 + traits.swing * Math.cos(((hour - traits.peakHour) / 24) * 2 * Math.PI);
  return (1 + traits.growth * share) * wave * weekend;
}

function measure(
  traits: ServiceTraits,
  time: number,
  share: number,
  days: number,
  noise: readonly number[],
  incident: Incident | undefined,
  random: RandomSource,
): SourceRow {
  const surge = incident?.type === 'traffic_surge' ? 1 + 2 * incident.strength : 1;
  const load = loadAt(traits, time, share) * Math.exp(noise[0] ?? 0);
  const requests = traits.users * traits.requestsPerUser * load * surge;
  let cpu = traits.cpu * (0.25 + 0.75 * load * (1 + (surge - 1) * 0.6)) * Math.exp(noise[1] ?? 0);
  let memory = traits.memory * (0.7 + 0.3 * load * (1 + (surge - 1) * 0.2)) * Math.exp((noise[2] ?? 0) / 2);
  let errors = 0.004 * Math.exp(0.3 * random.normal());
  if (incident?.type === 'cpu_spike') cpu += 0.4 * incident.strength;
  if (incident?.type === 'memory_leak')
    memory += (0.2 + (0.3 * (time - incident.fromMs)) / (incident.toMs - incident.fromMs)) * incident.strength;
  if (incident?.type === 'error_burst') errors += 0.12 * incident.strength;
  if (surge > 1) errors *= 3;
  return [
    traits.name,
    time,
    round(Math.min(1, cpu), 4),
    round(Math.min(1, memory), 4),
    round(Math.min(1, traits.storage + traits.storagePerDay * days + 0.002 * random.normal()), 4),
    Math.round(traits.users * load * (1 + (surge - 1) * 0.5)),
    round(requests, 2),
    round(Math.min(1, errors), 5),
    incident?.type ?? null,
  ];
}
