import { ServiceError } from '../../../core/errors.js';
import { recommendOptionsSchema, shapeRecommendations } from '../../../core/kinds/recommendation.js';
import type { ScoreInput } from '../../../core/schemas/prediction.js';
import { decodeFile, type ModelBundle } from '../../artifacts/model-bundle.js';
import type { Scorer } from '../../serving/scorer.js';
import { RECOMMENDATION_FILES, type RecommendationBody } from './fit-recommender.js';
import type { Catalogue } from './interaction-table.js';
import { RecommendationModel, type NumberedItem } from './recommendation-model.js';

/** Answers with items for a user. @throws ServiceError `artifact_corrupt` */
export function createRecommendationScorer(bundle: ModelBundle): Scorer {
  const { model: modelFile, histories, catalogue } = RECOMMENDATION_FILES;
  const names = decodeFile(bundle, catalogue, (bytes) => JSON.parse(Buffer.from(bytes).toString('utf8')) as Catalogue);
  const model = decodeFile(
    bundle,
    modelFile,
    (bytes) =>
      new RecommendationModel(
        { model: bytes, histories: decodeFile(bundle, histories, (other) => other) },
        names,
        bundle.manifest.body as RecommendationBody,
      ),
  );
  const recommend = ({ entityId, options }: ScoreInput) => {
    const asked = recommendOptionsSchema.parse(options ?? {});
    const problems = model.contextProblems(asked.context);
    if (problems.length > 0)
      throw new ServiceError('request_invalid', 'The context asks for what no item has.', problems);
    return model.recommend(entityId, asked);
  };
  return {
    bundle,
    isByEntity: true,
    predict: (input) => shapeRecommendations(recommend(input)),
    outputs: (input) => ({ items: numbersOf(recommend(input)) }),
    explain: () => undefined,
    warnings: ({ entityId, options }) => model.warnings(entityId, recommendOptionsSchema.parse(options ?? {})),
  };
}

/** Each item's number, then its score. */
export function numbersOf(items: readonly NumberedItem[]): number[] {
  return items.flatMap(({ item, score }) => [item, score]);
}
