/** An event on its way to the database. */
export interface SpooledEvent {
  dataType: string;
  id: string;
  receivedMs: number;
  text: string;
}

/** One line of a spool: what has to be known of the event as JSON, a tab, and the event as it was sent. JSON has no tab of its own. */
export function eventLine({ dataType, id, receivedMs, text }: SpooledEvent): string {
  return `${JSON.stringify([dataType, id, receivedMs])}\t${text}\n`;
}

export function parseEventLine(line: string): SpooledEvent {
  const tab = line.indexOf('\t');
  const [dataType, id, receivedMs] = JSON.parse(line.slice(0, tab)) as [string, string, number];
  return { dataType, id, receivedMs, text: line.slice(tab + 1) };
}
