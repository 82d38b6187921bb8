import { EmptyState } from './empty-state.js';

/** Where the service has no such endpoint: an older release, or one without that part. */
export function Unavailable({ what }: { what: string }) {
  return <EmptyState title="Not available">This service does not offer {what}.</EmptyState>;
}
