/** What `GET /health` answers; the parts after `serving` are of newer services. */
export interface Health {
  status: 'ok' | 'degraded';
  version: string;
  uptime_seconds: number;
  dependencies: Record<string, { status: 'up' | 'down'; latency_ms: number; affects: string; error?: string }>;
  serving: { model: string; version: string }[];
  degraded?: { state: string; affects: string }[];
  task_queues?: { queue: string; kind: string; pollers: number; backlog: number; oldest_seconds: number }[];
  spools?: Record<string, { rows: number; bytes: number; most_bytes: number }>;
  disks?: Record<string, { free_bytes: number; total_bytes: number }>;
}
