/** A process that cannot start says why in one message, without a stack trace, and ends with code 1. */
export async function exitOnBadStart(start: () => Promise<void>): Promise<void> {
  try {
    await start();
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  }
}
