import { ServiceError } from '../../core/errors.js';
import { judgeApprovals, type ApprovalRule } from '../../core/policy/approval.js';
import { includesRole, type Caller, type Role } from '../../core/roles.js';
import type { Database, Prisma } from '../database/database.js';
import type { VersionName } from './version-events.js';

type Row = Prisma.VersionApprovalGetPayload<object>;

const present = ({ decision, subject, role, note, at }: Row) => ({
  decision,
  by: subject,
  role,
  note,
  at: at.toISOString(),
});

/** All that was ever decided on a version, oldest first. */
export async function decisionsOn(prisma: Prisma.TransactionClient, { model, version }: VersionName) {
  const rows = await prisma.versionApproval.findMany({ where: { model, version }, orderBy: { id: 'asc' } });
  return rows.map((row) => ({ ...row, decision: row.decision as 'approve' | 'reject', role: row.role as Role }));
}

/** What a model asks for, what was decided, and whether the version may be deployed by it. */
export async function describeApprovals({ prisma }: Database, name: VersionName, rule: ApprovalRule | undefined) {
  const decisions = await decisionsOn(prisma, name);
  const { isApproved, approvedBy, rejectedBy, missing } = judgeApprovals(rule, decisions);
  return {
    required: rule ?? null,
    approved: isApproved && rejectedBy.length === 0,
    approved_by: approvedBy,
    rejected_by: rejectedBy,
    missing,
    decisions: decisions.map(present),
  };
}

/**
 * Writes a decision down. What the subject has decided before is replaced by it, and stays on record; the same once more changes nothing.
 * @throws ServiceError `role_insufficient` for a caller whose decision would not count
 */
export async function decideOnVersion(
  { prisma }: Database,
  { model, version }: VersionName,
  input: { decision: 'approve' | 'reject'; note?: string; rule: ApprovalRule | undefined; caller: Caller },
): Promise<void> {
  const { decision, note, rule, caller } = input;
  const least = rule?.role ?? 'operator';
  if (!includesRole(caller.role, least))
    throw new ServiceError(
      'role_insufficient',
      `A decision on a version of ${model} needs the role ${least}, and ${caller.subject} has ${caller.role}.`,
    );
  await prisma.$transaction(async (transaction) => {
    await transaction.$executeRaw`SELECT pg_advisory_xact_lock(hashtext(${`approve:${model}:${version}`}))`;
    const [last] = await transaction.versionApproval.findMany({
      where: { model, version, subject: caller.subject },
      orderBy: { id: 'desc' },
      take: 1,
    });
    if (last?.decision === decision && last.role === caller.role && last.note === (note ?? null)) return;
    const data = { model, version, decision, note, subject: caller.subject, role: caller.role };
    await transaction.versionApproval.create({ data });
  });
}
