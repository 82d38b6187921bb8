import { writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { projectRoot } from '../../services/project-root.js';

/**
 * `npm run histories -- <temporal address> <name>=<workflow id> …`: saves what workflows really did, for the test that
 * replays them. Record anew only after a change that is meant to break old runs, and say so in the change log.
 */
async function main(): Promise<void> {
  const [address, ...wanted] = process.argv.slice(2);
  if (!address || wanted.length === 0)
    throw new Error('Usage: npm run histories -- <temporal address> <name>=<workflow id> …');
  const connection = await Connection.connect({ address });
  const client = new Client({ connection });
  for (const pair of wanted) {
    const [name, workflowId] = pair.split('=');
    if (!name || !workflowId) throw new Error(`"${pair}" is not <name>=<workflow id>.`);
    const history = await client.workflow.getHandle(workflowId).fetchHistory();
    const file = join(projectRoot(), 'test', 'histories', `${name}.json`);
    // Names and paths of the machine are nobody's business and differ in each recording.
    const text = historyToJSON(history).replaceAll(hostname(), 'recorder').replaceAll(projectRoot(), '.');
    writeFileSync(file, JSON.stringify({ workflowId, history: JSON.parse(text) as unknown }, undefined, 1));
    process.stdout.write(`${file}\n`);
  }
  await connection.close();
}

await main();
