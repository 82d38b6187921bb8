// Written by generate.mjs from the OpenAPI document with the SHA-256 48bfe11554845e23933804f8424214de84661fbd4542770d25b54bbf241741ac.
// Change the service, then run `npm run generate` in clients/typescript.
export interface paths {
    "/predict/user-behavior": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Will this user leave, how engaged are they, what do they do next?
         * @description `predictions`: `churn_probability`, `engagement_level` (low, medium, high), `next_activity`. With `recent_activities`, the types of the latest events with the latest last, the next activity is told from their order too, where the version learned to.
         */
        post: operations["post_predict_user_behavior"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/project-success": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Will this project succeed, how long does it take, what endangers it?
         * @description `predictions`: `success_probability`, `completion_time_estimate` in days with `completion_time_interval`, `risk_factors` and `recommendations`. The factors are the features that lower the success probability the most, by the model’s own attributions, named by the rules of the config; `no_major_risks` and `project_looks_good` when there are none.
         */
        post: operations["post_predict_project_success"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/resource-usage": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Forecast CPU, memory and storage
         * @description From `features` of now, a `series_id` of the training data, or a `history` of measurements. `predictions`: `cpu_usage_forecast`, `memory_usage_forecast` and `storage_usage_forecast`, each with `forecast_horizon` values; `intervals` that hold 90 % of what comes; `limits` with the probability of reaching each within the horizon; `scaling_recommendations`: `current_scaling_adequate`, or `scale_up_cpu_by_25_percent` where that probability is 0.2 or more. `confidence_scores` are the measured shares of values inside the intervals.
         */
        post: operations["post_predict_resource_usage"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/anomaly-detection": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Is this measurement unusual, of what type, how bad?
         * @description `threshold` is the sensitivity: it stands for a false alarm rate of 1 in 2,000 normal rows at 0, 1 in 100 at 0.5, 1 in 5 at 1. `predictions`: `is_anomaly`, `anomaly_score` (log10 of the conformal p-value over that rate: below 0 is anomalous, each unit lower ten times rarer), `anomaly_type`, `severity` (none, low, medium, high, critical) and `recommendations`, by the tables of the config. With a `history` of earlier measurements of the same series the row is judged beside its own past too, and `expected` says what is usual at its time of day, or of the week.
         */
        post: operations["post_predict_anomaly_detection"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/recommendations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What should this user see next?
         * @description `predictions.items`: `item_id`, `score` (0 to 1, about the chance that this is the user’s next item) and `reason`: `because_of_item` or `similar_content` with the item of the user’s history in `because_of`, `popular`, or `popular_new_user` for a user of whom nothing is known, or `exploration` for an item that was drawn; `propensity` is the chance that its place had of holding it. Items that the user has are left out. `context` asks for attributes of the items, `exclude` keeps items out, `recent_items` adds what the user took since the training.
         */
        post: operations["post_predict_recommendations"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict with any model of the config
         * @description The request and the answer have the shape of the model’s kind; a model named like a kind can be asked here, too. `classification` answers `label` and `probabilities`, `regression` `value` and `interval`. A feature that is left out counts as not known. With `explain: true` the contributions of a head and its base value add up to its answer.
         */
        post: operations["post_predict_model"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predictions/{prediction_id}/feedback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Report what turned out to be true
         * @description Late, repeated and corrected reports are accepted; the newest `observed_at` wins and is in the answer.
         */
        post: operations["post_predictions_prediction_id_feedback"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/predict/{model}/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict for up to 10,000 entities, or for 1,000,000 rows of Apache Arrow
         * @description `results` has one entry an instance, in order: a prediction, or `{error}` for an instance that does not fit. A body of the type `application/vnd.apache.arrow.stream` is answered in kind: a column a feature (and `entity_id`) in, `prediction_id` and a column an answer out; `X-Model-Version` asks for a version. A row that does not fit refuses the whole stream.
         */
        post: operations["post_predict_model_batch"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What this server is */
        get: operations["get_v2"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the server runs */
        get: operations["get_v2_health_live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the server takes requests; each model has a route of its own */
        get: operations["get_v2_health_ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tensors of the deployed version */
        get: operations["get_v2_models_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/models/{model}/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the deployed version can answer */
        get: operations["get_v2_models_model_ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/models/{model}/infer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict with the deployed version by the Open Inference Protocol
         * @description A tensor of [n] or [n, 1] a feature; rows are predictions, with `prediction_id` among the outputs. NaN and null count as not known. `parameters` hold what else a request of the kind has, such as `threshold`. Raw tensors may follow the JSON, with `Inference-Header-Content-Length`.
         */
        post: operations["post_v2_models_model_infer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/models/{model}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The tensors of a version */
        get: operations["get_v2_models_model_versions_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/models/{model}/versions/{version}/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether a version can answer */
        get: operations["get_v2_models_model_versions_version_ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/v2/models/{model}/versions/{version}/infer": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Predict with a version by the Open Inference Protocol
         * @description A tensor of [n] or [n, 1] a feature; rows are predictions, with `prediction_id` among the outputs. NaN and null count as not known. `parameters` hold what else a request of the kind has, such as `threshold`. Raw tensors may follow the JSON, with `Inference-Header-Content-Length`.
         */
        post: operations["post_v2_models_model_versions_version_infer"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/train": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Train a model
         * @description Trains on the newest dataset of the model’s data type (or the one named), measures it on entities that no fit has seen, and registers a version. The result of the job is `{model, version, promotable, reason, metrics}`.
         */
        post: operations["post_models_train"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the models of the config */
        get: operations["get_models"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A model and the version that this process serves */
        get: operations["get_models_model"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The versions of a model, newest first */
        get: operations["get_models_model_versions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A version: parameters, metrics with intervals, signature, lineage
         * @description Takes a version or an alias.
         */
        get: operations["get_models_model_versions_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/deploy": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Deploy a version
         * @description Verifies and tests the version, gives it the traffic, and reads back what is really served before the job completes. `canary` gives it its traffic step by step and `shadow` lets it score beside the present version, and both go by the evidence: see GET /deployments/{deployment_id}. One rollout a model at a time.
         */
        post: operations["post_models_model_deploy"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Go back to the version before, at once
         * @description Ends a rollout that is under way; without one, gives the traffic to the version before the deployed one, or to the one named. The artifact is verified first. It needs no workflow: it works while Temporal is away. `served` tells that every API process beside this one answers with the version already.
         */
        post: operations["post_models_model_rollback"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/traffic": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who served what from when on, newest first
         * @description The ledger is only ever added to, by the database itself.
         */
        get: operations["get_models_model_traffic"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The report of a version: one page with plots, or the figures behind it
         * @description How good the version is on rows that no fit has seen: curves, reliability, residuals, what it rests on, where it is worse, and whether it may take traffic. Takes a version or an alias. One self-contained HTML page without scripts, which can be saved and printed; with `Accept: application/json` the same as data.
         */
        get: operations["get_models_model_versions_version_report"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List rollouts, newest first */
        get: operations["get_deployments"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A rollout: its state, how the traffic is split, and the latest evidence with its verdict */
        get: operations["get_deployments_deployment_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}/evidence": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Every window of a rollout: evidence, rule and verdict, newest first
         * @description `reproduced` says that judging the evidence by the rule once more gave the same verdict.
         */
        get: operations["get_deployments_deployment_id_evidence"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Hold a rollout at its step; harm still ends it */
        post: operations["post_deployments_deployment_id_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a paused rollout go on */
        post: operations["post_deployments_deployment_id_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}/promote": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give the version on trial all traffic now, whatever the evidence says as yet */
        post: operations["post_deployments_deployment_id_promote"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}/abort": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** End a rollout; the present version has all traffic again */
        post: operations["post_deployments_deployment_id_abort"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/deployments/{deployment_id}/ladder": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Change the shares that are still to come
         * @description The share of the step under way stays as it is; the next one is the first that is larger.
         */
        put: operations["put_deployments_deployment_id_ladder"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/experiments": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List experiments, newest first */
        get: operations["get_experiments"];
        put?: never;
        /**
         * Compare versions of a model among the entities that ask for predictions
         * @description The same entity always sees the same arm. `metric` is what feedback reports, the truth of a head, its loss, or errors. Every look at the result is a valid one: the intervals hold however often one looks. An arm that does harm is taken back at once. Several experiments of a model share its entities without overlap (`traffic`).
         */
        post: operations["post_experiments"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/experiments/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * How long an experiment would take, and what it could find
         * @description From the traffic and the metric of the last 28 days; nothing is started.
         */
        post: operations["post_experiments_plan"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/experiments/{experiment_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** An experiment: per arm its samples, estimate, interval and decision */
        get: operations["get_experiments_experiment_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/experiments/{experiment_id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Stop an experiment
         * @description Its entities are answered by the deployed version at once. One that is over already answers as it ended.
         */
        post: operations["post_experiments_experiment_id_stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List jobs, newest first */
        get: operations["get_jobs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{job_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A job with its request, result or error */
        get: operations["get_jobs_job_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{job_id}/status": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How far a job is
         * @description `progress` goes from 0 to 1 and never back.
         */
        get: operations["get_jobs_job_id_status"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{job_id}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Follow a job as server-sent events
         * @description Each event `status` carries what GET /jobs/{job_id}/status answers; the stream ends with the job.
         */
        get: operations["get_jobs_job_id_events"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{job_id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a job
         * @description The job stops at once: a fit is killed, a rollout gives the traffic back. A cancelled job answers the same again.
         */
        post: operations["post_jobs_job_id_cancel"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/jobs/{job_id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a failed or cancelled job again
         * @description A new job with the same request; the old one stays as it is.
         */
        post: operations["post_jobs_job_id_retry"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/ingest": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Read a source into a dataset
         * @description A PostgreSQL table or query, or a CSV, TSV, NDJSON, JSON or Parquet file (gzip and zstd too) below DATA_SOURCE_ROOTS, becomes an immutable, typed, checked snapshot. Credentials are taken out of the source before anything is stored in a workflow. The result of the job is `{dataset_id, rows, quarantined_rows, digest}`.
         */
        post: operations["post_data_ingest"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List datasets, newest first */
        get: operations["get_data_datasets"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets/{dataset_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A dataset with its profile and quality report */
        get: operations["get_data_datasets_dataset_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets/{dataset_id}/rows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The first rows of a dataset */
        get: operations["get_data_datasets_dataset_id_rows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets/{dataset_id}/quarantine": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The rows that failed a check, with every reason */
        get: operations["get_data_datasets_dataset_id_quarantine"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schedules/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The retraining schedule of a model */
        get: operations["get_schedules_model"];
        /**
         * Retrain a model by the clock
         * @description A Temporal Schedule: it survives restarts, never runs twice at once, and makes up for at most ten minutes after an outage.
         */
        put: operations["put_schedules_model"];
        post?: never;
        /** Stop retraining by the clock */
        delete: operations["delete_schedules_model"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Each dependency with its state and latency
         * @description Always 200 while the process lives; `status` says `ok` or `degraded`, and each dependency what it affects.
         */
        get: operations["get_health"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Whether the process lives */
        get: operations["get_health_live"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health/ready": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Whether the process takes requests
         * @description Depends on no database and no Temporal: predictions go on without them. 503 from the first sign of a shutdown on.
         */
        get: operations["get_health_ready"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Metrics for Prometheus */
        get: operations["get_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        Problem: {
            type: string;
            title: string;
            status: number;
            detail: string;
            instance: string;
            correlation_id: string;
            errors?: {
                path: string;
                message: string;
            }[];
        };
        Prediction: {
            prediction_id: string;
            model: string;
            model_version: string;
            predictions: {
                [key: string]: unknown;
            };
            confidence_scores: {
                [key: string]: number;
            };
            cached: boolean;
            arm?: string;
            deployment_id?: string;
            experiment_id?: string;
            warnings?: {
                path: string;
                message: string;
            }[];
            explanations?: {
                [key: string]: {
                    feature: string;
                    value: string | number | boolean | null;
                    contribution: number;
                }[];
            };
            explanation_base_values?: {
                [key: string]: number;
            };
        };
        InstanceError: {
            error: {
                code: string;
                detail: string;
                errors: {
                    path: string;
                    message: string;
                }[];
            };
        };
        Outcome: {
            prediction_id: string;
            /** Format: date-time */
            observed_at: string;
            outcome: {
                [key: string]: unknown;
            };
            metrics: {
                [key: string]: number;
            };
            /** @enum {unknown} */
            state: "stored" | "waiting";
        };
        JobAccepted: {
            job_id: string;
            status: components["schemas"]["JobState"];
            status_url: string;
            dataset_id?: string;
            warnings?: {
                path: string;
                message: string;
            }[];
        };
        DeploymentAccepted: {
            job_id: string;
            status: components["schemas"]["JobState"];
            status_url: string;
            deployment_id: string;
        };
        /** @enum {string} */
        JobState: "queued" | "running" | "completed" | "failed" | "cancelled";
        JobStatus: {
            job_id: string;
            /** @enum {unknown} */
            type: "ingest" | "train" | "deploy" | "experiment";
            status: components["schemas"]["JobState"];
            progress: number;
            stage: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            started_at: string | null;
            /** Format: date-time */
            finished_at: string | null;
            eta_seconds: number | null;
        };
        Job: {
            job_id: string;
            /** @enum {unknown} */
            type: "ingest" | "train" | "deploy" | "experiment";
            status: components["schemas"]["JobState"];
            progress: number;
            stage: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            started_at: string | null;
            /** Format: date-time */
            finished_at: string | null;
            eta_seconds: number | null;
            model: string | null;
            request: unknown;
            result: unknown;
            error: Record<string, never> | null;
            correlation_id: string;
        };
        Model: {
            model: string;
            kind: string;
            description: string | null;
            algorithm: string;
            source: string;
            target: string | null;
            latest_version: string | null;
            serving: {
                version: string | null;
                loaded_version: string | null;
            };
            /** Format: date-time */
            as_of?: string;
            traffic?: components["schemas"]["TrafficEntry"] | null;
        };
        Metric: {
            value: number | null;
            lower: number | null;
            upper: number | null;
            rows: number;
        };
        Version: {
            model: string;
            version: string;
            kind: string;
            digest: string;
            aliases: string[];
            promotable: boolean;
            verdict: Record<string, never>;
            parameters: Record<string, never>;
            metrics: {
                [key: string]: {
                    [key: string]: components["schemas"]["Metric"];
                };
            };
            cross_validation: Record<string, never> | null;
            details: Record<string, never>;
            signature: Record<string, never>;
            lineage: Record<string, never>;
            job_id: string;
            /** Format: date-time */
            created_at: string;
        };
        Report: {
            /** @enum {unknown} */
            format_version: 1;
            title: string;
            model: string;
            version: string;
            summary: string[];
            facts: string[][];
            warnings: string[];
            sections: {
                title: string;
                text: string;
                plots: ({
                    /** @enum {unknown} */
                    kind: "roc" | "precision_recall" | "reliability" | "residuals" | "forecast_fan" | "importance" | "learning_curve" | "slices" | "confusion" | "histogram" | "series_anomalies" | "comparison";
                    title: string;
                } & {
                    [key: string]: unknown;
                })[];
                tables: {
                    title: string;
                    columns: string[];
                    rows: unknown[][];
                    note?: string;
                }[];
            }[];
        };
        Deployment: {
            deployment_id: string;
            model: string;
            version: string;
            previous_version: string | null;
            /** @enum {unknown} */
            strategy: "immediate" | "canary" | "shadow" | "rollback";
            settings: Record<string, never>;
            /** @enum {unknown} */
            state: "pending" | "running" | "holding" | "paused" | "promoted" | "rolled_back" | "aborted" | "failed";
            steps: Record<string, never>[];
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        DeploymentDetail: {
            deployment_id: string;
            model: string;
            version: string;
            previous_version: string | null;
            /** @enum {unknown} */
            strategy: "immediate" | "canary" | "shadow" | "rollback";
            settings: Record<string, never>;
            /** @enum {unknown} */
            state: "pending" | "running" | "holding" | "paused" | "promoted" | "rolled_back" | "aborted" | "failed";
            steps: Record<string, never>[];
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
            traffic: {
                version: string | null;
                candidate_version: string | null;
                /** @enum {unknown} */
                phase: "shadow" | "canary" | null;
                share: number;
            } | null;
            latest_evidence: components["schemas"]["EvidenceWindow"] | null;
        };
        EvidenceWindow: {
            window: number;
            /** Format: date-time */
            at: string;
            /** @enum {unknown} */
            verdict: "PROMOTE" | "ROLLBACK" | "HOLD" | "ASK";
            reason: string;
            findings: Record<string, never>[];
            needed?: Record<string, never>;
            evidence: Record<string, never>;
            rule: Record<string, never>;
            reproduced: boolean;
        };
        Rollback: {
            deployment_id: string;
            model: string;
            version: string;
            rolled_back_version: string;
            ended_deployment_id: string | null;
            job_id: string;
            served: boolean;
        };
        TrafficEntry: {
            version: string | null;
            candidate_version: string | null;
            /** @enum {unknown} */
            phase: "shadow" | "canary" | null;
            share: number;
            deployment_id: string | null;
            /** Format: date-time */
            since: string;
        };
        ExperimentAccepted: {
            job_id: string;
            status: components["schemas"]["JobState"];
            status_url: string;
            experiment_id: string;
        };
        ExperimentPlan: {
            entities_per_day: number;
            baseline: number | null;
            deviation: number | null;
            minimum_effect: number;
            entities_needed: number | null;
            days_needed: number | null;
            smallest_detectable: number | null;
            power: number;
        };
        Experiment: {
            experiment_id: string;
            model: string;
            /** @enum {unknown} */
            state: "pending" | "running" | "concluded" | "stopped" | "failed";
            arms: {
                arm: string;
                version: string;
                weight?: number;
                retired: boolean;
            }[];
            control: string;
            settings: Record<string, never>;
            plan: Record<string, never>;
            verdict: Record<string, never> | null;
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        ExperimentDetail: {
            experiment_id: string;
            model: string;
            /** @enum {unknown} */
            state: "pending" | "running" | "concluded" | "stopped" | "failed";
            arms: {
                arm: string;
                version: string;
                weight?: number;
                retired: boolean;
            }[];
            control: string;
            settings: Record<string, never>;
            plan: Record<string, never>;
            verdict: Record<string, never> | null;
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
            latest_evidence: components["schemas"]["ExperimentWindow"] | null;
        };
        ExperimentWindow: {
            window: number;
            /** Format: date-time */
            at: string;
            /** @enum {unknown} */
            decision: "running" | "winner" | "harmful" | "futile" | "inconclusive";
            winner?: string;
            reason: string;
            arms: Record<string, never>[];
            evidence: Record<string, never>;
            rule: Record<string, never>;
            reproduced: boolean;
        };
        DatasetSummary: {
            dataset_id: string;
            data_type: string;
            rows: number;
            quarantined_rows: number;
            digest: string;
            source: string;
            job_id: string;
            /** Format: date-time */
            created_at: string;
        };
        Dataset: {
            dataset_id: string;
            data_type: string;
            rows: number;
            quarantined_rows: number;
            digest: string;
            source: string;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            bytes: number;
            columns: Record<string, never>[];
            quality: Record<string, never>[];
        };
        Row: {
            [key: string]: unknown;
        };
        QuarantinedRow: {
            row_number: number;
            reasons: string[];
            content: string;
        };
        Schedule: {
            model: string;
            schedule_id: string;
            cron: string;
            paused: boolean;
            training: Record<string, never>;
            next_runs: string[];
            recent_jobs: string[];
        };
        InferenceServer: {
            name: string;
            version: string;
            extensions: string[];
        };
        InferenceLive: {
            live: boolean;
        };
        InferenceServerReady: {
            ready: boolean;
        };
        InferenceReady: {
            name: string;
            ready: boolean;
        };
        InferenceError: {
            error: string;
        };
        InferenceMetadata: {
            name: string;
            versions: string[];
            platform: string;
            inputs: {
                name: string;
                datatype: string;
                shape: number[];
            }[];
            outputs: {
                name: string;
                datatype: string;
                shape: number[];
            }[];
        };
        InferenceAnswer: {
            model_name: string;
            model_version: string;
            id?: string;
            outputs: {
                name: string;
                datatype: string;
                shape: number[];
                parameters?: Record<string, never>;
                data?: unknown[];
            }[];
        };
        Health: {
            /** @enum {unknown} */
            status: "ok" | "degraded";
            version: string;
            uptime_seconds: number;
            dependencies: {
                [key: string]: Record<string, never>;
            };
            serving: {
                model: string;
                version: string;
            }[];
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export interface operations {
    post_predict_user_behavior: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "user_id": "user_123",
                 *       "features": {
                 *         "activity_score": 0.8,
                 *         "project_count": 5,
                 *         "collaboration_score": 0.6,
                 *         "ai_usage_frequency": 0.7
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description The entity that the prediction is about */
                    user_id?: string;
                    /** @description Values by the names of the model’s signature; a missing one counts as not known */
                    features: {
                        [key: string]: number | string | boolean | null;
                    };
                    /** @description Types of the user’s latest events in the last 60 days, the latest last; the next activity is told from their order */
                    recent_activities?: string[];
                    /** @description A version or an alias; the deployed version by default */
                    model_version?: string;
                    /** @description Add the contribution of each feature */
                    explain?: boolean;
                };
            };
        };
        responses: {
            /** @description The prediction */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predict_project_success: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "project_id": "proj_456",
                 *       "features": {
                 *         "complexity_score": 0.7,
                 *         "team_size": 3,
                 *         "duration_estimate": 45,
                 *         "technology_maturity": 0.8
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description The entity that the prediction is about */
                    project_id?: string;
                    /** @description Values by the names of the model’s signature; a missing one counts as not known */
                    features: {
                        [key: string]: number | string | boolean | null;
                    };
                    /** @description A version or an alias; the deployed version by default */
                    model_version?: string;
                    /** @description Add the contribution of each feature */
                    explain?: boolean;
                };
            };
        };
        responses: {
            /** @description The prediction */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predict_resource_usage: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "features": {
                 *         "current_cpu": 0.65,
                 *         "current_memory": 0.72,
                 *         "current_storage": 0.45,
                 *         "user_count": 150,
                 *         "trend": 0.02
                 *       },
                 *       "forecast_horizon": 30
                 *     }
                 */
                "application/json": {
                    /** @description A series of the training data: what follows its last measurement */
                    series_id?: string;
                    /** @description Values of now: `current_<measure>`, facts such as `user_count`, `trend` as growth since the day before */
                    features?: {
                        [key: string]: number | string | boolean | null;
                    };
                    /** @description Measurements by time, in any order; steps that are missing are gaps */
                    history?: ({
                        /** Format: date-time */
                        timestamp: string;
                    } & {
                        [key: string]: number | null;
                    })[];
                    /**
                     * @description Steps of the model’s frequency
                     * @default 30
                     */
                    forecast_horizon?: number;
                    /** @description A version or an alias; the deployed version by default */
                    model_version?: string;
                    /** @description Add the contribution of each feature */
                    explain?: boolean;
                };
            };
        };
        responses: {
            /** @description The prediction */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predict_anomaly_detection: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "features": {
                 *         "cpu_usage": 0.95,
                 *         "memory_usage": 0.88,
                 *         "request_rate": 1500,
                 *         "error_rate": 0.15
                 *       },
                 *       "threshold": 0.5
                 *     }
                 */
                "application/json": {
                    /** @description The entity that the prediction is about */
                    entity_id?: string;
                    /** @description The measurements; a missing one counts as not known */
                    features: {
                        [key: string]: number | string | boolean | null;
                    };
                    /** @description Earlier measurements of the same series, in any order: the time, and a number by feature */
                    history?: ({
                        /** Format: date-time */
                        timestamp: string;
                    } & {
                        [key: string]: number | null;
                    })[];
                    /**
                     * Format: date-time
                     * @description When the features were measured; one usual step after the history by default
                     */
                    timestamp?: string;
                    /**
                     * @description The sensitivity: it stands for a false alarm rate of 1 in 2,000 at 0, 1 in 100 at 0.5, 1 in 5 at 1
                     * @default 0.5
                     */
                    threshold?: number;
                    /** @description A version or an alias; the deployed version by default */
                    model_version?: string;
                    /** @description Add the contribution of each feature */
                    explain?: boolean;
                };
            };
        };
        responses: {
            /** @description The prediction */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predict_recommendations: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "user_id": "user_123",
                 *       "limit": 5,
                 *       "exclude": [
                 *         "item_7"
                 *       ],
                 *       "context": {
                 *         "item_type": "template"
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description The entity that the prediction is about */
                    user_id: string;
                    /**
                     * @description Items to answer with
                     * @default 10
                     */
                    limit?: number;
                    /**
                     * @description Items never to answer with
                     * @default []
                     */
                    exclude?: string[];
                    /**
                     * @description Attributes that every item of the answer must have, such as {"item_type": "template"}
                     * @default {}
                     */
                    context?: {
                        [key: string]: number | string | boolean | null;
                    };
                    /**
                     * @description Items that the user took since the model was trained, the latest last; they count as part of the history
                     * @default []
                     */
                    recent_items?: string[];
                    /** @description A version or an alias; the deployed version by default */
                    model_version?: string;
                    /** @description Add the contribution of each feature */
                    explain?: boolean;
                };
            };
        };
        responses: {
            /** @description The prediction */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predict_model: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "entity_id": "project_456",
                 *       "features": {
                 *         "complexity_score": 0.7,
                 *         "team_size": 3,
                 *         "duration_estimate": 45,
                 *         "technology_maturity": 0.8
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description The entity that the prediction is about */
                    entity_id?: string;
                    /** @description The entity that the prediction is about */
                    user_id?: string;
                    /** @description The entity that the prediction is about */
                    project_id?: string;
                    /** @description Values by the names of the model’s signature; a missing one counts as not known */
                    features: {
                        [key: string]: number | string | boolean | null;
                    };
                    /** @description A version or an alias; the deployed version by default */
                    model_version?: string;
                    /** @description Add the contribution of each feature */
                    explain?: boolean;
                };
            };
        };
        responses: {
            /** @description The prediction */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Prediction"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predictions_prediction_id_feedback: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                prediction_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "outcome": {
                 *         "churn_probability": false
                 *       },
                 *       "observed_at": "2024-07-01T00:00:00Z"
                 *     }
                 */
                "application/json": {
                    /**
                     * @description What turned out to be true, by prediction head
                     * @default {}
                     */
                    outcome?: {
                        [key: string]: number | string | boolean | null;
                    };
                    /**
                     * @description Figures of your business that this prediction led to, by name: what rollouts and experiments can be judged by
                     * @default {}
                     */
                    metrics?: {
                        [key: string]: number;
                    };
                    /**
                     * Format: date-time
                     * @description When it was observed; now by default
                     */
                    observed_at?: string;
                };
            };
        };
        responses: {
            /** @description The outcome that counts now */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            /** @description The database is away: the outcome is safe on disk, and is checked and stored when it is back (`state` is `waiting`) */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Outcome"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such prediction */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_predict_model_batch: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "instances": [
                 *         {
                 *           "user_id": "user_123",
                 *           "features": {
                 *             "activity_score": 0.8
                 *           }
                 *         },
                 *         {
                 *           "user_id": "user_456",
                 *           "features": {
                 *             "activity_score": 0.1
                 *           }
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description Each as in a single prediction */
                    instances: unknown[];
                    model_version?: string;
                };
                "application/vnd.apache.arrow.stream": string;
            };
        };
        responses: {
            /** @description One result an instance */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        results: (components["schemas"]["Prediction"] | components["schemas"]["InstanceError"])[];
                    };
                    "application/vnd.apache.arrow.stream": string;
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description There are more requests than can be answered in time; The caller sends more requests than it may */
            429: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The answer would come after the deadline */
            504: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_v2: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Name, version and extensions */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceServer"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    get_v2_health_live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It runs */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceLive"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    get_v2_health_ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It does */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceServerReady"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    get_v2_models_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Inputs and outputs */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceMetadata"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    get_v2_models_model_ready: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceReady"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    post_v2_models_model_infer: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "inputs": [
                 *         {
                 *           "name": "activity_score",
                 *           "datatype": "FP64",
                 *           "shape": [
                 *             2
                 *           ],
                 *           "data": [
                 *             0.8,
                 *             0.1
                 *           ]
                 *         },
                 *         {
                 *           "name": "entity_id",
                 *           "datatype": "BYTES",
                 *           "shape": [
                 *             2
                 *           ],
                 *           "data": [
                 *             "user_123",
                 *             "user_456"
                 *           ]
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    id?: string;
                    parameters?: {
                        [key: string]: string | number | boolean;
                    };
                    inputs: {
                        name: string;
                        /** @description [n] or [n, 1] */
                        shape: number[];
                        /** @description A datatype of the protocol: BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BYTES */
                        datatype: string;
                        parameters?: {
                            [key: string]: string | number | boolean;
                        };
                        /** @description The values, flat or a list a row; null is missing */
                        data?: unknown[];
                    }[];
                    outputs?: {
                        name: string;
                        parameters?: {
                            [key: string]: string | number | boolean;
                        };
                    }[];
                };
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description A tensor a part of the answer */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceAnswer"];
                    "application/octet-stream": string;
                };
            };
            /** @description The request could not be read; The request does not fit its schema */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    get_v2_models_model_versions_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Inputs and outputs */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceMetadata"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    get_v2_models_model_versions_version_ready: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It can */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceReady"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    post_v2_models_model_versions_version_infer: {
        parameters: {
            query?: never;
            header?: {
                /** @description How many milliseconds the caller waits; work that would end later is given up with 504 */
                "X-Timeout-Ms"?: number;
            };
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "inputs": [
                 *         {
                 *           "name": "activity_score",
                 *           "datatype": "FP64",
                 *           "shape": [
                 *             2
                 *           ],
                 *           "data": [
                 *             0.8,
                 *             0.1
                 *           ]
                 *         },
                 *         {
                 *           "name": "entity_id",
                 *           "datatype": "BYTES",
                 *           "shape": [
                 *             2
                 *           ],
                 *           "data": [
                 *             "user_123",
                 *             "user_456"
                 *           ]
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    id?: string;
                    parameters?: {
                        [key: string]: string | number | boolean;
                    };
                    inputs: {
                        name: string;
                        /** @description [n] or [n, 1] */
                        shape: number[];
                        /** @description A datatype of the protocol: BOOL, INT8 to INT64, UINT8 to UINT64, FP16, FP32, FP64, BYTES */
                        datatype: string;
                        parameters?: {
                            [key: string]: string | number | boolean;
                        };
                        /** @description The values, flat or a list a row; null is missing */
                        data?: unknown[];
                    }[];
                    outputs?: {
                        name: string;
                        parameters?: {
                            [key: string]: string | number | boolean;
                        };
                    }[];
                };
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description A tensor a part of the answer */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceAnswer"];
                    "application/octet-stream": string;
                };
            };
            /** @description The request could not be read; The request does not fit its schema */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description No such model; No version deployed; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
        };
    };
    post_models_train: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "model_type": "user_behavior",
                 *       "hyperparameters": {
                 *         "n_estimators": 100,
                 *         "max_depth": 10
                 *       },
                 *       "validation_split": 0.2,
                 *       "cross_validation": false
                 *     }
                 */
                "application/json": {
                    /** @description A model of models/config.yaml */
                    model_type: string;
                    training_data?: {
                        /** @description A data type or a dataset id; the model’s own by default */
                        source?: string;
                        /** @description Rows before it are not used */
                        start_date?: string;
                        /** @description Rows at or after it are not used */
                        end_date?: string;
                        /** @description Column = value; for user_behavior also active_users_only */
                        filters?: {
                            [key: string]: string | number | boolean;
                        };
                    };
                    hyperparameters?: {
                        /** @description Number of trees; of boosting the most rounds */
                        n_estimators?: number;
                        /** @description Depth of a tree; null for no limit */
                        max_depth?: number | null;
                        /** @description Forest: rows that a node needs to be split */
                        min_samples_split?: number;
                        /** @description Rows that a leaf keeps at least */
                        min_samples_leaf?: number;
                        /** @description Columns tried per split (forest) or per tree (boosting, a share): a rule, or a share in (0, 1] */
                        max_features?: ("sqrt" | "log2" | "all") | number;
                        /**
                         * @description Weights of the classes
                         * @enum {string}
                         */
                        class_weight?: "none" | "balanced";
                        /** @description Boosting and networks: the share of each step that is taken */
                        learning_rate?: number;
                        /** @description Boosting: leaves of a tree */
                        max_leaf_nodes?: number;
                        /** @description Boosting, linear models and networks: penalty on the squares of leaves or coefficients */
                        l2_regularization?: number;
                        /** @description Boosting: share of the rows that a tree sees */
                        subsample?: number;
                        /** @description Boosting: rounds without gain on held-out rows after which it ends; null for never */
                        early_stopping_rounds?: number | null;
                        /** @description Networks: widths of the hidden layers */
                        hidden_units?: number[];
                        /** @description Networks: share of a layer that a step leaves out */
                        dropout?: number;
                        /** @description Networks: most passes over the rows */
                        epochs?: number;
                        /** @description Networks: rows of a step */
                        batch_size?: number;
                        /** @description The same seed and data give the same model */
                        seed?: number;
                    };
                    /**
                     * @description Share of the entities that is held out
                     * @default 0.2
                     */
                    validation_split?: number;
                    /**
                     * @description Also report 5-fold estimates over all rows
                     * @default false
                     */
                    cross_validation?: boolean;
                    /**
                     * @description Deploy the version when it beats the baseline
                     * @default false
                     */
                    auto_deploy?: boolean;
                };
            };
        };
        responses: {
            /** @description The job was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAccepted"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No such dataset */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema; The Idempotency-Key was used with another body */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_models: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All models */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Model"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_models_model: {
        parameters: {
            query?: {
                /** @description Also tell who served at this time, from the ledger of traffic */
                as_of?: string;
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The model */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Model"];
                };
            };
            /** @description No such model */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_models_model_versions: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of versions */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Version"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description No such model */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_models_model_versions_version: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The version */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
                };
            };
            /** @description No such model; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_models_model_deploy: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "version": "v1.0.0"
                 *     }
                 */
                "application/json": {
                    version: string;
                    /**
                     * @description All traffic at once, step by step, or beside the present version without answering
                     * @default immediate
                     * @enum {string}
                     */
                    strategy?: "immediate" | "canary" | "shadow";
                    canary?: {
                        /**
                         * @description Percentages of the entities that the new version answers; after the last it gets all
                         * @default [
                         *       1,
                         *       5,
                         *       10,
                         *       25,
                         *       50,
                         *       100
                         *     ]
                         */
                        steps?: number[];
                        /**
                         * @description The shortest time of a step
                         * @default 300
                         */
                        step_seconds?: number;
                        /**
                         * @description Requests that each cohort must have sent before a step counts
                         * @default 500
                         */
                        min_samples?: number;
                        /**
                         * @description A person must agree before the new version gets all traffic
                         * @default false
                         */
                        approval?: boolean;
                        /**
                         * @description After this a person decides
                         * @default 86400
                         */
                        max_seconds?: number;
                        /**
                         * @description So long a person has to decide; then the rollout is aborted
                         * @default 86400
                         */
                        ask_seconds?: number;
                        /**
                         * @description An answer is slow when it takes longer than this and than the 99th percentile of the present version
                         * @default 5
                         */
                        slow_ms?: number;
                        /**
                         * @description What is watched besides errors, slow answers, and loss and calibration of each head
                         * @default {}
                         */
                        guardrails?: {
                            [key: string]: {
                                /** @default true */
                                enabled?: boolean;
                                /** @description Harm that is still acceptable, in the unit of the measure; by default the larger of 0.005 and 20 % */
                                margin?: number;
                                /**
                                 * @description Which change is harm
                                 * @enum {string}
                                 */
                                harm?: "rises" | "falls" | "either";
                            };
                        };
                    };
                    shadow?: {
                        /**
                         * @description Requests that both versions must have scored
                         * @default 500
                         */
                        pairs?: number;
                        /**
                         * @description Time between two looks at the evidence
                         * @default 60
                         */
                        window_seconds?: number;
                        /**
                         * @description What follows when no harm was found: a person decides, or the new version gets all traffic
                         * @default ask
                         * @enum {string}
                         */
                        then?: "ask" | "promote";
                        /**
                         * @description After this a person decides
                         * @default 86400
                         */
                        max_seconds?: number;
                        /**
                         * @description So long a person has to decide; then the rollout is aborted
                         * @default 86400
                         */
                        ask_seconds?: number;
                        /**
                         * @description An answer is slow when it takes longer than this and than the 99th percentile of the present version
                         * @default 5
                         */
                        slow_ms?: number;
                        /**
                         * @description What is watched besides errors, slow answers, and loss and calibration of each head
                         * @default {}
                         */
                        guardrails?: {
                            [key: string]: {
                                /** @default true */
                                enabled?: boolean;
                                /** @description Harm that is still acceptable, in the unit of the measure; by default the larger of 0.005 and 20 % */
                                margin?: number;
                                /**
                                 * @description Which change is harm
                                 * @enum {string}
                                 */
                                harm?: "rises" | "falls" | "either";
                            };
                        };
                    };
                    /**
                     * @description Deploy a version that showed no skill all the same
                     * @default false
                     */
                    allow_unpromotable?: boolean;
                };
            };
        };
        responses: {
            /** @description The rollout was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentAccepted"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema; The Idempotency-Key was used with another body */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_models_model_rollback: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": {
                    /** @description The version to go back to; the one before by default */
                    version?: string;
                };
            };
        };
        responses: {
            /** @description The traffic is back */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Rollback"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No such version */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema; The Idempotency-Key was used with another body */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A stored model is damaged; Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_models_model_traffic: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of the ledger */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["TrafficEntry"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description No such model */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_models_model_versions_version_report: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The report */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                    "application/json": components["schemas"]["Report"];
                };
            };
            /** @description No such model; No such version; No such report */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_deployments: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of rollouts */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Deployment"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_deployments_deployment_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rollout */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDetail"];
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_deployments_deployment_id_evidence: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of windows */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["EvidenceWindow"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_deployments_deployment_id_pause: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rollout was told */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDetail"];
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_deployments_deployment_id_resume: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rollout was told */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDetail"];
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_deployments_deployment_id_promote: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rollout was told */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDetail"];
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_deployments_deployment_id_abort: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rollout was told */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDetail"];
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_deployments_deployment_id_ladder: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                deployment_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "steps": [
                 *         10,
                 *         50,
                 *         100
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description Percentages of the entities that the new version answers; after the last it gets all */
                    steps: number[];
                };
            };
        };
        responses: {
            /** @description The rollout was told */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DeploymentDetail"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such deployment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A rollout of this model is under way */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_experiments: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of experiments */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Experiment"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_experiments: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "model": "project_outcome",
                 *       "arms": [
                 *         {
                 *           "arm": "present",
                 *           "version": "v1.0.0",
                 *           "weight": 50
                 *         },
                 *         {
                 *           "arm": "new",
                 *           "version": "v1.1.0",
                 *           "weight": 50
                 *         }
                 *       ],
                 *       "metric": "feedback:revenue",
                 *       "minimum_effect": 0.5
                 *     }
                 */
                "application/json": {
                    model: string;
                    arms: {
                        /** @description The version by default */
                        arm?: string;
                        version: string;
                        /** @description Its share, as a part of the sum of all weights */
                        weight: number;
                    }[];
                    /** @description The arm that the others are compared with; the first by default */
                    control?: string;
                    /** @description `feedback:revenue` sums that figure of the feedback; an entity without any counts as 0 */
                    metric: string;
                    /**
                     * @description Per entity: yes or no (`binary`), a sum (`mean`, of feedback by default), or per prediction (`ratio`)
                     * @enum {string}
                     */
                    kind?: "binary" | "mean" | "ratio";
                    /**
                     * @description `falls` for losses and errors, else `rises`, by default
                     * @enum {string}
                     */
                    better?: "rises" | "falls";
                    /** @description The smallest gain worth having, in the unit of the metric; by default 5 % of what it was before */
                    minimum_effect?: number;
                    /**
                     * @description Percentage of the entities that take part
                     * @default 100
                     */
                    traffic?: number;
                    /**
                     * @description No winner is named before, so that no weekday decides alone
                     * @default 604800
                     */
                    min_seconds?: number;
                    /** @default 2419200 */
                    max_seconds?: number;
                    /**
                     * @description Time between two looks at the evidence
                     * @default 300
                     */
                    window_seconds?: number;
                    /**
                     * @description Days before the start whose values of each entity take noise out of the comparison; 0 for none
                     * @default 28
                     */
                    covariate_days?: number;
                    /**
                     * @description `promote` deploys the winner as soon as it is named
                     * @default keep
                     * @enum {string}
                     */
                    on_winner?: "keep" | "promote";
                };
            };
        };
        responses: {
            /** @description The experiment was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExperimentAccepted"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No such version; No version deployed */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The experiment is not possible now */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema; The Idempotency-Key was used with another body */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_experiments_plan: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "model": "project_outcome",
                 *       "arms": [
                 *         {
                 *           "arm": "present",
                 *           "version": "v1.0.0",
                 *           "weight": 50
                 *         },
                 *         {
                 *           "arm": "new",
                 *           "version": "v1.1.0",
                 *           "weight": 50
                 *         }
                 *       ],
                 *       "metric": "feedback:revenue",
                 *       "minimum_effect": 0.5
                 *     }
                 */
                "application/json": {
                    model: string;
                    arms: {
                        /** @description The version by default */
                        arm?: string;
                        version: string;
                        /** @description Its share, as a part of the sum of all weights */
                        weight: number;
                    }[];
                    /** @description The arm that the others are compared with; the first by default */
                    control?: string;
                    /** @description `feedback:revenue` sums that figure of the feedback; an entity without any counts as 0 */
                    metric: string;
                    /**
                     * @description Per entity: yes or no (`binary`), a sum (`mean`, of feedback by default), or per prediction (`ratio`)
                     * @enum {string}
                     */
                    kind?: "binary" | "mean" | "ratio";
                    /**
                     * @description `falls` for losses and errors, else `rises`, by default
                     * @enum {string}
                     */
                    better?: "rises" | "falls";
                    /** @description The smallest gain worth having, in the unit of the metric; by default 5 % of what it was before */
                    minimum_effect?: number;
                    /**
                     * @description Percentage of the entities that take part
                     * @default 100
                     */
                    traffic?: number;
                    /**
                     * @description No winner is named before, so that no weekday decides alone
                     * @default 604800
                     */
                    min_seconds?: number;
                    /** @default 2419200 */
                    max_seconds?: number;
                    /**
                     * @description Time between two looks at the evidence
                     * @default 300
                     */
                    window_seconds?: number;
                    /**
                     * @description Days before the start whose values of each entity take noise out of the comparison; 0 for none
                     * @default 28
                     */
                    covariate_days?: number;
                    /**
                     * @description `promote` deploys the winner as soon as it is named
                     * @default keep
                     * @enum {string}
                     */
                    on_winner?: "keep" | "promote";
                };
            };
        };
        responses: {
            /** @description The plan */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExperimentPlan"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No such version; No version deployed */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_experiments_experiment_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                experiment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The experiment */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExperimentDetail"];
                };
            };
            /** @description No such experiment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_experiments_experiment_id_stop: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                experiment_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The experiment */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ExperimentDetail"];
                };
            };
            /** @description No such experiment */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The experiment is not possible now */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_jobs: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                status?: "queued" | "running" | "completed" | "failed" | "cancelled";
                type?: "ingest" | "train" | "deploy" | "experiment";
                model?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of jobs */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Job"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_jobs_job_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The job */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Job"];
                };
            };
            /** @description No such job */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_jobs_job_id_status: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The status */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description No such job */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_jobs_job_id_events: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A stream of events */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": string;
                };
            };
            /** @description No such job */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_jobs_job_id_cancel: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The cancellation is under way */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobStatus"];
                };
            };
            /** @description No such job */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The job is not in a state that allows this */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_jobs_job_id_retry: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The new job */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAccepted"];
                };
            };
            /** @description No such job */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The job is not in a state that allows this */
            409: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The Idempotency-Key was used with another body */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    post_data_ingest: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "source": "projects.csv",
                 *       "data_type": "projects"
                 *     }
                 */
                "application/json": {
                    /** @description postgresql://user:password@host:port/database, a file below one of the data folders, or predictions:{model} for what was predicted and what turned out to be true */
                    source: string;
                    data_type: string;
                    /** @default {} */
                    options?: {
                        /** @description PostgreSQL: the table, optionally schema.table */
                        table?: string;
                        /** @description PostgreSQL: a SELECT instead of a table */
                        query?: string;
                        /** @description Only these columns */
                        columns?: string[];
                        /**
                         * Format: date
                         * @description Predictions: the first day (UTC)
                         */
                        start_date?: string;
                        /**
                         * Format: date
                         * @description Predictions: the last day (UTC), included
                         */
                        end_date?: string;
                        /**
                         * @description Files: by the file’s ending unless given
                         * @enum {string}
                         */
                        format?: "csv" | "tsv" | "ndjson" | "json" | "parquet";
                        /**
                         * @description What happens to rows that fail a check
                         * @default quarantine
                         * @enum {string}
                         */
                        validation?: "quarantine" | "fail";
                    };
                };
            };
        };
        responses: {
            /** @description The job was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["JobAccepted"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema; The source may not be read; The source could not be read; The Idempotency-Key was used with another body */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_data_datasets: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                data_type?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of datasets */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["DatasetSummary"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_data_datasets_dataset_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                dataset_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The dataset */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Dataset"];
                };
            };
            /** @description No such dataset */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_data_datasets_dataset_id_rows: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
            };
            header?: never;
            path: {
                dataset_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Rows */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Row"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description No such dataset */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_data_datasets_dataset_id_quarantine: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
            };
            header?: never;
            path: {
                dataset_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Rows with reasons */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["QuarantinedRow"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description No such dataset */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_schedules_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The schedule */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
            /** @description No such model; No such schedule */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    put_schedules_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "cron": "0 3 * * 1",
                 *       "training": {
                 *         "auto_deploy": true
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description When to retrain: five cron fields, UTC */
                    cron: string;
                    /** @default false */
                    paused?: boolean;
                    /**
                     * @description As in POST /models/train
                     * @default {}
                     */
                    training?: {
                        training_data?: {
                            /** @description A data type or a dataset id; the model’s own by default */
                            source?: string;
                            /** @description Rows before it are not used */
                            start_date?: string;
                            /** @description Rows at or after it are not used */
                            end_date?: string;
                            /** @description Column = value; for user_behavior also active_users_only */
                            filters?: {
                                [key: string]: string | number | boolean;
                            };
                        };
                        hyperparameters?: {
                            /** @description Number of trees; of boosting the most rounds */
                            n_estimators?: number;
                            /** @description Depth of a tree; null for no limit */
                            max_depth?: number | null;
                            /** @description Forest: rows that a node needs to be split */
                            min_samples_split?: number;
                            /** @description Rows that a leaf keeps at least */
                            min_samples_leaf?: number;
                            /** @description Columns tried per split (forest) or per tree (boosting, a share): a rule, or a share in (0, 1] */
                            max_features?: ("sqrt" | "log2" | "all") | number;
                            /**
                             * @description Weights of the classes
                             * @enum {string}
                             */
                            class_weight?: "none" | "balanced";
                            /** @description Boosting and networks: the share of each step that is taken */
                            learning_rate?: number;
                            /** @description Boosting: leaves of a tree */
                            max_leaf_nodes?: number;
                            /** @description Boosting, linear models and networks: penalty on the squares of leaves or coefficients */
                            l2_regularization?: number;
                            /** @description Boosting: share of the rows that a tree sees */
                            subsample?: number;
                            /** @description Boosting: rounds without gain on held-out rows after which it ends; null for never */
                            early_stopping_rounds?: number | null;
                            /** @description Networks: widths of the hidden layers */
                            hidden_units?: number[];
                            /** @description Networks: share of a layer that a step leaves out */
                            dropout?: number;
                            /** @description Networks: most passes over the rows */
                            epochs?: number;
                            /** @description Networks: rows of a step */
                            batch_size?: number;
                            /** @description The same seed and data give the same model */
                            seed?: number;
                        };
                        /**
                         * @description Share of the entities that is held out
                         * @default 0.2
                         */
                        validation_split?: number;
                        /**
                         * @description Also report 5-fold estimates over all rows
                         * @default false
                         */
                        cross_validation?: boolean;
                        /**
                         * @description Deploy the version when it beats the baseline
                         * @default false
                         */
                        auto_deploy?: boolean;
                    };
                };
            };
        };
        responses: {
            /** @description The schedule */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Schedule"];
                };
            };
            /** @description The request could not be read */
            400: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The body is too large */
            413: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The media type is not supported */
            415: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The request does not fit its schema */
            422: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    delete_schedules_model: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The schedule is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description No such model; No such schedule */
            404: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description A dependency is away */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_health: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The health */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Health"];
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_health_live: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It lives */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status?: "live";
                    };
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
    get_health_ready: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description It is ready */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status?: "ready";
                    };
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description It is shutting down */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @constant */
                        status?: "draining";
                    };
                };
            };
        };
    };
    get_metrics: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Prometheus text format */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                };
            };
            /** @description Something went wrong on our side */
            500: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
        };
    };
}
