/**
 * A place where a test can kill the process, to prove that a machine that dies exactly here loses nothing.
 * Does nothing unless `NODE_ENV=test` and `FAILPOINT` names the point.
 */
export type FailPoint = (name: string) => void;

export function createFailPoint(active: string | undefined): FailPoint {
  return (name) => {
    if (active === name) process.kill(process.pid, 'SIGKILL');
  };
}
