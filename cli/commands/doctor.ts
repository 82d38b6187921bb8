import type { Command } from 'commander';
import { addCommand } from '../command-run.js';
import type { Connection } from '../connection.js';
import { examineMachine } from '../doctor/examine-machine.js';
import { examineService } from '../doctor/examine-service.js';
import { examineWork } from '../doctor/examine-work.js';
import type { Finding } from '../doctor/finding.js';
import { EXIT } from '../exit-codes.js';

const MARKS = { ok: '✓', warning: '!', problem: '✗' } as const;

/** Each part goes on without the others: a service that is away must not hide a full disk. */
async function examine(connection: Connection): Promise<Finding[]> {
  const machine = await examineMachine(connection.session);
  const { findings, health } = await examineService(connection);
  return [...machine, ...findings, ...(health ? await examineWork(connection, health) : [])];
}

/** `doctor`: what is wrong with an installation, and how to mend it. */
export function addDoctorCommand(program: Command): void {
  addCommand(program, 'doctor', {
    summary: 'find what is wrong with an installation, and say how to repair it; ends with 1 when something is',
    examples: ['mlops doctor', 'mlops doctor --url https://ml.example.com --json'],
    async act({ connection, terminal }) {
      const findings = await examine(connection);
      for (const { state, check, message, repair } of findings) {
        terminal.print(`${MARKS[state]} ${check}: ${message}`);
        if (repair !== undefined) terminal.print(`    ${repair}`);
      }
      const problems = findings.filter(({ state }) => state === 'problem').length;
      const warnings = findings.filter(({ state }) => state === 'warning').length;
      terminal.print(`\n${findings.length} checks, ${problems} problems, ${warnings} warnings.`);
      terminal.printJson({ healthy: problems === 0, problems, warnings, findings });
      return problems === 0 ? EXIT.ok : EXIT.failed;
    },
  });
}
