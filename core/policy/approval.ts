import { includesRole, type Role } from '../roles.js';

/** What a model's entry asks for before a version may take traffic. */
export interface ApprovalRule {
  /** So many different people must agree. */
  count: number;
  /** The least role that counts. */
  role: Role;
}

/** What somebody said about a version, and the role that they had then. */
export interface Decision {
  subject: string;
  decision: 'approve' | 'reject';
  role: Role;
}

export interface ApprovalStanding {
  isApproved: boolean;
  approvedBy: string[];
  rejectedBy: string[];
  /** How many more must agree. */
  missing: number;
}

/**
 * Whether a version has the approvals that its model asks for. The latest decision of each subject stands, and one rejection
 * that stands is enough to hold the version back.
 * @param decisions oldest first
 */
export function judgeApprovals(rule: ApprovalRule | undefined, decisions: readonly Decision[]): ApprovalStanding {
  const counted = decisions.filter(({ role }) => includesRole(role, rule?.role ?? 'operator'));
  const standing = [...new Map(counted.map((one) => [one.subject, one.decision]))];
  const of = (wanted: Decision['decision']) =>
    standing.filter(([, decision]) => decision === wanted).map(([subject]) => subject);
  const approvedBy = of('approve');
  const rejectedBy = of('reject');
  const missing = Math.max(0, (rule?.count ?? 0) - approvedBy.length);
  return {
    isApproved: rule === undefined || (missing === 0 && rejectedBy.length === 0),
    approvedBy,
    rejectedBy,
    missing,
  };
}
