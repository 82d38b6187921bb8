import type { LearningCurvePlot, ReportSection } from '../report-document.js';

/** Loss by training rows or by rounds; lower is better. */
export interface MeasuredProgress {
  measure: string;
  by: LearningCurvePlot['by'];
  points: readonly {
    at: number;
    training: number | null;
    validation: number | null;
    /** Interval of the loss on unseen rows. */
    lower?: number | null;
    upper?: number | null;
  }[];
  /** The round that was kept. */
  chosen?: number;
  /** Whether the last step in rows helped by more than chance. */
  isStillImproving?: boolean;
}

/** How the model gained from more rows, or from more rounds. */
export function learningCurveSection(input: { head: string } & MeasuredProgress): ReportSection {
  const { head, measure, by, points, chosen, isStillImproving } = input;
  const of = (key: 'training' | 'validation') =>
    points.flatMap((point) => {
      const value = point[key];
      if (value === null) return [];
      const interval = key === 'validation' ? { lower: point.lower ?? null, upper: point.upper ?? null } : {};
      return [{ at: point.at, value, ...interval }];
    });
  const verdict =
    isStillImproving === undefined
      ? ''
      : isStillImproving
        ? 'The last step in rows helped by more than chance: more rows like these would probably help too.'
        : 'The last step in rows brought nothing that is more than chance.';
  return {
    title: `How ${head} was learnt`,
    text: points.length === 0 ? 'The fit kept no record of its progress.' : verdict,
    plots: [
      {
        kind: 'learning_curve',
        title: by === 'rows' ? 'Learning curve by training rows' : 'Learning curve by rounds',
        by,
        measure,
        curves: [
          { name: 'unseen rows', is_validation: true, points: of('validation') },
          { name: 'training rows', is_validation: false, points: of('training') },
        ],
        ...(chosen === undefined ? {} : { chosen }),
      },
    ],
    tables: [],
  };
}
