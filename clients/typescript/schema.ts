// Written by generate.mjs from the OpenAPI document with the SHA-256 2c09a9cf9355472e1a7837375484fc4a6e85304f38f941b8df00adc0cc4cbaf7.
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
    "/models/{model}/versions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The versions of a model, newest first
         * @description All but the archived ones, unless `state` asks for them.
         */
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
         * A version: state, parameters, metrics with intervals, signature, lineage
         * @description Takes a version or an alias.
         */
        get: operations["get_models_model_versions_version"];
        put?: never;
        post?: never;
        /**
         * Remove a version for good
         * @description Its history stays, and its number is not given out again. 409 while something relies on it.
         */
        delete: operations["delete_models_model_versions_version"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/state": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Propose a version, archive it, or bring it back
         * @description An archived version cannot be deployed, takes no alias and is not listed. `shadow`, `canary`, `production` and what follows on them come from the traffic by themselves. A change that is not possible is a 409 that names those which are.
         */
        post: operations["post_models_model_versions_version_state"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What became of a version, newest first: every state, by whom, when and why */
        get: operations["get_models_model_versions_version_history"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/notes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The notes on a version, newest first */
        get: operations["get_models_model_versions_version_notes"];
        put?: never;
        /**
         * Add a note to a version
         * @description Notes are kept with their author and time, and are never changed.
         */
        post: operations["post_models_model_versions_version_notes"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/tags": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Give a version its tags
         * @description These and no others. GET …/versions?tag= finds versions by them.
         */
        put: operations["put_models_model_versions_version_tags"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/approvals": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who agreed to a version, and what is missing */
        get: operations["get_models_model_versions_version_approvals"];
        put?: never;
        /**
         * Approve or reject a version
         * @description Where the entry of the model has `approvals`, a version is deployed only with as many, by different subjects, and no rejection. The latest decision of a subject stands.
         */
        post: operations["post_models_model_versions_version_approvals"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/aliases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The aliases of a model */
        get: operations["get_models_model_aliases"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/aliases/{alias}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Point an alias at a version
         * @description `model_version` of a prediction takes it from then on. The alias `production` follows the traffic by itself.
         */
        put: operations["put_models_model_aliases_alias"];
        post?: never;
        /** Take an alias away */
        delete: operations["delete_models_model_aliases_alias"];
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
    "/models/{model}/versions/{version}/card": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The model card of a version, as Markdown or as data
         * @description What it is for, what it learned from, how good it is and where it is worse, its limits, who approved it, what was noted and what became of it. Made from stored data only. Markdown; with `Accept: application/json` the same as data.
         */
        get: operations["get_models_model_versions_version_card"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/compare/{other}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Two versions side by side: settings, features, data, figures, size and latency
         * @description Differences are those of the second version against the first. `verdict` says whether a difference is more than chance; it is `unknown` where the two were judged on different rows, and `basis` says why.
         */
        get: operations["get_models_model_versions_version_compare_other"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/import": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take an ONNX file, or a model of an MLflow server, as a version
         * @description For models of the kinds classification and regression. The file is looked at (operators, no data outside it, inputs and outputs), tried in a process of its own, and its answers to `examples` are written down, which it is held to each time that it is loaded. The version serves like any other; as nothing here has measured it, its deployment needs `allow_unpromotable`. The same file and request give the same version again. Pickles and other files that hold code are never loaded.
         */
        post: operations["post_models_model_versions_import"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/versions/{version}/export": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A version as a file for other runtimes
         * @description ONNX, with encoder, calibration and decision: the file takes the features as they are, an input each, and gives the answers of this service within 1e-5. What the format has nothing for, such as free text, is refused with the reason.
         */
        get: operations["get_models_model_versions_version_export"];
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
    "/deployments/{deployment_id}/approve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Agree that the version gets all traffic once the evidence allows it */
        post: operations["post_deployments_deployment_id_approve"];
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
    "/freezes": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Times in which no rollout takes a step up, newest first */
        get: operations["get_freezes"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/freezes/{freeze}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /**
         * Freeze traffic for a time, once or every week
         * @description Rollouts stay at their share until it is over; harm still ends them, and rolling back is always possible. A new version with "strategy": "immediate" is refused meanwhile.
         */
        put: operations["put_freezes_freeze"];
        post?: never;
        /** End a freeze */
        delete: operations["delete_freezes_freeze"];
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
         * @description The same entity always sees the same arm. `metric` is what feedback reports, the truth of a head, its loss, or errors. Every look at the result is a valid one: the intervals hold however often one looks. An arm that does harm is taken back at once. Several experiments of a layer share its entities without overlap (`traffic`, `layer`). With `allocation: {method: "thompson"}` entities that come later go to the arms that look better, and the chance of each draw is in the answer and in the log as `propensity`.
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
    "/drills": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List drills, newest first */
        get: operations["get_drills"];
        put?: never;
        /**
         * Rehearse a bad rollout, or replay the log without a difference
         * @description `rollout` (the default) puts versions that are known to be bad into shadow and canary of a sandbox model and tells how long it took until they were found and nobody was answered by them any more; the job fails when one is not found. `aa_replay` splits the real log of a model at random, again and again, and tells how often the rules would have rolled back without a reason.
         */
        post: operations["post_drills"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/drills/schedule": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When drills are held */
        get: operations["get_drills_schedule"];
        /**
         * Hold drills by the clock
         * @description A Temporal Schedule: it survives restarts, and never holds two drills at once.
         */
        put: operations["put_drills_schedule"];
        post?: never;
        /** Hold no more drills by the clock */
        delete: operations["delete_drills_schedule"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/drills/{drill_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A drill: what became of each version, or the false alarm rates */
        get: operations["get_drills_drill_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * List sweeps, newest first
         * @description A sweep belongs to a training job: `POST /models/train` with `search` starts one.
         */
        get: operations["get_sweeps"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps/{sweep_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A sweep: how far it is, its best so far, and what its trials follow from */
        get: operations["get_sweeps_sweep_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps/{sweep_id}/trials": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The trials of a sweep, the latest first
         * @description Each with its configuration, its curve so far, its loss, and the reason where it has failed.
         */
        get: operations["get_sweeps_sweep_id_trials"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps/{sweep_id}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start no further trial
         * @description Trials under way run to their end, and the time of the pause does not count.
         */
        post: operations["post_sweeps_sweep_id_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps/{sweep_id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Go on with a paused sweep */
        post: operations["post_sweeps_sweep_id_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps/{sweep_id}/stop": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Take the best so far
         * @description Trials under way are given up; the job goes on with the best configuration, or fails where there is none.
         */
        post: operations["post_sweeps_sweep_id_stop"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/sweeps/{sweep_id}/budget": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Change how many trials or how much time a sweep has
         * @description Totals, so that a repeated call changes nothing. Not less than what has begun.
         */
        post: operations["post_sweeps_sweep_id_budget"];
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
         * @description Each event `status` carries what GET /jobs/{job_id}/status answers; the stream ends with the job, or with the token of its reader. Of a training job with a search also `sweep` with what GET /sweeps/{sweep_id} answers, and `trial` with a trial and its curve so far, whenever they change. With `logs_after` also `log` with each line that the job logs, as GET /jobs/{job_id}/logs has it; a reader whose stream broke goes on after the last line that it has.
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
    "/jobs/{job_id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a job has logged, newest first
         * @description Stages and waits of its workflow, each attempt of its steps with its duration and figures, and what else its processes have said about it at the level of the log. Of each job the newest 2,000 lines are kept, for `JOB_LOG_DAYS`. `GET /jobs/{job_id}/events?logs_after=0` follows them as they come.
         */
        get: operations["get_jobs_job_id_logs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Trainings and trials: parameters, metrics, artifacts, environment and cost
         * @description `filter` compares `metrics.…`, `params.…` and the columns of a run (`status`, `model`, `version`, `wall_seconds`, `created_at`, …) by `=`, `!=`, `<`, `<=`, `>`, `>=`, `in (…)`, `contains`, `is null`, put together with `and`, `or`, `not` and brackets. Names with other characters stand in backquotes. A run without a value fits no comparison. What cannot be read is 422 with its place.
         */
        get: operations["get_runs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/compare": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Runs side by side: what differs first */
        get: operations["get_runs_compare"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/report": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A page with plots of runs, or the figures behind it
         * @description Of the latest 2000 runs that fit: how a metric went from run to run, which parameters it depends on, all parameters in parallel coordinates, and the curves of the best. One self-contained HTML page without scripts; with `Accept: application/json` the same as data.
         */
        get: operations["get_runs_report"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{run_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A run
         * @description The id is that of its job.
         */
        get: operations["get_runs_run_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/runs/{run_id}/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The curves of a run: figures by step, as the fit reports them
         * @description Also while the run goes; about a second behind.
         */
        get: operations["get_runs_run_id_metrics"];
        put?: never;
        post?: never;
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
         * @description A PostgreSQL table or query, an HTTP API, objects of an S3 store, an upload, events, or CSV, TSV, NDJSON, JSON, Parquet or Arrow files (gzip and zstd too) below DATA_SOURCE_ROOTS become an immutable, typed, checked snapshot. Credentials are taken out of the source before anything is stored in a workflow. The result of the job is `{dataset_id, rows, quarantined_rows, digest}`.
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
        /** The rows of a dataset, in the order of the source */
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
    "/data/uploads": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a file
         * @description The body is the file, streamed to the disk. The answer names a `source` for POST /data/ingest. The same content sent again is the same upload, and is kept longer. With `sha256` a body that arrived damaged is refused.
         */
        post: operations["post_data_uploads"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/uploads/{upload_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** An upload, until its time is over */
        get: operations["get_data_uploads_upload_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/events/{data_type}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send one event, or a stream of them
         * @description An event is a JSON object with an `event_id`. As `application/json` the body is one; as `application/x-ndjson` it is one a line, and a bad line is told with its number and costs itself only. The answer comes once all accepted events are on the disk; of several with one `event_id` the first is kept. POST /data/ingest with the source `events:{data_type}` makes a dataset of them.
         */
        post: operations["post_data_events_data_type"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/watermarks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How far sources were read by ingestions with a cursor column */
        get: operations["get_data_watermarks"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/watermarks/{watermark_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Have a source read from its beginning again */
        delete: operations["delete_data_watermarks_watermark_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/preprocess": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Prepare a dataset: gaps, outliers, scales, encodings
         * @description Learns from all rows of a dataset and writes them, prepared, as a new dataset with its lineage; rows that are left out are in its quarantine with the reason. For a model use `preprocessing` in its entry of models/config.yaml instead: it is the same, learnt from training rows alone and applied to every request.
         */
        post: operations["post_data_preprocess"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets/{dataset_id}/preprocessor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a preprocessed dataset was made by: every number that was learnt */
        get: operations["get_data_datasets_dataset_id_preprocessor"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/validate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Hold a dataset to expectations, and keep the report
         * @description Types, ranges, sets, patterns, uniqueness, references, freshness, volume, distributions and your own SELECT, each with a severity and the share of rows that must hold. Without `expectations` those of the data type in models/data-types.yaml. The same question of the same data gives the same report. Ends after 60 s.
         */
        post: operations["post_data_validate"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/validations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List validation reports, newest first */
        get: operations["get_data_validations"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/validations/{report_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * A validation report, as data or as a page
         * @description As data; with `Accept: text/html` one self-contained page without scripts.
         */
        get: operations["get_data_validations_report_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/validations/{report_id}/rows": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The first rows that failed, with every reason */
        get: operations["get_data_validations_report_id_rows"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets/{dataset_id}/validation": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest validation report of a dataset, as data or as a page */
        get: operations["get_data_datasets_dataset_id_validation"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/datasets/{dataset_id}/quarantine/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Correct the rows in quarantine, and check them again
         * @description Makes a new dataset: the good rows, and after them those that are good now; the rest stays in its quarantine with the reasons that are left. Without corrections the rows are held to what models/data-types.yaml says today.
         */
        post: operations["post_data_datasets_dataset_id_quarantine_replay"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/schemas/{data_type}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The schema of a data type: every version, and what changed
         * @description `current` marks the version that snapshots are held to; one without `accepted_at` waits for somebody to accept it.
         */
        get: operations["get_data_schemas_data_type"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/data/schemas/{data_type}/accept": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Accept a schema that lost a column or narrowed a type
         * @description From then on snapshots are held to this version. The job that was stopped is started again by its caller.
         */
        post: operations["post_data_schemas_data_type_accept"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/features/views": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The catalogue of feature views, by name
         * @description Each with its newest version, what the online store holds of it and up to when, and the versions of models that learnt from it.
         */
        get: operations["get_features_views"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/features/views/{view}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A feature view: definition, versions, statistics, consumers, freshness */
        get: operations["get_features_views_view"];
        /**
         * Declare a feature view, or its next version
         * @description A definition that equals the newest version changes nothing; any other becomes the next version, and the former ones stay. SQL is one SELECT over the data types that it names, without functions whose value changes from call to call. A view whose SQL looks into the future is refused: what it says was known at a time must come out the same without what its sources learnt later.
         */
        put: operations["put_features_views_view"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/features/views/{view}/materialize": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Fill the online store from a view
         * @description Without `start` only what became known since the last time is looked at, where that is enough. Count and checksum are read back. The result of the job is `{view, version, mode, end, entities, checksum, store}`. One at a time a view: a second is 409.
         */
        post: operations["post_features_views_view_materialize"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/features/online": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What is known of entities now
         * @description From Redis where it is configured and has the view in full, else from PostgreSQL. Each view tells `status` (`fresh`, `expired` or `missing`) and the age of its values; an expired value is null, by the same rule as in POST /features/historical. On-demand features are computed from `request`.
         */
        post: operations["post_features_online"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/features/historical": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * What was known of entities at given times
         * @description The row that counts at a time is the latest one by event time of those that were available by then; of equal ones the one that was available later. Nothing that became known afterwards is ever used.
         */
        post: operations["post_features_historical"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/lineage/predictions/{prediction_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a prediction comes from: version, datasets, parts, sources */
        get: operations["get_lineage_predictions_prediction_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/lineage/models/{model}/versions/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What a version learnt from, and how often it answered */
        get: operations["get_lineage_models_model_versions_version"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/lineage/datasets/{dataset_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was made of a dataset: versions and their predictions */
        get: operations["get_lineage_datasets_dataset_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/retention/plan": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What the retention policy would delete now, without deleting it
         * @description The policy is `models/retention.yaml`. `held` is what it would let go, and a version or a job relies on: that is never deleted. `records` counts the rows of the database that are older than their days; these go by themselves within the hour. Counts end at 100,000.
         */
        get: operations["get_retention_plan"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/retention/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Delete what the retention policy lets go
         * @description The result of the job is `{deleted, bytes, ids, held}`.
         */
        post: operations["post_retention_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/retention/schedule": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** When retention is applied */
        get: operations["get_retention_schedule"];
        /** Apply retention by the clock */
        put: operations["put_retention_schedule"];
        post?: never;
        /** Apply retention no more by the clock */
        delete: operations["delete_retention_schedule"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/subjects/{entity_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /**
         * Erase a person from every store
         * @description From logged predictions and outcomes, features, datasets with their quarantine, exported logs, spools and caches; then every store is searched. The report tells what went, what was found afterwards, which versions learnt from the person, and what no call can reach. The job carries an id only, never the person. A second call before the first has ended is the same erasure.
         */
        delete: operations["delete_subjects_entity_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/subjects/forget": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Have all API processes forget what they answered
         * @description Empties the caches in their memory, and brings what they have spooled to the database. An erasure does this by itself.
         */
        post: operations["post_subjects_forget"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/erasures": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List erasures, newest first */
        get: operations["get_erasures"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/erasures/{erasure_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** An erasure and its report; whom it was about is not kept */
        get: operations["get_erasures_erasure_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The retraining schedules of all models, by name */
        get: operations["get_schedules"];
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
        /** The retraining schedule of a model, with its next and its latest runs */
        get: operations["get_schedules_model"];
        /**
         * Retrain a model by the clock
         * @description A Temporal Schedule: it survives restarts. Replaces the former one as a whole, so that what is left out has its default again: never two runs at once, at most ten minutes made up for after an outage, UTC. `on_drift` is kept and shown; this release has no monitors that would act on it.
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
    "/schedules/{model}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start no runs until it is resumed
         * @description Runs under way go on. The note is shown with the schedule.
         */
        post: operations["post_schedules_model_pause"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schedules/{model}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start runs again
         * @description Runs whose time passed meanwhile are not made up for.
         */
        post: operations["post_schedules_model_resume"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/schedules/{model}/trigger": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Start a run now, besides those by the clock
         * @description Also while the schedule is paused. Its overlap policy holds for this run, too: with `skip`, a call that is repeated while the run goes starts no second one. The run appears in `recent_runs`.
         */
        post: operations["post_schedules_model_trigger"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/rules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What opens alerts, in the order in which rules are asked
         * @description A finding belongs to the first rule that fits it: those of the API by name, those of models/config.yaml, those built in.
         */
        get: operations["get_alerts_rules"];
        put?: never;
        /** Make a rule */
        post: operations["post_alerts_rules"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/rules/{rule}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A rule */
        get: operations["get_alerts_rules_rule"];
        /**
         * Make or replace a rule
         * @description One of the name of a built-in rule takes its place; with "enabled": false nothing opens alerts in its stead.
         */
        put: operations["put_alerts_rules_rule"];
        post?: never;
        /**
         * Delete a rule of the API
         * @description What is built in under its name is in force again. Its open alerts are resolved.
         */
        delete: operations["delete_alerts_rules_rule"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/receivers": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who is told of alerts, and what waits for them
         * @description They are named by the environment: ALERT_WEBHOOK_URLS, ALERT_SLACK_URLS, ALERT_EMAIL_TO, ALERTMANAGER_URL.
         */
        get: operations["get_alerts_receivers"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/receivers/{receiver_id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message of the type alert.test
         * @description GET /alerts/receivers tells whether it still waits.
         */
        post: operations["post_alerts_receivers_receiver_id_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What somebody should look at, newest first */
        get: operations["get_alerts"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/budget": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The false alarms that a model may have within a year, and those that it had
         * @description All monitors and rules of a model share it. What a person marks as false counts; when it is used up, each rule of the model asks for one more window before it opens an alert.
         */
        get: operations["get_alerts_budget"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/silences": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Times in which nobody is told of some alerts, newest first */
        get: operations["get_alerts_silences"];
        put?: never;
        /**
         * Tell nobody of some alerts for a time
         * @description They are opened and resolved all the same. What is still open at the end of the silence is told then; what was over by then is not.
         */
        post: operations["post_alerts_silences"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/silences/{silence_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** End a silence now */
        delete: operations["delete_alerts_silences_silence_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/{alert_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** An alert with its evidence, its history and its deliveries */
        get: operations["get_alerts_alert_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/{alert_id}/acknowledge": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that somebody looks after it
         * @description Receivers are told of it. May be repeated.
         */
        post: operations["post_alerts_alert_id_acknowledge"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/{alert_id}/resolve": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Say that it is over, or that nothing was wrong
         * @description With "false_alarm": true it counts against the budget of the model; an alert that is resolved already can still be marked, and the mark be taken back with false. What is found in later windows opens a new alert.
         */
        post: operations["post_alerts_alert_id_resolve"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/alerts/{alert_id}/comment": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Write something into the history of an alert */
        post: operations["post_alerts_alert_id_comment"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/models/{model}/repair": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Train a model anew on fresh data, and roll the version out if it does better
         * @description It learns from predictions since the change whose outcome is known, or from the newest dataset. The new version is held against the present one on fresh rows that neither has learnt from, and rolled out by a canary where it is shown to do better; else that is what comes of it. With `on_drift` of a schedule, alerts that advise to retrain do the same by themselves.
         */
        post: operations["post_models_model_repair"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repairs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List repairs, newest first */
        get: operations["get_repairs"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/repairs/{repair_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The story of a repair: what was found, learnt, judged and rolled out */
        get: operations["get_repairs_repair_id"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/monitors/{model}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How a model is watched, its last and its next run, and what the newest windows show */
        get: operations["get_monitors_model"];
        /**
         * Set how a model is watched
         * @description Replaces the former settings as a whole, also those of the models file: what is left out has its default again. The runs are a Temporal Schedule, which survives restarts; `enabled: false` ends it, and what was found stays.
         */
        put: operations["put_monitors_model"];
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/monitors/{model}/run": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Judge a window now
         * @description Without `window_end` the last whole window. A window that was judged before is judged again, and its findings replace the former ones.
         */
        post: operations["post_monitors_model_run"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/monitors/{model}/findings": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the monitors of a model have found, latest windows first */
        get: operations["get_monitors_model_findings"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analytics/drift": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How a model’s inputs, answers and truths differ from their reference, column by column, by day or hour
         * @description Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June. A window counts to the day, or the hour, in which its last moment lies. Of several windows in one entry the worst is shown. Chances stand under `tests` and distances under `effects`, never under one name. `segment` shows those of a feature’s values instead of all rows.
         */
        get: operations["get_analytics_drift"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analytics/data-quality": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The state of a model’s data, as it was ingested and as it was sent for predictions
         * @description Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June. A window counts to the day, or the hour, in which its last moment lies. `datasets`: snapshots of the model’s data type, their quarantined rows, their validation reports, and the age of the newest one. `requests`: violations of types and declared ranges, missing values and values beyond those of the reference, as the monitors found them.
         */
        get: operations["get_analytics_data_quality"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analytics/predictions": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a model has answered: counts, latency, scores, versions, by day or hour
         * @description Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June. An entry of the series stands for the predictions that were made in it; one without any is left out. It reads sums, not the log, so it is quick over any number of predictions and stays when retention drops the log. What a shadow would have answered is not in it, nor are requests that were turned away.
         */
        get: operations["get_analytics_predictions"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/analytics/model-performance": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How well a model’s answers came true, beside what was expected of them
         * @description Days are days of UTC, and both are included: `start_date=2024-06-01&end_date=2024-06-30` is all of June. An entry of the series stands for the predictions that were made in it; one without any is left out. Realised metrics come from feedback, each with its 95 % interval and the rows it rests on; estimates need no truth and stand beside them with the error that they had so far. A truth counts to the time of its prediction, however late it comes, and a corrected one replaces the former.
         */
        get: operations["get_analytics_model_performance"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the webhooks, newest first */
        get: operations["get_webhooks"];
        put?: never;
        /**
         * Be told of every change of the state of versions
         * @description Messages are written in the same transaction as the change and sent at least once, signed by the Standard Webhooks scheme (`webhook-id`, `webhook-timestamp`, `webhook-signature`). `id` and `sequence` tell a repetition. What fails is tried again for about a day. The answer has the secret, which is not shown again. Addresses of private networks are refused unless WEBHOOK_ALLOWED_HOSTS names them.
         */
        post: operations["post_webhooks"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A webhook */
        get: operations["get_webhooks_webhook_id"];
        put?: never;
        post?: never;
        /** Delete a webhook, with its deliveries */
        delete: operations["delete_webhooks_webhook_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook_id}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a message of the type webhook.test
         * @description GET …/deliveries tells what came of it.
         */
        post: operations["post_webhooks_webhook_id_test"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook_id}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was sent to a webhook, newest first: attempts, status, latency, error, next attempt
         * @description Kept for 30 days after the end of a delivery.
         */
        get: operations["get_webhooks_webhook_id_deliveries"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/replay": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Send a delivery once more
         * @description The same message with the same id, from the first attempt on; also one that was given up or has arrived.
         */
        post: operations["post_webhooks_webhook_id_deliveries_delivery_id_replay"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Who the service takes the caller for, and what that caller may do
         * @description While no sign-in is configured everybody is `local`, an admin.
         */
        get: operations["get_whoami"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** List the tokens of programs, newest first; those that were revoked or have ended, too */
        get: operations["get_tokens"];
        put?: never;
        /**
         * Make a token for a program
         * @description The answer has the token, which is not shown again: only a hash of it is kept. With `models` it reaches what belongs to these models, and answers 404 for all others. Two tokens in use never have the same name.
         */
        post: operations["post_tokens"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/tokens/{token_id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A token: its beginning, role, end and last use */
        get: operations["get_tokens_token_id"];
        put?: never;
        post?: never;
        /**
         * Revoke a token
         * @description It is refused by every process within about a second. Its row stays. The same call again answers the same.
         */
        delete: operations["delete_tokens_token_id"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What was done, by whom, newest first
         * @description Every call that changes something, every denied call, every change of what matters, every decision about traffic, and the use of tokens. Entries have no bodies, secrets or feature values. `Accept: application/x-ndjson` gives all that fits as JSON lines, oldest first.
         */
        get: operations["get_audit"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/audit/verify": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * Check the chain of the audit log from end to end
         * @description Finds the first entry that was changed, removed or moved. Whoever owns the database could write the whole chain anew: keep `head` elsewhere from time to time (the log of the service does, hourly) and send it as `seq` and `hash`.
         */
        get: operations["get_audit_verify"];
        put?: never;
        post?: never;
        delete?: never;
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
         * Each dependency with its state, latency and last error
         * @description Always 200 while the process lives. `status` says `ok` or `degraded`, `degraded` names each state that is not as it should be and what it affects, and `last_error` is the latest failure that any API process has met since it was started. Probes take /health/live and /health/ready, which need no token.
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
         * Whether predictions can be answered
         * @description Depends on no database and no Temporal: predictions go on without them. 503 from the first sign of a shutdown on, and while none of the models that are deployed could be loaded.
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
        /**
         * Metrics for Prometheus
         * @description Of all API processes and of the workers of the machine together, with those of the Temporal SDK. As OpenMetrics, with trace ids as exemplars, for callers that prefer it.
         */
        get: operations["get_metrics"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/encryption/keys": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * How many files of models, datasets and uploads are under which key
         * @description By ids; no key is shown. One of `ENCRYPTION_KEYS` that is not in the list, nor the first, is needed by no file any more. It looks into the beginning of each file.
         */
        get: operations["get_encryption_keys"];
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/encryption/reencrypt": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Bring all files under the first of the keys
         * @description Files that are under another key, or not encrypted yet, are written anew, each whole or not at all, while the service goes on. The result of the job is what `GET /encryption/keys` answers then. It ends with `dependency_unavailable` where the workers have another key first, and with `artifact_corrupt` when a file does not open: all others are done by then.
         */
        post: operations["post_encryption_reencrypt"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/codec/decode": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Payloads of Temporal, decrypted: for its Web UI and command line
         * @description Temporal's codec server protocol. `temporal workflow show --codec-endpoint http://127.0.0.1:8080/codec …` shows inputs and results, and the Web UI takes the same address under "Configure Remote Codec Endpoint". Without `ENCRYPTION_KEYS` it answers 404.
         */
        post: operations["post_codec_decode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/codec/encode": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Payloads for Temporal, encrypted: for its command line
         * @description Temporal's codec server protocol. `temporal workflow show --codec-endpoint http://127.0.0.1:8080/codec …` shows inputs and results, and the Web UI takes the same address under "Configure Remote Codec Endpoint". Without `ENCRYPTION_KEYS` it answers 404.
         */
        post: operations["post_codec_encode"];
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/operate/log-level": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The level of the log, and until when */
        get: operations["get_operate_log_level"];
        /**
         * Change the level of the log for a time
         * @description Of all API processes at once, and of the workers of the same machine within a second; needs no database. What is started meanwhile follows, too.
         */
        put: operations["put_operate_log_level"];
        post?: never;
        /** Go back to the configured level of the log */
        delete: operations["delete_operate_log_level"];
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        VersionEvent: {
            event_id: string;
            /** @enum {unknown} */
            from: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived" | null;
            /** @enum {unknown} */
            to: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived" | "deleted";
            by: string;
            reason: string | null;
            deployment_id: string | null;
            /** Format: date-time */
            at: string;
        };
        VersionNote: {
            note_id: string;
            text: string;
            by: string;
            /** Format: date-time */
            at: string;
        };
        Approvals: {
            required: {
                count: number;
                /** @enum {unknown} */
                role: "viewer" | "predictor" | "engineer" | "operator" | "admin";
            } | null;
            approved: boolean;
            approved_by: string[];
            rejected_by: string[];
            missing: number;
            decisions: {
                /** @enum {unknown} */
                decision: "approve" | "reject";
                by: string;
                /** @enum {unknown} */
                role: "viewer" | "predictor" | "engineer" | "operator" | "admin";
                note: string | null;
                /** Format: date-time */
                at: string;
            }[];
        };
        Alias: {
            model: string;
            alias: string;
            version: string;
            /** Format: date-time */
            updated_at: string;
        };
        ModelCard: {
            model: string;
            version: string;
            kind: string;
            /** @enum {unknown} */
            state: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived";
            digest: string;
            /** Format: date-time */
            created_at: string;
            tags: {
                [key: string]: string;
            };
            intended_use: Record<string, never>;
            training: Record<string, never>;
            summary: string[];
            metrics: Record<string, never>;
            verdict: Record<string, never>;
            calibration: Record<string, never>[];
            slices: Record<string, never>[];
            limits: string[];
            lineage: Record<string, never>;
            approvals: components["schemas"]["Approvals"];
            notes: components["schemas"]["VersionNote"][];
            history: components["schemas"]["VersionEvent"][];
        };
        Comparison: {
            model: string;
            a: {
                version: string;
                /** @enum {unknown} */
                state: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived";
                promotable: boolean;
                /** Format: date-time */
                created_at: string;
                bytes: number | null;
                latency: {
                    answers: number;
                    median_us: number;
                    p99_us: number;
                } | null;
            };
            b: {
                version: string;
                /** @enum {unknown} */
                state: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived";
                promotable: boolean;
                /** Format: date-time */
                created_at: string;
                bytes: number | null;
                latency: {
                    answers: number;
                    median_us: number;
                    p99_us: number;
                } | null;
            };
            hyperparameters: {
                name: string;
                a: unknown;
                b: unknown;
                differs: boolean;
            }[];
            features: {
                only_a: string[];
                only_b: string[];
                shared: string[];
                retyped: string[];
            };
            data: {
                name: string;
                a: unknown;
                b: unknown;
                differs: boolean;
            }[];
            same_rows: boolean;
            basis: string;
            metrics: {
                head: string;
                metric: string;
                /** @enum {unknown} */
                better: "higher" | "lower" | null;
                a: components["schemas"]["Metric"] | null;
                b: components["schemas"]["Metric"] | null;
                difference: number | null;
                lower: number | null;
                upper: number | null;
                /** @enum {unknown} */
                verdict: "better" | "worse" | "not_told_apart" | "unknown";
            }[];
            paired: {
                rows: number;
                /** @enum {unknown} */
                verdict: "safe" | "worse" | "undecided" | "unknown";
                reason: string;
                findings: Record<string, never>[];
            };
        };
        Webhook: {
            webhook_id: string;
            url: string;
            events: ("version.registered" | "version.candidate" | "version.shadow" | "version.canary" | "version.production" | "version.retired" | "version.archived" | "version.deleted")[];
            model: string | null;
            description: string | null;
            created_by: string;
            /** Format: date-time */
            created_at: string;
        };
        WebhookCreated: {
            webhook_id: string;
            url: string;
            events: ("version.registered" | "version.candidate" | "version.shadow" | "version.canary" | "version.production" | "version.retired" | "version.archived" | "version.deleted")[];
            model: string | null;
            description: string | null;
            created_by: string;
            /** Format: date-time */
            created_at: string;
            secret: string;
        };
        Delivery: {
            delivery_id: string;
            webhook_id: string;
            message_id: string;
            event: string;
            payload: Record<string, never>;
            /** @enum {unknown} */
            state: "pending" | "delivered" | "dead";
            attempts: {
                /** Format: date-time */
                at: string;
                status_code: number | null;
                latency_ms: number;
                error: string | null;
            }[];
            /** Format: date-time */
            next_attempt_at: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
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
            propensity?: number;
            features_from_store?: string[];
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
            type: "ingest" | "preprocess" | "replay" | "train" | "deploy" | "experiment" | "drill" | "materialize" | "retain" | "erase" | "reencrypt" | "monitor" | "repair";
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
            type: "ingest" | "preprocess" | "replay" | "train" | "deploy" | "experiment" | "drill" | "materialize" | "retain" | "erase" | "reencrypt" | "monitor" | "repair";
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
            /** @enum {unknown} */
            state: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived";
            tags: {
                [key: string]: string;
            };
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
                    kind: "roc" | "precision_recall" | "reliability" | "residuals" | "forecast_fan" | "importance" | "learning_curve" | "slices" | "confusion" | "histogram" | "series_anomalies" | "comparison" | "optimisation_history" | "parallel_coordinates";
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
            commands: {
                action: string;
                by: string;
                note: string | null;
                detail: Record<string, never> | null;
                refused: string | null;
                /** Format: date-time */
                at: string;
            }[];
        };
        Freeze: {
            name: string;
            model: string | null;
            reason: string;
            window: Record<string, never>;
            frozen_until: string | null;
            created_by: string;
            /** Format: date-time */
            created_at: string;
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
            ended_experiment_ids: string[];
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
            experiments: {
                experiment_id: string;
                traffic: number;
                arms: {
                    arm: string;
                    version: string;
                    weight: number;
                    retired: boolean;
                }[];
            }[];
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
            layer: string;
            slice: {
                first_bucket: number;
                end_bucket: number;
                buckets: number;
            };
            allocation: {
                batches: number;
                floor: number;
                context: Record<string, never>[];
                opened: {
                    window: number;
                    /** Format: date-time */
                    at: string;
                    chances: {
                        [key: string]: number[];
                    };
                }[];
            } | null;
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
            layer: string;
            slice: {
                first_bucket: number;
                end_bucket: number;
                buckets: number;
            };
            allocation: {
                batches: number;
                floor: number;
                context: Record<string, never>[];
                opened: {
                    window: number;
                    /** Format: date-time */
                    at: string;
                    chances: {
                        [key: string]: number[];
                    };
                }[];
            } | null;
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
            lineage: Record<string, never> | null;
        };
        Row: {
            [key: string]: unknown;
        };
        QuarantinedRow: {
            row_number: number;
            reasons: string[];
            content: string;
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
        Whoami: {
            subject: string;
            /** @enum {unknown} */
            role: "viewer" | "predictor" | "engineer" | "operator" | "admin";
            /** @description null = all */
            models: string[] | null;
        };
        ServiceToken: {
            token_id: string;
            name: string;
            /** @description How the token begins */
            prefix: string;
            /** @enum {unknown} */
            role: "viewer" | "predictor" | "engineer" | "operator" | "admin";
            /** @description null = all */
            models: string[] | null;
            created_by: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description To about five seconds
             */
            last_used_at: string | null;
            /** Format: date-time */
            revoked_at: string | null;
            revoked_by: string | null;
        };
        AuditEntry: {
            seq: number;
            /** Format: date-time */
            at: string;
            /** @enum {unknown} */
            kind: "call" | "denied" | "change" | "decision" | "key_use";
            action: string;
            subject: string;
            role: string | null;
            address: string | null;
            model: string | null;
            target: string | null;
            status: number | null;
            correlation_id: string | null;
            detail: Record<string, never>;
            previous: string;
            hash: string;
        };
        AuditVerdict: {
            intact: boolean;
            entries: number;
            head: {
                seq: number;
                hash: string;
            };
            first_broken?: {
                seq: number;
                reason: string;
            };
        };
        ServiceTokenCreated: {
            token_id: string;
            name: string;
            /** @description How the token begins */
            prefix: string;
            /** @enum {unknown} */
            role: "viewer" | "predictor" | "engineer" | "operator" | "admin";
            /** @description null = all */
            models: string[] | null;
            created_by: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string | null;
            /**
             * Format: date-time
             * @description To about five seconds
             */
            last_used_at: string | null;
            /** Format: date-time */
            revoked_at: string | null;
            revoked_by: string | null;
            /** @description Shown once */
            token: string;
        };
        Preprocessor: {
            format_version: number;
            encoder: Record<string, never>;
            passed: Record<string, never>[];
            complete: string[];
            bounds: Record<string, never>[];
            folds: Record<string, never>;
            fitted_rows: number;
        };
        DataSchema: {
            data_type: string;
            version: number;
            columns: Record<string, never>[];
            changes: Record<string, never>[];
            dataset_id: string;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            accepted_at: string | null;
            accepted_by: string | null;
            current: boolean;
        };
        ValidationSummary: {
            format_version: number;
            report_id: string;
            dataset_id: string;
            data_type: string;
            declared: boolean;
            passed: boolean;
            rows: number;
            failing_rows: number;
            kept_rows: number;
            errors: number;
            warnings: number;
            /** Format: date-time */
            created_at: string;
        };
        ValidationReport: {
            format_version: number;
            report_id: string;
            dataset_id: string;
            data_type: string;
            declared: boolean;
            passed: boolean;
            rows: number;
            failing_rows: number;
            kept_rows: number;
            errors: number;
            warnings: number;
            /** Format: date-time */
            created_at: string;
            checks: components["schemas"]["ValidationCheck"][];
            note?: string;
        };
        ValidationCheck: {
            name: string;
            expectation: Record<string, never>;
            /** @enum {unknown} */
            severity: "error" | "warning";
            /** @enum {unknown} */
            status: "passed" | "failed" | "skipped";
            message: string;
            rows_checked?: number;
            rows_failed?: number;
            share?: number;
            examples?: string[];
            observed?: Record<string, never>;
        };
        Alert: {
            alert_id: string;
            rule: string;
            model: string | null;
            version: string | null;
            /** @enum {unknown} */
            monitor: "drift" | "performance" | "data_quality" | "stream" | "platform";
            subject: string;
            segment: string;
            /** @enum {unknown} */
            severity: "low" | "medium" | "high";
            /** @enum {unknown} */
            status: "open" | "acknowledged" | "resolved";
            summary: string;
            value: number | null;
            threshold: number | null;
            owner: string | null;
            false_alarm: boolean;
            silenced_by: string | null;
            /** Format: date-time */
            opened_at: string;
            /** Format: date-time */
            first_window_end: string;
            /** Format: date-time */
            last_window_end: string;
            /** Format: date-time */
            acknowledged_at: string | null;
            acknowledged_by: string | null;
            /** Format: date-time */
            resolved_at: string | null;
            resolved_by: string | null;
        };
        AlertInFull: {
            alert_id: string;
            rule: string;
            model: string | null;
            version: string | null;
            /** @enum {unknown} */
            monitor: "drift" | "performance" | "data_quality" | "stream" | "platform";
            subject: string;
            segment: string;
            /** @enum {unknown} */
            severity: "low" | "medium" | "high";
            /** @enum {unknown} */
            status: "open" | "acknowledged" | "resolved";
            summary: string;
            value: number | null;
            threshold: number | null;
            owner: string | null;
            false_alarm: boolean;
            silenced_by: string | null;
            /** Format: date-time */
            opened_at: string;
            /** Format: date-time */
            first_window_end: string;
            /** Format: date-time */
            last_window_end: string;
            /** Format: date-time */
            acknowledged_at: string | null;
            acknowledged_by: string | null;
            /** Format: date-time */
            resolved_at: string | null;
            resolved_by: string | null;
            evidence: Record<string, never>;
            history: {
                /** @enum {unknown} */
                event: "opened" | "escalated" | "acknowledged" | "resolved" | "commented" | "marked_false" | "marked_true" | "repair_begun" | "repair_waits";
                by: string;
                note: string | null;
                detail: Record<string, never> | null;
                /** @enum {unknown} */
                telling: "never" | "waiting" | "told" | "dropped";
                message_id: string | null;
                /** Format: date-time */
                at: string;
            }[];
            deliveries: {
                delivery_id: string;
                receiver: string;
                message_id: string;
                /** @enum {unknown} */
                state: "pending" | "delivered" | "dead";
                attempts: number;
                last_status_code: number | null;
                last_error: string | null;
                /** Format: date-time */
                next_attempt_at: string | null;
                /** Format: date-time */
                created_at: string;
                /** Format: date-time */
                finished_at: string | null;
            }[];
        };
        AlertRule: {
            name: string;
            /** @enum {unknown} */
            declared_in: "api" | "file" | "built_in";
            enabled: boolean;
            description: string | null;
            when: Record<string, never>;
            /** @enum {unknown} */
            severity: "low" | "medium" | "high" | null;
            open_after: number;
            resolve_after: number;
            owner: string | null;
            receivers: string[];
            models: string[];
        };
        AlertSilence: {
            silence_id: string;
            model: string | null;
            rule: string | null;
            subject: string | null;
            /** @enum {unknown} */
            severity: "low" | "medium" | "high" | null;
            reason: string;
            /** @enum {unknown} */
            state: "planned" | "active" | "over";
            /** Format: date-time */
            starts_at: string;
            /** Format: date-time */
            ends_at: string;
            created_by: string;
            /** Format: date-time */
            created_at: string;
        };
        AlertReceiver: {
            receiver_id: string;
            /** @enum {unknown} */
            kind: "webhook" | "slack" | "email" | "alertmanager";
            address: string;
            waiting: number;
            dead: number;
        };
        AlertTest: {
            message_id: string;
            receiver_id: string;
        };
        AlertBudget: {
            model: string;
            /** Format: date-time */
            since: string;
            false_alarms_per_year: number;
            alerts: number;
            used: number;
            left: number;
            used_up: boolean;
            extra_windows: number;
            false_alarms: {
                alert_id: string;
                rule: string;
                subject: string;
                summary: string;
                /** Format: date-time */
                opened_at: string;
                marked_by: string | null;
            }[];
        };
        RepairAccepted: {
            job_id: string;
            status: components["schemas"]["JobState"];
            status_url: string;
            repair_id: string;
        };
        Repair: {
            repair_id: string;
            model: string;
            /** @enum {unknown} */
            state: "running" | "repaired" | "not_better" | "rolled_back" | "failed" | "cancelled";
            alert_id: string | null;
            trigger: string;
            requested_by: string;
            /** Format: date-time */
            since: string | null;
            former_version: string;
            new_version: string | null;
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        RepairInFull: {
            repair_id: string;
            model: string;
            /** @enum {unknown} */
            state: "running" | "repaired" | "not_better" | "rolled_back" | "failed" | "cancelled";
            alert_id: string | null;
            trigger: string;
            requested_by: string;
            /** Format: date-time */
            since: string | null;
            former_version: string;
            new_version: string | null;
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
            story: string;
            steps: {
                /** @enum {unknown} */
                step: "opened" | "collected" | "trained" | "judged" | "rolled_out" | "closed";
                summary: string;
                detail: Record<string, never>;
                /** Format: date-time */
                at: string;
            }[];
        };
        DrillAccepted: {
            job_id: string;
            status: components["schemas"]["JobState"];
            status_url: string;
            drill_id: string;
        };
        Drill: {
            drill_id: string;
            /** @enum {unknown} */
            kind: "rollout" | "aa_replay";
            model: string;
            /** @enum {unknown} */
            state: "pending" | "running" | "passed" | "failed" | "cancelled";
            settings: Record<string, never>;
            trials: components["schemas"]["DrillTrial"][];
            result: Record<string, never> | null;
            reason: string | null;
            job_id: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        DrillTrial: {
            /** @enum {unknown} */
            fault: "wrong" | "slow" | "error" | "none";
            /** @enum {unknown} */
            strategy: "shadow" | "canary";
            version: string;
            deployment_id: string;
            state: string;
            reason: string | null;
            passed: boolean;
            /** Format: date-time */
            first_answer_at: string | null;
            /** Format: date-time */
            detected_at: string | null;
            /** Format: date-time */
            safe_at: string | null;
            seconds_to_detection: number | null;
            seconds_to_safety: number | null;
            requests: number;
            failed_requests: number;
            answered: number;
            stood_in: number;
            scored: number;
        };
        KeysReport: {
            /** @description The first of `ENCRYPTION_KEYS`; null = nothing is encrypted */
            writing_key_id: string | null;
            keys: {
                /** @description null = not encrypted */
                key_id: string | null;
                files: number;
                bytes: number;
            }[];
        };
        Upload: {
            upload_id: string;
            source: string;
            /** @enum {unknown} */
            format: "csv" | "tsv" | "ndjson" | "json" | "parquet" | "arrow";
            /** @enum {unknown} */
            compression: "none" | "gzip" | "zstd";
            bytes: number;
            sha256: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            expires_at: string;
        };
        EventIntake: {
            accepted: number;
            rejected: number;
            problems: {
                line: number;
                path: string;
                message: string;
            }[];
        };
        Watermark: {
            watermark_id: string;
            data_type: string;
            source: string;
            cursor_column: string;
            value: string;
            dataset_id: string;
            /** Format: date-time */
            updated_at: string;
        };
        FeatureView: {
            view: string;
            version: number;
            digest: string;
            /** @enum {unknown} */
            declared_in: "file" | "api";
            owner: string;
            description: string | null;
            entity: string;
            ttl_seconds: number;
            features: {
                name: string;
                /** @enum {unknown} */
                type: "number" | "string" | "boolean";
                on_demand: boolean;
            }[];
            materialized: components["schemas"]["FeatureMaterialization"] | null;
            consumers: {
                model: string;
                version: string;
                view_version: number;
                state: string;
            }[];
            created_by: string;
            /** Format: date-time */
            created_at: string;
        };
        FeatureViewDetail: {
            view: string;
            version: number;
            digest: string;
            /** @enum {unknown} */
            declared_in: "file" | "api";
            owner: string;
            description: string | null;
            entity: string;
            ttl_seconds: number;
            features: {
                name: string;
                /** @enum {unknown} */
                type: "number" | "string" | "boolean";
                on_demand: boolean;
            }[];
            materialized: components["schemas"]["FeatureMaterialization"] | null;
            consumers: {
                model: string;
                version: string;
                view_version: number;
                state: string;
            }[];
            created_by: string;
            /** Format: date-time */
            created_at: string;
            definition: Record<string, never>;
            versions: {
                version: number;
                digest: string;
                /** @enum {unknown} */
                declared_in: "file" | "api";
                created_by: string;
                /** Format: date-time */
                created_at: string;
                definition: Record<string, never>;
            }[];
        };
        FeatureMaterialization: {
            job_id: string;
            version: number;
            /** @enum {unknown} */
            mode: "full" | "incremental";
            /** Format: date-time */
            end: string;
            age_seconds: number;
            entities: number;
            checksum: string;
            inputs: {
                [key: string]: {
                    dataset_id: string;
                    digest: string;
                };
            };
            statistics: {
                name: string;
                /** @enum {unknown} */
                type: "number" | "string" | "boolean";
                null_share: number;
                distinct: number;
                minimum: unknown;
                maximum: unknown;
                mean: number | null;
            }[];
            /** Format: date-time */
            finished_at: string | null;
        };
        OnlineFeatures: {
            items: {
                entity_id: string;
                features: {
                    [key: string]: string | number | boolean | null;
                };
                views: {
                    [key: string]: {
                        version: number | null;
                        /** @enum {unknown} */
                        status: "fresh" | "expired" | "missing";
                        age_seconds: number | null;
                    };
                };
            }[];
        };
        HistoricalFeatures: {
            items: {
                entity_id: string;
                /** Format: date-time */
                as_of: string;
                features: {
                    [key: string]: string | number | boolean | null;
                };
                views: {
                    [key: string]: {
                        version: number;
                        /** @enum {unknown} */
                        status: "fresh" | "expired" | "missing";
                        age_seconds: number | null;
                    };
                };
            }[];
        };
        /**
         * @example {
         *       "id": "1042",
         *       "at": "2026-03-01T10:15:00.000Z",
         *       "level": "info",
         *       "source": "training-worker",
         *       "step": "fitModel",
         *       "attempt": 1,
         *       "message": "fitModel done",
         *       "detail": {
         *         "seconds": 12.4,
         *         "rows": 2000
         *       }
         *     }
         */
        JobLogLine: {
            id: string;
            /** Format: date-time */
            at: string;
            /** @enum {unknown} */
            level: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
            source: string;
            step: string | null;
            attempt: number | null;
            message: string;
            detail: Record<string, never>;
        };
        LineageGraph: {
            about: string;
            nodes: {
                id: string;
                /** @enum {unknown} */
                kind: "prediction" | "predictions" | "version" | "dataset" | "part" | "source" | "feature_view" | "job";
                detail: Record<string, never>;
            }[];
            edges: {
                from: string;
                to: string;
                /** @enum {unknown} */
                relation: "answered_by" | "trained_on" | "joined_with" | "reads" | "has_part" | "read_from" | "made_of" | "made_by";
            }[];
        };
        RetentionPlan: {
            policy: Record<string, never>;
            items: {
                /** @enum {unknown} */
                kind: "dataset" | "quarantine" | "staging" | "orphan";
                id: string;
                bytes: number;
                reason: string;
            }[];
            held: {
                id: string;
                reason: string;
            }[];
            records: {
                table: string;
                days: number;
                rows: number;
            }[];
        };
        ErasureAccepted: {
            job_id: string;
            status: components["schemas"]["JobState"];
            status_url: string;
            erasure_id: string;
        };
        Forgotten: {
            processes: number;
            forgotten: number;
            waiting: number;
        };
        Erasure: {
            erasure_id: string;
            /** @enum {unknown} */
            state: "pending" | "running" | "completed" | "incomplete" | "failed";
            report: {
                erased: {
                    [key: string]: number;
                };
                searched: {
                    store: string;
                    remaining: number;
                    places?: string[];
                }[];
                models: {
                    model: string;
                    version: string;
                    state: string;
                    datasets: string[];
                    names_subject: boolean;
                }[];
                datasets: string[];
                not_reachable: string[];
                complete: boolean;
            };
            requested_by: string;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        Sweep: {
            sweep_id: string;
            job_id: string;
            model: string;
            /** @enum {unknown} */
            state: "running" | "paused" | "completed" | "stopped" | "failed" | "cancelled";
            settings: {
                [key: string]: unknown;
            };
            warm_start: {
                sweep_id: string | null;
                configurations: {
                    [key: string]: unknown;
                }[];
            };
            trials: number;
            timeout_seconds: number | null;
            counts: {
                running: number;
                completed: number;
                pruned: number;
                failed: number;
                stopped: number;
            };
            best: null | {
                trial: number;
                loss: number | null;
                configuration: {
                    [key: string]: unknown;
                };
            };
            /** @description Of several objectives the trials within the constraints that no other betters in all, by the first objective; the first of them is the best */
            front: {
                trial: number;
                configuration: {
                    [key: string]: unknown;
                };
                values: {
                    [key: string]: number;
                };
            }[];
            eta_seconds: number | null;
            reason: string | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        SweepTrial: {
            sweep_id: string;
            trial: number;
            /** @enum {unknown} */
            state: "running" | "completed" | "pruned" | "failed" | "stopped";
            configuration: {
                [key: string]: unknown;
            };
            /** @enum {unknown} */
            source: "sampler" | "warm_start";
            loss: number | null;
            losses: number[];
            violation: number | null;
            metrics: {
                [key: string]: number;
            };
            /** @description Losses on the way, lower is better; null where it was no number */
            curve: {
                resource: number;
                loss: number | null;
            }[];
            reason: string | null;
            /** @description The equal trial whose measurement was taken over */
            cached_from: string | null;
            attempts: number;
            seconds: number | null;
            peak_memory_mb: number | null;
            worker: string | null;
            /** Format: date-time */
            started_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        Schedule: {
            model: string;
            schedule_id: string;
            cron: string;
            timezone: string;
            /** @enum {unknown} */
            overlap: "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "terminate_other" | "allow_all";
            jitter_seconds: number;
            catch_up_seconds: number;
            paused: boolean;
            note: string | null;
            next_runs: string[];
            recent_runs: {
                job_id: string;
                /** Format: date-time */
                scheduled_at: string;
                /** Format: date-time */
                started_at: string;
            }[];
            runs: {
                started: number;
                skipped: number;
                missed: number;
            };
            on_drift: boolean;
            training: Record<string, never>;
        };
        DrillSchedule: {
            schedule_id: string;
            cron: string;
            timezone: string;
            /** @enum {unknown} */
            overlap: "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "terminate_other" | "allow_all";
            jitter_seconds: number;
            catch_up_seconds: number;
            paused: boolean;
            note: string | null;
            next_runs: string[];
            recent_runs: {
                job_id: string;
                /** Format: date-time */
                scheduled_at: string;
                /** Format: date-time */
                started_at: string;
            }[];
            runs: {
                started: number;
                skipped: number;
                missed: number;
            };
            drill: Record<string, never>;
        };
        RetentionSchedule: {
            schedule_id: string;
            cron: string;
            timezone: string;
            /** @enum {unknown} */
            overlap: "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "terminate_other" | "allow_all";
            jitter_seconds: number;
            catch_up_seconds: number;
            paused: boolean;
            note: string | null;
            next_runs: string[];
            recent_runs: {
                job_id: string;
                /** Format: date-time */
                scheduled_at: string;
                /** Format: date-time */
                started_at: string;
            }[];
            runs: {
                started: number;
                skipped: number;
                missed: number;
            };
        };
        Run: {
            run_id: string;
            /** @enum {unknown} */
            kind: "training" | "trial";
            parent_id: string | null;
            model: string;
            /** @enum {unknown} */
            status: "running" | "completed" | "failed" | "cancelled" | "pruned";
            params: Record<string, never>;
            metrics: {
                [key: string]: number;
            };
            artifacts: {
                path: string;
                sha256: string;
                bytes: number;
            }[];
            version: string | null;
            dataset_id: string | null;
            dataset_digest: string | null;
            code_version: string | null;
            environment: Record<string, never>;
            cost: {
                wall_seconds: number;
                cpu_seconds: number;
                peak_memory_bytes: number;
            };
            error: Record<string, never> | null;
            /** Format: date-time */
            created_at: string;
            /** Format: date-time */
            finished_at: string | null;
        };
        RunsReport: {
            /** @enum {unknown} */
            format_version: 1;
            title: string;
            model: string;
            summary: string[];
            facts: string[][];
            warnings: string[];
            sections: {
                title: string;
                text: string;
                plots: ({
                    /** @enum {unknown} */
                    kind: "roc" | "precision_recall" | "reliability" | "residuals" | "forecast_fan" | "importance" | "learning_curve" | "slices" | "confusion" | "histogram" | "series_anomalies" | "comparison" | "optimisation_history" | "parallel_coordinates";
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
        RunCurve: {
            run_id: string;
            name: string;
            points: {
                step: number;
                value: number;
                /** Format: date-time */
                at: string;
            }[];
        };
        RunComparison: {
            runs: {
                run_id: string;
                model: string;
                /** @enum {unknown} */
                kind: "training" | "trial";
                /** @enum {unknown} */
                status: "running" | "completed" | "failed" | "cancelled" | "pruned";
                version: string | null;
                dataset_id: string | null;
                code_version: string | null;
                /** Format: date-time */
                created_at: string;
            }[];
            params: {
                name: string;
                values: unknown[];
                differs: boolean;
            }[];
            metrics: {
                name: string;
                values: unknown[];
                differs: boolean;
            }[];
            cost: {
                name: string;
                values: unknown[];
                differs: boolean;
            }[];
        };
        Health: {
            /** @enum {unknown} */
            status: "ok" | "degraded";
            degraded: {
                state: string;
                affects: string;
            }[];
            version: string;
            uptime_seconds: number;
            dependencies: {
                [key: string]: {
                    /** @enum {unknown} */
                    status: "up" | "down";
                    latency_ms: number;
                    affects: string;
                    error?: string;
                    last_error: null | {
                        message: string;
                        /** Format: date-time */
                        at: string;
                    };
                };
            };
            task_queues: {
                queue: string;
                /** @enum {unknown} */
                kind: "workflow" | "activity";
                pollers: number;
                builds: {
                    deployment: string;
                    build_id: string;
                }[];
                backlog: number;
                oldest_seconds: number;
            }[];
            spools: {
                [key: string]: {
                    rows: number;
                    bytes: number;
                    most_bytes: number;
                };
            };
            disks: {
                [key: string]: {
                    free_bytes: number;
                    total_bytes: number;
                };
            };
            not_served: string[];
            serving: {
                model: string;
                version: string;
            }[];
        };
        LogLevel: {
            /** @enum {unknown} */
            level: "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL";
            /** @enum {unknown} */
            configured_level: "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL";
            /** Format: date-time */
            until: string | null;
        };
        Finding: {
            id: string;
            model: string;
            version: string | null;
            /** @enum {unknown} */
            monitor: "drift" | "performance" | "data_quality" | "stream";
            subject: string;
            segment: string;
            /** Format: date-time */
            window_start: string;
            /** Format: date-time */
            window_end: string;
            /** @enum {unknown} */
            state: "ok" | "suspect" | "alarm" | "unknown";
            /** @enum {unknown} */
            severity: "none" | "low" | "medium" | "high";
            value: number | null;
            threshold: number | null;
            summary: string;
            evidence: Record<string, never>;
            /** Format: date-time */
            found_at: string;
        };
        Monitor: {
            model: string;
            settings: Record<string, never>;
            /** @enum {unknown} */
            declared_in: "default" | "config" | "api";
            updated_by: string | null;
            /** Format: date-time */
            updated_at: string | null;
            /** Format: date-time */
            next_run: string | null;
            last_run: null | {
                job_id: string;
                status: string;
                /** Format: date-time */
                started_at: string | null;
                /** Format: date-time */
                finished_at: string | null;
            };
            /** @description What the newest window of each monitor shows; null before the first run */
            findings: null | {
                /** Format: date-time */
                window_end: string;
                states: {
                    ok: number;
                    suspect: number;
                    alarm: number;
                    unknown: number;
                };
                worst: components["schemas"]["Finding"][];
            };
        };
        DriftAnalytics: {
            model: string;
            /** Format: date */
            start_date: string;
            /** Format: date */
            end_date: string;
            /** @enum {unknown} */
            interval: "day" | "hour";
            columns: {
                subject: string;
                segment: string;
                alarms: number;
                series: {
                    /** Format: date-time */
                    at: string;
                    /** Format: date-time */
                    window_start: string;
                    /** Format: date-time */
                    window_end: string;
                    version: string | null;
                    /** @enum {unknown} */
                    state: "ok" | "suspect" | "alarm" | "unknown";
                    /** @enum {unknown} */
                    severity: "none" | "low" | "medium" | "high";
                    rows: number | null;
                    reference_rows: number | null;
                    tests: {
                        /** @enum {unknown} */
                        test: "kolmogorov_smirnov" | "chi_square" | "missing_rate" | "new_categories" | "domain_classifier";
                        statistic: number;
                        p_value: number;
                    }[];
                    effects: {
                        /** @enum {unknown} */
                        measure: "wasserstein_per_deviation" | "jensen_shannon_distance" | "missing_share";
                        /** @description What is beyond chance; it is compared with the threshold */
                        size: number;
                        raw: number;
                        /** @enum {unknown} */
                        direction: "up" | "down" | "none";
                    }[];
                    missing: null | {
                        reference: number;
                        current: number;
                    };
                    /** @enum {unknown} */
                    cause: "missing_values" | "constant" | "unit_change" | "renamed_category" | "new_category" | "lost_category" | "category_shares" | "mean_shift" | "changed_spread" | "changed_shape" | null;
                    /** @enum {unknown} */
                    advice: "ignore" | "fix_upstream" | "retrain" | "roll_back" | null;
                    summary: string;
                }[];
            }[];
        };
        DataQuality: {
            model: string;
            /** Format: date */
            start_date: string;
            /** Format: date */
            end_date: string;
            /** @enum {unknown} */
            interval: "day" | "hour";
            data_type: string;
            newest_dataset: null | {
                dataset_id: string;
                /** Format: date-time */
                created_at: string;
                age_hours: number;
                rows: number;
                quarantined_rows: number;
                missing: {
                    column: string;
                    share: number;
                }[];
                findings: {
                    severity: string;
                    column?: string;
                    message: string;
                    rows: number;
                }[];
                report: null | {
                    report_id: string;
                    passed: boolean;
                    failed_checks: {
                        name: string;
                        severity: string;
                        message: string;
                    }[];
                };
            };
            datasets: {
                /** Format: date-time */
                at: string;
                datasets: number;
                rows: number;
                quarantined_rows: number;
                reports: number;
                failed_reports: number;
                age_hours: number | null;
            }[];
            requests: {
                /** Format: date-time */
                at: string;
                rows: number | null;
                violations: {
                    column: string;
                    violation: string;
                    rows: number;
                    share: number;
                }[];
                missing: {
                    column: string;
                    share: number;
                }[];
                out_of_range: {
                    column: string;
                    below: number;
                    above: number;
                }[];
            }[];
        };
        RollupProgress: {
            /**
             * Format: date-time
             * @description When answers were last summed up; later ones follow within seconds
             */
            predictions_at: string;
            /**
             * Format: date-time
             * @description When truths were last summed up
             */
            outcomes_at: string;
            /** @description Hours that wait to be summed up anew after a correction */
            hours_to_correct: number;
        };
        PredictionAnalytics: {
            model: string;
            /** Format: date */
            start_date: string;
            /** Format: date */
            end_date: string;
            /** @enum {unknown} */
            interval: "day" | "hour";
            totals: {
                requests: number;
                errors: number;
                error_share: number | null;
                cached: number;
                cached_share: number | null;
                latency_ms: {
                    p50: number | null;
                    p95: number | null;
                    p99: number | null;
                };
                heads: {
                    [key: string]: {
                        answers: number;
                        mean_score: number | null;
                        class_shares: {
                            [key: string]: number;
                        };
                    };
                };
            };
            versions: {
                version: string;
                arm: string | null;
                segment: string;
                requests: number;
                errors: number;
                error_share: number | null;
                cached: number;
                cached_share: number | null;
                latency_ms: {
                    p50: number | null;
                    p95: number | null;
                    p99: number | null;
                };
                heads: {
                    [key: string]: {
                        answers: number;
                        mean_score: number | null;
                        class_shares: {
                            [key: string]: number;
                        };
                    };
                };
            }[];
            series: {
                /** Format: date-time */
                start: string;
                segment: string;
                requests: number;
                errors: number;
                error_share: number | null;
                cached: number;
                cached_share: number | null;
                latency_ms: {
                    p50: number | null;
                    p95: number | null;
                    p99: number | null;
                };
                heads: {
                    [key: string]: {
                        answers: number;
                        mean_score: number | null;
                        class_shares: {
                            [key: string]: number;
                        };
                    };
                };
                versions: {
                    [key: string]: number;
                };
            }[];
            progress: components["schemas"]["RollupProgress"];
            /** @description Why nothing is there, where that is so */
            note: string | null;
        };
        MetricSummary: {
            realised: null | {
                value: number | null;
                lower: number | null;
                upper: number | null;
                rows: number;
            };
            estimated: null | {
                value: number | null;
                lower: number | null;
                upper: number | null;
                rows: number;
                /** @enum {unknown} */
                method: "confidence_based" | "direct_loss";
            };
            /** @description The version’s own metric on the rows held out in training */
            baseline: null | {
                value: number | null;
                lower: number | null;
                upper: number | null;
                rows: number;
            };
        };
        EstimateError: {
            /** @description Entries of the series with 30 truths or more */
            intervals: number;
            mean_absolute_error: number;
            /** @description Mean of estimate minus realised */
            bias: number;
        };
        VersionPerformance: {
            version: string;
            arm: string | null;
            segment: string;
            requests: number;
            /** @description Answers whose truth is known */
            labelled: number;
            label_coverage: number | null;
            heads: {
                [key: string]: {
                    [key: string]: components["schemas"]["MetricSummary"];
                };
            };
            estimate_errors: {
                [key: string]: {
                    [key: string]: components["schemas"]["EstimateError"];
                };
            };
        };
        PerformanceEntry: {
            /** Format: date-time */
            start: string;
            /** @description Old enough that truths which come late are in */
            is_mature: boolean;
            version: string;
            arm: string | null;
            segment: string;
            requests: number;
            /** @description Answers whose truth is known */
            labelled: number;
            label_coverage: number | null;
            heads: {
                [key: string]: {
                    [key: string]: components["schemas"]["MetricSummary"];
                };
            };
        };
        ModelPerformance: {
            model: string;
            /** Format: date */
            start_date: string;
            /** Format: date */
            end_date: string;
            /** @enum {unknown} */
            interval: "day" | "hour";
            label_maturity_hours: number;
            versions: components["schemas"]["VersionPerformance"][];
            series: components["schemas"]["PerformanceEntry"][];
            progress: components["schemas"]["RollupProgress"];
            /** @description Why nothing is there, where that is so */
            note: string | null;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
                     * @description What turned out to be true, by prediction head; of a forecast the measured values from its first step on, null for a gap; of `items` the item that was taken, or several
                     * @default {}
                     */
                    outcome?: {
                        [key: string]: (number | string | boolean | null) | (number | string | null)[];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The answer would come after the deadline */
            504: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["InferenceError"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The answer would come after the deadline */
            504: {
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
                    /** @description Look for good hyperparameters first, by many trials; by default as the entry of the model says, with false not */
                    search?: false | {
                        /**
                         * @description Configurations that are tried
                         * @default 50
                         */
                        trials?: number;
                        /**
                         * @description How configurations are drawn
                         * @default auto
                         * @enum {string}
                         */
                        sampler?: "auto" | "gp" | "tpe" | "sobol" | "random";
                        /**
                         * @description Which trials are ended early: `asha`, or with several objectives `none`, unless given
                         * @enum {string}
                         */
                        pruner?: "none" | "median" | "successive_halving" | "asha" | "hyperband";
                        /** @description What a trial is judged by; the loss alone unless given. Of several the front of what nothing betters in all is kept, and the first decides */
                        objectives?: {
                            /** @description `loss`, or another measure of the kind; a wrong name is answered with those that there are */
                            metric: string;
                            /**
                             * @description The one that is better, unless given
                             * @enum {string}
                             */
                            direction?: "minimize" | "maximize";
                        }[];
                        /** @description What a trial must meet to be taken, such as `{metric: latency_us, max: 200}` or `{metric: model_bytes, max: 1000000}` */
                        constraints?: {
                            metric: string;
                            /** @description No more than this */
                            max?: number;
                            /** @description No less than this */
                            min?: number;
                        }[];
                        /**
                         * @default {
                         *       "models": 3
                         *     }
                         */
                        ensemble?: {
                            /** @description The best so many trials may answer together, within the constraints on size and latency; 1 for never */
                            models: number;
                        };
                        /**
                         * @description The same seed, trials, parallelism, data and warm start give the same table of trials
                         * @default 42
                         */
                        seed?: number;
                        /** @description Seconds that the search may run, pauses apart; then the best so far is taken */
                        timeout_seconds?: number;
                        /**
                         * @description Trials side by side; each is drawn without knowing the ends of those that may run beside it
                         * @default 4
                         */
                        parallelism?: number;
                        /** @description By parameter `{type: float, low, high, log?}`, `{type: int, low, high, log?, step?}` or `{type: categorical, choices}`, with `when: {parameter, in}` only for some values of another; that of the kind by default */
                        space?: {
                            [key: string]: unknown;
                        };
                        /**
                         * @description Try the best configurations of an earlier sweep first: the last one of the same model, schema and space, the one that is named, or none
                         * @default true
                         */
                        warm_start?: boolean | string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
                         * @description The role that a person needs to approve or promote
                         * @default operator
                         * @enum {string}
                         */
                        approval_role?: "operator" | "admin";
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
                         * @description The role that a person needs to approve or promote
                         * @default operator
                         * @enum {string}
                         */
                        approval_role?: "operator" | "admin";
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
                     * @description Before any traffic the version is compared with the present one on labelled rows that neither has learnt from. `stop_on_harm` ends the rollout when it is shown to be worse, `must_pass` also when it is not shown to be safe
                     * @default stop_on_harm
                     * @enum {string}
                     */
                    holdout?: "stop_on_harm" | "must_pass" | "off";
                    /**
                     * @description Give it traffic although traffic is frozen: see GET /freezes
                     * @default false
                     */
                    override_freeze?: boolean;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now; Traffic is frozen; The state of the version does not allow this; The version lacks approvals */
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
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now; The state of the version does not allow this; The version lacks approvals */
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
            /** @description A stored file is damaged; Something went wrong on our side */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
                /** @description Only versions in this state; archived ones are listed in no other way */
                state?: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived";
                /** @description Only versions with this tag: `key`, or `key:value` */
                tag?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    delete_models_model_versions_version: {
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
            /** @description The version is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Something relies on the version */
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
    post_models_model_versions_version_state: {
        parameters: {
            query?: never;
            header?: never;
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
                 *       "state": "candidate",
                 *       "reason": "The best of this week."
                 *     }
                 */
                "application/json": {
                    /**
                     * @description `candidate`, `archived`, or what an archived version was before
                     * @enum {string}
                     */
                    state: "registered" | "candidate" | "shadow" | "canary" | "production" | "retired" | "archived";
                    /** @description Kept with the change */
                    reason?: string;
                };
            };
        };
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The state of the version does not allow this; Something relies on the version */
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
    get_models_model_versions_version_history: {
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
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of changes */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["VersionEvent"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_models_model_versions_version_notes: {
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
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of notes */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["VersionNote"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_models_model_versions_version_notes: {
        parameters: {
            query?: never;
            header?: never;
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
                 *       "text": "Trained without the users of the pilot."
                 *     }
                 */
                "application/json": {
                    text: string;
                };
            };
        };
        responses: {
            /** @description The note */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["VersionNote"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    put_models_model_versions_version_tags: {
        parameters: {
            query?: never;
            header?: never;
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
                 *       "tags": {
                 *         "team": "growth"
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description All tags of the version: those that are not named are taken away */
                    tags: {
                        [key: string]: string;
                    };
                };
            };
        };
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_models_model_versions_version_approvals: {
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
            /** @description The approvals */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Approvals"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_models_model_versions_version_approvals: {
        parameters: {
            query?: never;
            header?: never;
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
                 *       "decision": "approve",
                 *       "note": "The slices look right."
                 *     }
                 */
                "application/json": {
                    /** @enum {string} */
                    decision: "approve" | "reject";
                    /** @description Why */
                    note?: string;
                };
            };
        };
        responses: {
            /** @description The approvals */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Approvals"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_models_model_aliases: {
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
            /** @description All aliases */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Alias"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    put_models_model_aliases_alias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                alias: string;
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
                    /** @description The version, or another alias of it */
                    version: string;
                };
            };
        };
        responses: {
            /** @description The alias */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Alias"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The state of the version does not allow this */
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
    delete_models_model_aliases_alias: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                alias: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The alias is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No such alias */
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
            /** @description The state of the version does not allow this */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_models_model_versions_version_card: {
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
            /** @description The card */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/markdown": string;
                    "application/json": components["schemas"]["ModelCard"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_models_model_versions_version_compare_other: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
                version: string;
                other: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The comparison */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Comparison"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_models_model_versions_import: {
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
                 *       "source": "models:/churn@champion",
                 *       "features": [
                 *         {
                 *           "name": "usage"
                 *         },
                 *         {
                 *           "name": "tickets"
                 *         }
                 *       ],
                 *       "classes": [
                 *         "stay",
                 *         "leave"
                 *       ],
                 *       "examples": [
                 *         {
                 *           "features": {
                 *             "usage": 12.5,
                 *             "tickets": 3
                 *           }
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description An .onnx file below DATA_SOURCE_ROOTS, or of the MLflow server `models:/name/3`, `models:/name@alias` or `runs:/run_id/path` */
                    source: string;
                    /** @description In the order in which an input of several columns takes them */
                    features: {
                        /** @description As callers send it */
                        name: string;
                        /**
                         * @default number
                         * @enum {string}
                         */
                        type?: "number" | "boolean" | "category";
                        /** @description The input of the model that takes it; by default the one of its name, or the only one */
                        input?: string;
                    }[];
                    /** @description The output to answer with: probabilities or a value; by default the only one that fits */
                    output?: string;
                    /** @description Of a classification the classes, in the order of the probabilities */
                    classes?: string[];
                    /** @description Requests that the version is held to each time that it is loaded */
                    examples?: {
                        features: {
                            [key: string]: number | string | boolean | null;
                        };
                        /** @description What the model must say: it is refused otherwise */
                        outputs?: number[];
                    }[];
                };
            };
        };
        responses: {
            /** @description The version */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Version"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The request does not fit its schema; The model cannot be imported; The source may not be read */
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
    get_models_model_versions_version_export: {
        parameters: {
            query?: {
                /** @description The form of the file */
                format?: "onnx";
            };
            header?: never;
            path: {
                model: string;
                version: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The file */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/octet-stream": string;
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The request does not fit its schema; The version has no such form */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "The campaign is over."
                 *     }
                 */
                "application/json": {
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now */
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
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "The campaign is over."
                 *     }
                 */
                "application/json": {
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now */
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
    post_deployments_deployment_id_approve: {
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
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "The campaign is over."
                 *     }
                 */
                "application/json": {
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now */
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
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "The campaign is over."
                 *     }
                 */
                "application/json": {
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now */
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
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "Seen enough."
                 *     }
                 */
                "application/json": {
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
                    /**
                     * @description Promote although traffic is frozen
                     * @default false
                     */
                    override_freeze?: boolean;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now; Traffic is frozen */
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
                    /** @description Why; it is written down with the name of the caller */
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The rollout is not possible now */
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
    get_freezes: {
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
            /** @description A page of freezes */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Freeze"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    put_freezes_freeze: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                freeze: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "reason": "Nobody is on call.",
                 *       "window": {
                 *         "days": [
                 *           "fri"
                 *         ],
                 *         "from": "16:00",
                 *         "to": "08:00",
                 *         "time_zone": "Europe/Berlin"
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description All models by default */
                    model?: string;
                    reason: string;
                    /** @description Once, or every week */
                    window: {
                        /** Format: date-time */
                        starts_at: string;
                        /** Format: date-time */
                        ends_at: string;
                    } | {
                        /** @description Days on which the window begins */
                        days: ("sun" | "mon" | "tue" | "wed" | "thu" | "fri" | "sat")[];
                        from: string;
                        /** @description The next day when it is not after `from` */
                        to: string;
                        /** @default UTC */
                        time_zone?: string;
                    };
                };
            };
        };
        responses: {
            /** @description The freeze */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Freeze"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    delete_freezes_freeze: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                freeze: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The freeze is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such freeze */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
                     * @description `thompson` gives later entities to the arms that look better; estimates stay unbiased
                     * @default {
                     *       "method": "fixed"
                     *     }
                     */
                    allocation?: {
                        /** @constant */
                        method: "fixed";
                    } | {
                        /** @constant */
                        method: "thompson";
                        /** @description The least chance of an arm; by default a fifth of an equal share */
                        floor?: number;
                        /**
                         * @description Parts of the entities that come in one after the other, each by the chances of its time
                         * @default 10
                         */
                        batches?: number;
                        /** @description Time between two batches; by default all are in when half of max_seconds is over */
                        refresh_seconds?: number;
                        /**
                         * @description What arms may be better for: each combination of levels learns its own chances
                         * @default []
                         */
                        context?: ({
                            /** @description A feature of the model that does not change with time */
                            feature: string;
                            /** @description Each has chances of its own; all other values, and none, have them together */
                            values: string[];
                        } | {
                            /** @description A feature of the model that does not change with time */
                            feature: string;
                            /** @description Of a number: the bounds between bins, each of which has chances of its own */
                            edges: number[];
                        })[];
                    };
                    /** @description Experiments of one layer, of whichever models, never share an entity; by default the model is the layer */
                    layer?: string;
                    /**
                     * @description Percentage of the entities that take part
                     * @default 100
                     */
                    traffic?: number;
                    /** @description No winner is named before, so that no weekday decides alone; 7 days by default, or max_seconds if that is less */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The experiment is not possible now; The state of the version does not allow this; The version lacks approvals */
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
                     * @description `thompson` gives later entities to the arms that look better; estimates stay unbiased
                     * @default {
                     *       "method": "fixed"
                     *     }
                     */
                    allocation?: {
                        /** @constant */
                        method: "fixed";
                    } | {
                        /** @constant */
                        method: "thompson";
                        /** @description The least chance of an arm; by default a fifth of an equal share */
                        floor?: number;
                        /**
                         * @description Parts of the entities that come in one after the other, each by the chances of its time
                         * @default 10
                         */
                        batches?: number;
                        /** @description Time between two batches; by default all are in when half of max_seconds is over */
                        refresh_seconds?: number;
                        /**
                         * @description What arms may be better for: each combination of levels learns its own chances
                         * @default []
                         */
                        context?: ({
                            /** @description A feature of the model that does not change with time */
                            feature: string;
                            /** @description Each has chances of its own; all other values, and none, have them together */
                            values: string[];
                        } | {
                            /** @description A feature of the model that does not change with time */
                            feature: string;
                            /** @description Of a number: the bounds between bins, each of which has chances of its own */
                            edges: number[];
                        })[];
                    };
                    /** @description Experiments of one layer, of whichever models, never share an entity; by default the model is the layer */
                    layer?: string;
                    /**
                     * @description Percentage of the entities that take part
                     * @default 100
                     */
                    traffic?: number;
                    /** @description No winner is named before, so that no weekday decides alone; 7 days by default, or max_seconds if that is less */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_drills: {
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
            /** @description A page of drills */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Drill"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_drills: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "kind": "rollout",
                 *       "faults": [
                 *         "wrong",
                 *         "slow",
                 *         "error"
                 *       ],
                 *       "strategies": [
                 *         "shadow",
                 *         "canary"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @constant */
                    kind: "rollout";
                    /**
                     * @description What the bad versions do
                     * @default [
                     *       "wrong",
                     *       "slow",
                     *       "error"
                     *     ]
                     */
                    faults?: ("wrong" | "slow" | "error")[];
                    /**
                     * @description Where each of them is put
                     * @default [
                     *       "canary",
                     *       "shadow"
                     *     ]
                     */
                    strategies?: ("canary" | "shadow")[];
                    /**
                     * @description How long the slow version takes; a third of it counts as slow
                     * @default 15
                     */
                    slow_ms?: number;
                    /**
                     * @description Traffic that the drill makes; less where the slow version would keep a process busy
                     * @default 100
                     */
                    requests_per_second?: number;
                    /**
                     * @description A bad version that is not taken back within this time is not detected
                     * @default 60
                     */
                    limit_seconds?: number;
                } | {
                    /** @constant */
                    kind: "aa_replay";
                    model: string;
                    /**
                     * @description How much of the log is replayed, up to now
                     * @default 28
                     */
                    days?: number;
                    /**
                     * @description Looks at the evidence, at equal times
                     * @default 60
                     */
                    windows?: number;
                    /**
                     * @description How often the entities are split at random
                     * @default 300
                     */
                    replays?: number;
                    /**
                     * @description The same seed and log give the same result
                     * @default 1
                     */
                    seed?: number;
                    /**
                     * @description As in POST /models/{model}/deploy
                     * @default {}
                     */
                    canary?: {
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
                        /**
                         * @description Requests that each cohort must have sent before a step counts
                         * @default 500
                         */
                        min_samples?: number;
                        /**
                         * @description An answer is slow when it takes longer than this and than the 99th percentile of the present version
                         * @default 5
                         */
                        slow_ms?: number;
                    };
                };
            };
        };
        responses: {
            /** @description The drill was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DrillAccepted"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed */
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
            /** @description A drill is under way */
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
            /** @description The request does not fit its schema; There is too little log; The Idempotency-Key was used with another body */
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
    get_drills_schedule: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
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
                    "application/json": components["schemas"]["DrillSchedule"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such schedule */
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
    put_drills_schedule: {
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
                 *       "cron": "0 4 * * 1"
                 *     }
                 */
                "application/json": {
                    /** @description When: five cron fields */
                    cron: string;
                    /**
                     * @description The IANA time zone that the fields of cron are in
                     * @default UTC
                     */
                    timezone?: string;
                    /**
                     * @description A run whose time has come while the former one still goes
                     * @default skip
                     * @enum {string}
                     */
                    overlap?: "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "terminate_other" | "allow_all";
                    /**
                     * @description Each run starts up to so much later, drawn anew each time, so that many schedules do not start at once
                     * @default 0
                     */
                    jitter_seconds?: number;
                    /**
                     * @description After an outage, runs missed longer ago than this are not made up for
                     * @default 600
                     */
                    catch_up_seconds?: number;
                    /** @default false */
                    paused?: boolean;
                    /** @description Why it is paused, or anything else that the next person should know */
                    note?: string;
                    /**
                     * @description As in POST /drills
                     * @default {
                     *       "kind": "rollout"
                     *     }
                     */
                    drill?: {
                        /** @constant */
                        kind: "rollout";
                        /**
                         * @description What the bad versions do
                         * @default [
                         *       "wrong",
                         *       "slow",
                         *       "error"
                         *     ]
                         */
                        faults?: ("wrong" | "slow" | "error")[];
                        /**
                         * @description Where each of them is put
                         * @default [
                         *       "canary",
                         *       "shadow"
                         *     ]
                         */
                        strategies?: ("canary" | "shadow")[];
                        /**
                         * @description How long the slow version takes; a third of it counts as slow
                         * @default 15
                         */
                        slow_ms?: number;
                        /**
                         * @description Traffic that the drill makes; less where the slow version would keep a process busy
                         * @default 100
                         */
                        requests_per_second?: number;
                        /**
                         * @description A bad version that is not taken back within this time is not detected
                         * @default 60
                         */
                        limit_seconds?: number;
                    } | {
                        /** @constant */
                        kind: "aa_replay";
                        model: string;
                        /**
                         * @description How much of the log is replayed, up to now
                         * @default 28
                         */
                        days?: number;
                        /**
                         * @description Looks at the evidence, at equal times
                         * @default 60
                         */
                        windows?: number;
                        /**
                         * @description How often the entities are split at random
                         * @default 300
                         */
                        replays?: number;
                        /**
                         * @description The same seed and log give the same result
                         * @default 1
                         */
                        seed?: number;
                        /**
                         * @description As in POST /models/{model}/deploy
                         * @default {}
                         */
                        canary?: {
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
                            /**
                             * @description Requests that each cohort must have sent before a step counts
                             * @default 500
                             */
                            min_samples?: number;
                            /**
                             * @description An answer is slow when it takes longer than this and than the 99th percentile of the present version
                             * @default 5
                             */
                            slow_ms?: number;
                        };
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
                    "application/json": components["schemas"]["DrillSchedule"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    delete_drills_schedule: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such schedule */
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
    get_drills_drill_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                drill_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The drill */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Drill"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such drill */
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
    get_sweeps: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                model?: string;
                state?: "running" | "paused" | "completed" | "stopped" | "failed" | "cancelled";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of sweeps */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Sweep"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_sweeps_sweep_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sweep_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sweep */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sweep"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such sweep */
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
    get_sweeps_sweep_id_trials: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                state?: "running" | "completed" | "pruned" | "failed" | "stopped";
            };
            header?: never;
            path: {
                sweep_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of trials */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["SweepTrial"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such sweep */
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
    post_sweeps_sweep_id_pause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sweep_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sweep */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sweep"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such sweep */
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
            /** @description The sweep is not in a state that allows this */
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
    post_sweeps_sweep_id_resume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sweep_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sweep */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sweep"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such sweep */
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
            /** @description The sweep is not in a state that allows this */
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
    post_sweeps_sweep_id_stop: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sweep_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The sweep */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sweep"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such sweep */
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
            /** @description The sweep is not in a state that allows this */
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
    post_sweeps_sweep_id_budget: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                sweep_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "trials": 100
                 *     }
                 */
                "application/json": {
                    /** @description Trials in all, those that have begun included */
                    trials?: number;
                    /** @description Seconds in all since the start, pauses apart */
                    timeout_seconds?: number;
                };
            };
        };
        responses: {
            /** @description The sweep */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Sweep"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such sweep */
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
            /** @description The sweep is not in a state that allows this */
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
    get_jobs: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                status?: "queued" | "running" | "completed" | "failed" | "cancelled";
                type?: "ingest" | "preprocess" | "replay" | "train" | "deploy" | "experiment" | "drill" | "materialize" | "retain" | "erase" | "reencrypt" | "monitor" | "repair";
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
            query?: {
                /** @description Events `log` with the lines of the log after the one with this id, as they come; 0 for all */
                logs_after?: string;
            };
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A stream of events, each with JSON as its data: `status` with the status of the job, others with what is new */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/event-stream": {
                        id: string;
                        event: string;
                        data: string;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_jobs_job_id_logs: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                /** @description Lines of this level and above */
                level?: "trace" | "debug" | "info" | "warn" | "error" | "fatal";
            };
            header?: never;
            path: {
                job_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of lines */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["JobLogLine"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_runs: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                model?: string;
                status?: "running" | "completed" | "failed" | "cancelled" | "pruned";
                /** @description `training`, or the trials of sweeps */
                kind?: "training" | "trial";
                /** @description Trials of this run */
                parent_id?: string;
                /** @description Such as `metrics.roc_auc > 0.8 and params.max_depth = 10 and status in ('completed', 'failed')` */
                filter?: string;
                /** @description Such as `metrics.roc_auc desc`; by default the newest first */
                order_by?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of runs */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Run"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_runs_compare: {
        parameters: {
            query?: {
                /** @description Ids of 2 to 20 runs, separated by commas */
                ids?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The comparison */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RunComparison"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such run */
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
    get_runs_report: {
        parameters: {
            query?: {
                model?: string;
                status?: "running" | "completed" | "failed" | "cancelled" | "pruned";
                /** @description `training`, or the trials of sweeps */
                kind?: "training" | "trial";
                /** @description Trials of this run */
                parent_id?: string;
                /** @description Such as `metrics.roc_auc > 0.8 and params.max_depth = 10 and status in ('completed', 'failed')` */
                filter?: string;
                /** @description The metric that is looked at; by default the one that most of the runs have */
                metric?: string;
                /** @description Which end of the metric is good; by default told by its name */
                goal?: "maximize" | "minimize";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The page */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/html": string;
                    "application/json": components["schemas"]["RunsReport"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_runs_run_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The run */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Run"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such run */
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
    get_runs_run_id_metrics: {
        parameters: {
            query?: {
                /** @description Only this curve */
                name?: string;
                /** @description At most so many points a curve, at even distances; the first and the last are among them */
                points?: number;
            };
            header?: never;
            path: {
                run_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The curves by name */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["RunCurve"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such run */
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
                    /** @description postgresql://user:password@host:port/database, https://…, s3://bucket/key (or a pattern of keys), upload:{upload_id}, events:{data_type}, a file or a pattern of files below one of the data folders, or predictions:{model} for what was predicted and what turned out to be true */
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
                        /** @description Predictions: only those with an outcome, as rows that a model can be trained on */
                        labelled?: {
                            /** @description Whose outcome: `label` of a classification, `value` of a regression */
                            head: string;
                            /** @description The column that gets the outcome */
                            target: string;
                            /** @description The column that gets `entity_id` */
                            entity?: string;
                            /** @description The column that gets `predicted_at` */
                            timestamp?: string;
                            /** @description Columns of features; those that nobody has sent are left out */
                            features: string[];
                            /**
                             * Format: date-time
                             * @description Only what was predicted from then on
                             */
                            since?: string;
                        };
                        /** @description PostgreSQL: only rows that no earlier ingestion of this source has had, told by this growing column */
                        cursor_column?: string;
                        /** @description PostgreSQL: how far behind the highest cursor rows may still appear, in seconds of a time or units of a number; 0 without it */
                        cursor_overlap?: number;
                        /** @description https://: how the API is asked */
                        http?: {
                            /** @description The name of a secret of SOURCE_SECRETS_FILE */
                            secret?: string;
                            /**
                             * @description The header that carries the secret
                             * @default authorization
                             */
                            header?: string;
                            /**
                             * @description Stands before the secret, with a blank between; empty for none
                             * @default Bearer
                             */
                            prefix?: string;
                            /** @description JSON: where the body has the list of records, such as `data.items` */
                            records?: string;
                            paging?: {
                                /** @constant */
                                by: "link";
                                /** @description Where the body has the address of the next page; the Link header without it */
                                at?: string;
                            } | {
                                /** @constant */
                                by: "cursor";
                                parameter: string;
                                /** @description Where the body has the next cursor */
                                at: string;
                            } | {
                                /** @constant */
                                by: "offset";
                                /** @default offset */
                                parameter?: string;
                                /** @default limit */
                                size_parameter?: string;
                                /** @default 1000 */
                                size?: number;
                            } | {
                                /** @constant */
                                by: "page";
                                /** @default page */
                                parameter?: string;
                                /** @default 1 */
                                first?: number;
                                size_parameter?: string;
                                size?: number;
                            };
                            requests_per_second?: number;
                        };
                        /**
                         * @description Files: by the ending of the name unless given
                         * @enum {string}
                         */
                        format?: "csv" | "tsv" | "ndjson" | "json" | "parquet" | "arrow";
                        /**
                         * @description What happens to rows that fail a check
                         * @default quarantine
                         * @enum {string}
                         */
                        validation?: "quarantine" | "fail";
                        /**
                         * @description A column that is lost, or whose type is narrower than before, stops the job unless accepted
                         * @enum {string}
                         */
                        schema_changes?: "stop" | "accept";
                        /**
                         * @description What happens when a part of the source (a file of several, a page) cannot be read at all: the job fails with its name, or the dataset is made of the other parts and says which are missing
                         * @default fail
                         * @enum {string}
                         */
                        unreadable_parts?: "fail" | "skip";
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such upload */
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
                /** @description `next_cursor` of the page before */
                cursor?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
                /** @description `next_cursor` of the page before */
                cursor?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    post_data_uploads: {
        parameters: {
            query?: {
                /** @description What the body is; as its Content-Type says without it */
                format?: "csv" | "tsv" | "ndjson" | "json" | "parquet" | "arrow";
                /** @description How the body is packed; as its Content-Encoding says without it */
                compression?: "none" | "gzip" | "zstd";
                /** @description What the SHA-256 of the body must be */
                sha256?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example id,name
                 *     1,Ada
                 */
                "application/octet-stream": string;
            };
        };
        responses: {
            /** @description The upload is kept */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Upload"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_data_uploads_upload_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                upload_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The upload */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Upload"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such upload */
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
    post_data_events_data_type: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                data_type: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "event_id": "e-1",
                 *       "user_id": "user_123",
                 *       "event_type": "login",
                 *       "timestamp": "2026-11-28T12:00:00Z"
                 *     }
                 */
                "application/json": {
                    /** @description Of several events with one id the first is kept */
                    event_id: string;
                } & {
                    [key: string]: unknown;
                };
                /**
                 * @example {"event_id": "e-1"}
                 *     {"event_id": "e-2"}
                 */
                "application/x-ndjson": string;
            };
        };
        responses: {
            /** @description What was taken */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["EventIntake"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_data_watermarks: {
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
            /** @description A page of watermarks */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Watermark"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    delete_data_watermarks_watermark_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                watermark_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The watermark is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such watermark */
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
    post_data_preprocess: {
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
                 *       "dataset_id": "ds_0123456789abcdef0123",
                 *       "preprocessing_config": {
                 *         "normalize": false,
                 *         "handle_missing": "median",
                 *         "feature_scaling": "standard"
                 *       },
                 *       "keep": [
                 *         "project_id"
                 *       ]
                 *     }
                 */
                "application/json": {
                    dataset_id: string;
                    /** @default {} */
                    preprocessing_config?: {
                        /**
                         * @description What stands for a missing value; `drop` leaves the row out. Texts and booleans have a mode only
                         * @enum {string}
                         */
                        handle_missing?: "keep" | "drop" | "mean" | "median" | "mode" | "constant";
                        /** @description Of `constant`; 0 for numbers and "missing" for texts unless given */
                        fill_value?: number | string;
                        /** @enum {string} */
                        feature_scaling?: "none" | "standard" | "minmax" | "robust";
                        /** @description How texts with few different values become numbers */
                        encode?: ("none" | "ordinal" | "one_hot" | "frequency" | "target") | {
                            /** @enum {string} */
                            method: "none" | "ordinal" | "one_hot" | "frequency" | "target";
                            /**
                             * @description target: so many rows of the overall mean are added to each category
                             * @default auto
                             */
                            smoothing?: "auto" | number;
                            /**
                             * @description The most frequent ones are told apart
                             * @default 254
                             */
                            max_categories?: number;
                        };
                        /** @description Numbers far from the others */
                        outliers?: {
                            /** @constant */
                            method: "none";
                        } | {
                            /** @constant */
                            method: "clip";
                            /**
                             * @description What the bounds come from
                             * @default iqr
                             * @enum {string}
                             */
                            by?: "iqr" | "quantiles";
                            /**
                             * @description iqr: so many distances of the quartiles beyond them
                             * @default 1.5
                             */
                            factor?: number;
                            /**
                             * @description quantiles: the lower bound
                             * @default 0.01
                             */
                            lower?: number;
                            /**
                             * @description quantiles: the upper bound
                             * @default 0.99
                             */
                            upper?: number;
                        } | {
                            /** @constant */
                            method: "remove";
                            /**
                             * @description What the bounds come from
                             * @default iqr
                             * @enum {string}
                             */
                            by?: "iqr" | "quantiles";
                            /**
                             * @description iqr: so many distances of the quartiles beyond them
                             * @default 1.5
                             */
                            factor?: number;
                            /**
                             * @description quantiles: the lower bound
                             * @default 0.01
                             */
                            lower?: number;
                            /**
                             * @description quantiles: the upper bound
                             * @default 0.99
                             */
                            upper?: number;
                        };
                        /**
                         * @description Take times apart: days, weekday, month, hour, year, day, weekend
                         * @enum {string}
                         */
                        dates?: "none" | "parts";
                        /**
                         * @description Count characters, words and digits of free text
                         * @enum {string}
                         */
                        text?: "none" | "lengths";
                        /**
                         * @description Last of all, divide the numbers of each row by their Euclidean length (the L2 norm)
                         * @default false
                         */
                        normalize?: boolean;
                        /**
                         * @description Choices for single columns, over those for all
                         * @default {}
                         */
                        columns?: {
                            [key: string]: {
                                /**
                                 * @description What stands for a missing value; `drop` leaves the row out. Texts and booleans have a mode only
                                 * @enum {string}
                                 */
                                handle_missing?: "keep" | "drop" | "mean" | "median" | "mode" | "constant";
                                /** @description Of `constant`; 0 for numbers and "missing" for texts unless given */
                                fill_value?: number | string;
                                /** @enum {string} */
                                feature_scaling?: "none" | "standard" | "minmax" | "robust";
                                /** @description How texts with few different values become numbers */
                                encode?: ("none" | "ordinal" | "one_hot" | "frequency" | "target") | {
                                    /** @enum {string} */
                                    method: "none" | "ordinal" | "one_hot" | "frequency" | "target";
                                    /**
                                     * @description target: so many rows of the overall mean are added to each category
                                     * @default auto
                                     */
                                    smoothing?: "auto" | number;
                                    /**
                                     * @description The most frequent ones are told apart
                                     * @default 254
                                     */
                                    max_categories?: number;
                                };
                                /** @description Numbers far from the others */
                                outliers?: {
                                    /** @constant */
                                    method: "none";
                                } | {
                                    /** @constant */
                                    method: "clip";
                                    /**
                                     * @description What the bounds come from
                                     * @default iqr
                                     * @enum {string}
                                     */
                                    by?: "iqr" | "quantiles";
                                    /**
                                     * @description iqr: so many distances of the quartiles beyond them
                                     * @default 1.5
                                     */
                                    factor?: number;
                                    /**
                                     * @description quantiles: the lower bound
                                     * @default 0.01
                                     */
                                    lower?: number;
                                    /**
                                     * @description quantiles: the upper bound
                                     * @default 0.99
                                     */
                                    upper?: number;
                                } | {
                                    /** @constant */
                                    method: "remove";
                                    /**
                                     * @description What the bounds come from
                                     * @default iqr
                                     * @enum {string}
                                     */
                                    by?: "iqr" | "quantiles";
                                    /**
                                     * @description iqr: so many distances of the quartiles beyond them
                                     * @default 1.5
                                     */
                                    factor?: number;
                                    /**
                                     * @description quantiles: the lower bound
                                     * @default 0.01
                                     */
                                    lower?: number;
                                    /**
                                     * @description quantiles: the upper bound
                                     * @default 0.99
                                     */
                                    upper?: number;
                                };
                                /**
                                 * @description Take times apart: days, weekday, month, hour, year, day, weekend
                                 * @enum {string}
                                 */
                                dates?: "none" | "parts";
                                /**
                                 * @description Count characters, words and digits of free text
                                 * @enum {string}
                                 */
                                text?: "none" | "lengths";
                            };
                        };
                    };
                    /**
                     * @description Columns that stay as they are: entity, time, target
                     * @default []
                     */
                    keep?: string[];
                    /** @description Column that `encode: target` learns from; it stays as it is */
                    target?: string;
                    /** @description Of the new dataset; that of the old one with `_preprocessed` unless given */
                    data_type?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_data_datasets_dataset_id_preprocessor: {
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
            /** @description The preprocessor */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Preprocessor"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    post_data_validate: {
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
                 *       "dataset_id": "ds_0123456789abcdef0123",
                 *       "expectations": [
                 *         {
                 *           "check": "not_null",
                 *           "column": "team_size",
                 *           "mostly": 0.95
                 *         },
                 *         {
                 *           "check": "range",
                 *           "column": "complexity_score",
                 *           "minimum": 0,
                 *           "maximum": 1,
                 *           "severity": "warning"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    dataset_id: string;
                    /** @description Those of the data type in models/data-types.yaml unless given */
                    expectations?: ({
                        /** @constant */
                        check: "type";
                        column: string;
                        /** @enum {string} */
                        type: "string" | "integer" | "number" | "boolean" | "timestamp" | "date" | "json";
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "not_null";
                        column: string;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "range";
                        column: string;
                        minimum?: number | string;
                        maximum?: number | string;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "set";
                        column: string;
                        values: (string | number | boolean)[];
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "pattern";
                        column: string;
                        /** @description RE2 expression that the text must match in full */
                        pattern: string;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "unique";
                        /** @description Their values together occur once */
                        columns: string[];
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "references";
                        column: string;
                        /** @description Its newest snapshot is looked in */
                        data_type?: string;
                        /** @description Or this dataset */
                        dataset_id?: string;
                        /** @description The column there; of the same name unless given */
                        in_column?: string;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    } | {
                        /** @constant */
                        check: "freshness";
                        column: string;
                        /** @description The newest value is at most so old */
                        max_age_seconds: number;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                    } | {
                        /** @constant */
                        check: "rows";
                        minimum?: number;
                        maximum?: number;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                    } | {
                        /** @constant */
                        check: "volume";
                        /**
                         * @description So many earlier snapshots of the data type are looked at
                         * @default 20
                         */
                        snapshots?: number;
                        /**
                         * @description So many robust standard deviations from their median are usual
                         * @default 4
                         */
                        factor?: number;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                    } | {
                        /** @constant */
                        check: "distribution";
                        column: string;
                        /** @description A dataset; the last good snapshot unless given */
                        against?: string;
                        /**
                         * @description A distance below this is no difference, however many rows show it
                         * @default 0.1
                         */
                        minimum_effect?: number;
                        /**
                         * @description The chance of an alarm when nothing has changed
                         * @default 0.001
                         */
                        alpha?: number;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                    } | {
                        /** @constant */
                        check: "sql";
                        /** @description One SELECT over `data` that gives the rows which fail; with `_row` they are told by number */
                        sql: string;
                        /** @description Shown in the report; made of the check and its columns unless given */
                        name?: string;
                        /**
                         * @description error: the dataset does not pass; warning: it is told of
                         * @default error
                         * @enum {string}
                         */
                        severity?: "error" | "warning";
                        /**
                         * @description The share of the rows that must hold, of those where there is something to check
                         * @default 1
                         */
                        mostly?: number;
                    })[];
                };
            };
        };
        responses: {
            /** @description The report */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValidationReport"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_data_validations: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                dataset_id?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of reports */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["ValidationSummary"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_data_validations_report_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                report_id: string;
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
                    "application/json": components["schemas"]["ValidationReport"];
                    "text/html": string;
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such report */
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
    get_data_validations_report_id_rows: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
            };
            header?: never;
            path: {
                report_id: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such report */
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
    get_data_datasets_dataset_id_validation: {
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
            /** @description The report */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ValidationReport"];
                    "text/html": string;
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such report */
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
    post_data_datasets_dataset_id_quarantine_replay: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                dataset_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "rules": [
                 *         {
                 *           "rule": "cast_number",
                 *           "column": "team_size"
                 *         }
                 *       ],
                 *       "rows": [
                 *         {
                 *           "row_number": 17,
                 *           "values": {
                 *             "outcome": "success"
                 *           }
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    /**
                     * @description Corrections of columns, in their order
                     * @default []
                     */
                    rules?: ({
                        /** @constant */
                        rule: "trim";
                        column: string;
                    } | {
                        /** @constant */
                        rule: "lower";
                        column: string;
                    } | {
                        /** @constant */
                        rule: "upper";
                        column: string;
                    } | {
                        /** @constant */
                        rule: "set";
                        column: string;
                        value: string | number | boolean | null;
                        /** @default true */
                        only_empty?: boolean;
                    } | {
                        /** @constant */
                        rule: "map";
                        column: string;
                        values: {
                            [key: string]: string | number | boolean | null;
                        };
                    } | {
                        /** @constant */
                        rule: "replace";
                        column: string;
                        find: string;
                        with: string;
                    } | {
                        /** @constant */
                        rule: "cast_number";
                        column: string;
                        /**
                         * @description All but digits, the sign and this is taken away
                         * @default .
                         * @enum {string}
                         */
                        decimal?: "." | ",";
                    } | {
                        /** @constant */
                        rule: "cast_time";
                        column: string;
                        /** @description As for strptime: %d.%m.%Y %H:%M */
                        format: string;
                    })[];
                    /**
                     * @description Corrections of single rows, after those of columns
                     * @default []
                     */
                    rows?: {
                        row_number: number;
                        values: {
                            [key: string]: string | number | boolean | null;
                        };
                    }[];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
            /** @description There is nothing in quarantine to replay */
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
    get_data_schemas_data_type: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
            };
            header?: never;
            path: {
                data_type: string;
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
                        items: components["schemas"]["DataSchema"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such schema */
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
    post_data_schemas_data_type_accept: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                data_type: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "version": 2
                 *     }
                 */
                "application/json": {
                    /** @description Of GET /data/schemas/{data_type} */
                    version: number;
                };
            };
        };
        responses: {
            /** @description The schema that holds now */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataSchema"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such schema */
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
    get_features_views: {
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
            /** @description A page of views */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["FeatureView"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_features_views_view: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                view: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The view */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeatureViewDetail"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such feature view */
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
    put_features_views_view: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                view: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "owner": "growth",
                 *       "description": "What a user has done",
                 *       "entity": "user_id",
                 *       "event_time": "occurred_at",
                 *       "ttl_seconds": 2592000,
                 *       "source": "user_events",
                 *       "features": {
                 *         "last_event": {
                 *           "type": "string",
                 *           "expression": "event_type"
                 *         }
                 *       }
                 *     }
                 */
                "application/json": {
                    description?: string;
                    /** @description Who answers for it */
                    owner: string;
                    /** @description Column that names the entity */
                    entity: string;
                    /** @description Column with the time that a row is about */
                    event_time: string;
                    /** @description Column with the time from which a row was known; by default it was known at its event time */
                    available_time?: string;
                    /** @description Column with whole numbers that orders rows of equal times, the latest last; by default the order of the data */
                    sequence?: string;
                    /** @description A value that is older than this has expired */
                    ttl_seconds: number;
                    /** @description The data type whose newest snapshot the rows come from */
                    source?: string;
                    /** @description With `sql`: the data types that it reads, each with the column that tells from when a row was known */
                    sources?: {
                        [key: string]: {
                            /** @description null: was always known */
                            available_time: string | null;
                        };
                    };
                    /** @description One SELECT over `sources` that gives the rows of the view */
                    sql?: string;
                    features: {
                        [key: string]: {
                            /** @enum {string} */
                            type: "number" | "string" | "boolean";
                            /** @description SQL over the columns of one row; the column of the same name by default */
                            expression?: string;
                            description?: string;
                        };
                    };
                    /**
                     * @description What a request adds
                     * @default {}
                     */
                    request?: {
                        [key: string]: {
                            /** @enum {string} */
                            type: "number" | "string" | "boolean";
                            description?: string;
                        };
                    };
                    /**
                     * @description Features that are computed when they are asked for
                     * @default {}
                     */
                    on_demand?: {
                        [key: string]: {
                            /** @enum {string} */
                            type: "number" | "string" | "boolean";
                            /** @description SQL over the features of the view and the values of `request` */
                            expression: string;
                            description?: string;
                        };
                    };
                };
            };
        };
        responses: {
            /** @description The view */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["FeatureViewDetail"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The feature view does not allow this now */
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
    post_features_views_view_materialize: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path: {
                view: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": {
                    /** @description Only entities with a row that became known since then; for backfills */
                    start?: string;
                    /** @description As of when; now by default, and never later */
                    end?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such feature view; No such dataset */
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
            /** @description The feature view does not allow this now */
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
    post_features_online: {
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
                 *       "view": "user_activity",
                 *       "entity_ids": [
                 *         "user_1",
                 *         "user_2"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description One view */
                    view?: string;
                    /** @description Or several */
                    views?: string[];
                    entity_ids: string[];
                    /** @description Values for on-demand features, by name */
                    request?: {
                        [key: string]: number | string | boolean | null;
                    };
                };
            };
        };
        responses: {
            /** @description An item an entity, in order */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["OnlineFeatures"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such feature view */
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
    post_features_historical: {
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
                 *       "views": [
                 *         "user_activity"
                 *       ],
                 *       "entities": [
                 *         {
                 *           "entity_id": "user_1",
                 *           "as_of": "2024-03-01T00:00:00Z"
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    views: string[];
                    entities: {
                        /** @description The entity that the prediction is about */
                        entity_id: string;
                        /** @description Values as they were known then */
                        as_of: string;
                        /** @description Values for on-demand features, by name */
                        request?: {
                            [key: string]: number | string | boolean | null;
                        };
                    }[];
                };
            };
        };
        responses: {
            /** @description An item an entity and time, in order */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["HistoricalFeatures"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such feature view; No such dataset */
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
    get_lineage_predictions_prediction_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                prediction_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The graph */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LineageGraph"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_lineage_models_model_versions_version: {
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
            /** @description The graph */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LineageGraph"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_lineage_datasets_dataset_id: {
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
            /** @description The graph */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LineageGraph"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_retention_plan: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The plan */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RetentionPlan"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_retention_run: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": Record<string, never>;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_retention_schedule: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
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
                    "application/json": components["schemas"]["RetentionSchedule"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such schedule */
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
    put_retention_schedule: {
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
                 *       "cron": "0 3 * * *"
                 *     }
                 */
                "application/json": {
                    /** @description When: five cron fields */
                    cron: string;
                    /**
                     * @description The IANA time zone that the fields of cron are in
                     * @default UTC
                     */
                    timezone?: string;
                    /**
                     * @description A run whose time has come while the former one still goes
                     * @default skip
                     * @enum {string}
                     */
                    overlap?: "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "terminate_other" | "allow_all";
                    /**
                     * @description Each run starts up to so much later, drawn anew each time, so that many schedules do not start at once
                     * @default 0
                     */
                    jitter_seconds?: number;
                    /**
                     * @description After an outage, runs missed longer ago than this are not made up for
                     * @default 600
                     */
                    catch_up_seconds?: number;
                    /** @default false */
                    paused?: boolean;
                    /** @description Why it is paused, or anything else that the next person should know */
                    note?: string;
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
                    "application/json": components["schemas"]["RetentionSchedule"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    delete_retention_schedule: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such schedule */
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
    delete_subjects_entity_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                entity_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The erasure was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ErasureAccepted"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_subjects_forget: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description What was forgotten */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Forgotten"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_erasures: {
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
            /** @description A page of erasures */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Erasure"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_erasures_erasure_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                erasure_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The erasure */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Erasure"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such erasure */
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
    get_schedules: {
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
            /** @description A page of schedules */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Schedule"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
                 *       "timezone": "Europe/Berlin",
                 *       "jitter_seconds": 300,
                 *       "training": {
                 *         "auto_deploy": true
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @description When: five cron fields */
                    cron: string;
                    /**
                     * @description The IANA time zone that the fields of cron are in
                     * @default UTC
                     */
                    timezone?: string;
                    /**
                     * @description A run whose time has come while the former one still goes
                     * @default skip
                     * @enum {string}
                     */
                    overlap?: "skip" | "buffer_one" | "buffer_all" | "cancel_other" | "terminate_other" | "allow_all";
                    /**
                     * @description Each run starts up to so much later, drawn anew each time, so that many schedules do not start at once
                     * @default 0
                     */
                    jitter_seconds?: number;
                    /**
                     * @description After an outage, runs missed longer ago than this are not made up for
                     * @default 600
                     */
                    catch_up_seconds?: number;
                    /** @default false */
                    paused?: boolean;
                    /** @description Why it is paused, or anything else that the next person should know */
                    note?: string;
                    /**
                     * @description Whether alerts that advise to retrain begin a repair (POST /models/{model}/repair) by themselves; a paused schedule begins none
                     * @default false
                     */
                    on_drift?: boolean;
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
                        /** @description Look for good hyperparameters first, by many trials; by default as the entry of the model says, with false not */
                        search?: false | {
                            /**
                             * @description Configurations that are tried
                             * @default 50
                             */
                            trials?: number;
                            /**
                             * @description How configurations are drawn
                             * @default auto
                             * @enum {string}
                             */
                            sampler?: "auto" | "gp" | "tpe" | "sobol" | "random";
                            /**
                             * @description Which trials are ended early: `asha`, or with several objectives `none`, unless given
                             * @enum {string}
                             */
                            pruner?: "none" | "median" | "successive_halving" | "asha" | "hyperband";
                            /** @description What a trial is judged by; the loss alone unless given. Of several the front of what nothing betters in all is kept, and the first decides */
                            objectives?: {
                                /** @description `loss`, or another measure of the kind; a wrong name is answered with those that there are */
                                metric: string;
                                /**
                                 * @description The one that is better, unless given
                                 * @enum {string}
                                 */
                                direction?: "minimize" | "maximize";
                            }[];
                            /** @description What a trial must meet to be taken, such as `{metric: latency_us, max: 200}` or `{metric: model_bytes, max: 1000000}` */
                            constraints?: {
                                metric: string;
                                /** @description No more than this */
                                max?: number;
                                /** @description No less than this */
                                min?: number;
                            }[];
                            /**
                             * @default {
                             *       "models": 3
                             *     }
                             */
                            ensemble?: {
                                /** @description The best so many trials may answer together, within the constraints on size and latency; 1 for never */
                                models: number;
                            };
                            /**
                             * @description The same seed, trials, parallelism, data and warm start give the same table of trials
                             * @default 42
                             */
                            seed?: number;
                            /** @description Seconds that the search may run, pauses apart; then the best so far is taken */
                            timeout_seconds?: number;
                            /**
                             * @description Trials side by side; each is drawn without knowing the ends of those that may run beside it
                             * @default 4
                             */
                            parallelism?: number;
                            /** @description By parameter `{type: float, low, high, log?}`, `{type: int, low, high, log?, step?}` or `{type: categorical, choices}`, with `when: {parameter, in}` only for some values of another; that of the kind by default */
                            space?: {
                                [key: string]: unknown;
                            };
                            /**
                             * @description Try the best configurations of an earlier sweep first: the last one of the same model, schema and space, the one that is named, or none
                             * @default true
                             */
                            warm_start?: boolean | string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    post_schedules_model_pause: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "release freeze"
                 *     }
                 */
                "application/json": {
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    post_schedules_model_resume: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "the freeze is over"
                 *     }
                 */
                "application/json": {
                    note?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    post_schedules_model_trigger: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
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
    get_alerts_rules: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All rules */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["AlertRule"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_alerts_rules: {
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
                 *       "name": "drift-of-price",
                 *       "when": {
                 *         "monitor": "drift",
                 *         "subject": "input:price",
                 *         "least_severity": "medium"
                 *       },
                 *       "severity": "high",
                 *       "open_after": 2,
                 *       "owner": "pricing team",
                 *       "receivers": [
                 *         "email"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @default true */
                    enabled?: boolean;
                    description?: string;
                    /** @description Findings of monitors, or a metric of the service */
                    when: {
                        /**
                         * @description failed_jobs: number; error_share: share of requests that a version could not answer; p99_ms: of answers; dependency_down: 1 while one is away
                         * @enum {string}
                         */
                        metric: "failed_jobs" | "error_share" | "p99_ms" | "dependency_down";
                        /**
                         * @description From where on it is an alarm, in the unit of the metric
                         * @default 0
                         */
                        above?: number;
                        /**
                         * @description Minutes that one judgement looks at, each minute
                         * @default 5
                         */
                        window_minutes?: number;
                    } | {
                        /**
                         * @description All monitors by default
                         * @enum {string}
                         */
                        monitor?: "drift" | "performance" | "data_quality" | "stream";
                        /**
                         * @description `*` stands for any text, such as input:*
                         * @default *
                         */
                        subject?: string;
                        /**
                         * @description `*` stands for any text, such as input:*
                         * @default *
                         */
                        segment?: string;
                        /**
                         * @description Milder alarms count as none
                         * @default low
                         * @enum {string}
                         */
                        least_severity?: "low" | "medium" | "high";
                    };
                    /**
                     * @description By default that of the finding; medium for metrics
                     * @enum {string}
                     */
                    severity?: "low" | "medium" | "high";
                    /**
                     * @description Windows in a row that must say alarm
                     * @default 1
                     */
                    open_after?: number;
                    /**
                     * @description Windows in a row that must say ok
                     * @default 2
                     */
                    resolve_after?: number;
                    /** @description Who is to look at it */
                    owner?: string;
                    /**
                     * @description Kinds or ids of GET /alerts/receivers; all without any
                     * @default []
                     */
                    receivers?: string[];
                    /** @description Only of these models; all without any */
                    models?: string[];
                    name: string;
                };
            };
        };
        responses: {
            /** @description The rule */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertRule"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The state of the alert or the rule does not allow this */
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
    get_alerts_rules_rule: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                rule: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rule */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertRule"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such rule */
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
    put_alerts_rules_rule: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                rule: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "when": {
                 *         "monitor": "drift",
                 *         "subject": "input:price",
                 *         "least_severity": "medium"
                 *       },
                 *       "severity": "high",
                 *       "open_after": 2,
                 *       "owner": "pricing team",
                 *       "receivers": [
                 *         "email"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @default true */
                    enabled?: boolean;
                    description?: string;
                    /** @description Findings of monitors, or a metric of the service */
                    when: {
                        /**
                         * @description failed_jobs: number; error_share: share of requests that a version could not answer; p99_ms: of answers; dependency_down: 1 while one is away
                         * @enum {string}
                         */
                        metric: "failed_jobs" | "error_share" | "p99_ms" | "dependency_down";
                        /**
                         * @description From where on it is an alarm, in the unit of the metric
                         * @default 0
                         */
                        above?: number;
                        /**
                         * @description Minutes that one judgement looks at, each minute
                         * @default 5
                         */
                        window_minutes?: number;
                    } | {
                        /**
                         * @description All monitors by default
                         * @enum {string}
                         */
                        monitor?: "drift" | "performance" | "data_quality" | "stream";
                        /**
                         * @description `*` stands for any text, such as input:*
                         * @default *
                         */
                        subject?: string;
                        /**
                         * @description `*` stands for any text, such as input:*
                         * @default *
                         */
                        segment?: string;
                        /**
                         * @description Milder alarms count as none
                         * @default low
                         * @enum {string}
                         */
                        least_severity?: "low" | "medium" | "high";
                    };
                    /**
                     * @description By default that of the finding; medium for metrics
                     * @enum {string}
                     */
                    severity?: "low" | "medium" | "high";
                    /**
                     * @description Windows in a row that must say alarm
                     * @default 1
                     */
                    open_after?: number;
                    /**
                     * @description Windows in a row that must say ok
                     * @default 2
                     */
                    resolve_after?: number;
                    /** @description Who is to look at it */
                    owner?: string;
                    /**
                     * @description Kinds or ids of GET /alerts/receivers; all without any
                     * @default []
                     */
                    receivers?: string[];
                    /** @description Only of these models; all without any */
                    models?: string[];
                };
            };
        };
        responses: {
            /** @description The rule */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertRule"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description The state of the alert or the rule does not allow this */
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
    delete_alerts_rules_rule: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                rule: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The rule is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such rule */
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
            /** @description The state of the alert or the rule does not allow this */
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
    get_alerts_receivers: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All receivers */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["AlertReceiver"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_alerts_receivers_receiver_id_test: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                receiver_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The message */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertTest"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such receiver */
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
    get_alerts: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                status?: "open" | "acknowledged" | "resolved";
                model?: string;
                severity?: "low" | "medium" | "high";
                rule?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of alerts */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Alert"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_alerts_budget: {
        parameters: {
            query?: {
                model?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The budget */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertBudget"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_alerts_silences: {
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
            /** @description A page of silences */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["AlertSilence"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_alerts_silences: {
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
                 *       "model": "user_behavior",
                 *       "subject": "input:*",
                 *       "reason": "The import is being mended.",
                 *       "ends_at": "2030-01-01T08:00:00Z"
                 *     }
                 */
                "application/json": {
                    model?: string;
                    rule?: string;
                    /** @description `*` stands for any text, such as input:* */
                    subject?: string;
                    /**
                     * @description This severity and milder ones
                     * @enum {string}
                     */
                    severity?: "low" | "medium" | "high";
                    reason: string;
                    /**
                     * Format: date-time
                     * @description Now by default
                     */
                    starts_at?: string;
                    /** Format: date-time */
                    ends_at: string;
                };
            };
        };
        responses: {
            /** @description The silence */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertSilence"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    delete_alerts_silences_silence_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                silence_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The silence is over */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such silence */
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
    get_alerts_alert_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                alert_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The alert */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertInFull"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such alert */
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
    post_alerts_alert_id_acknowledge: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                alert_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "I ask the team of the import."
                 *     }
                 */
                "application/json": {
                    note?: string;
                };
            };
        };
        responses: {
            /** @description The alert */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertInFull"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such alert */
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
            /** @description The state of the alert or the rule does not allow this */
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
    post_alerts_alert_id_resolve: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                alert_id: string;
            };
            cookie?: never;
        };
        requestBody?: {
            content: {
                /**
                 * @example {
                 *       "note": "A holiday that the monitor did not know of.",
                 *       "false_alarm": true
                 *     }
                 */
                "application/json": {
                    note?: string;
                    /** @description Nothing was wrong: it counts against the budget of the model */
                    false_alarm?: boolean;
                };
            };
        };
        responses: {
            /** @description The alert */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertInFull"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such alert */
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
    post_alerts_alert_id_comment: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                alert_id: string;
            };
            cookie?: never;
        };
        requestBody: {
            content: {
                /**
                 * @example {
                 *       "note": "The unit of `duration` changed upstream on Monday."
                 *     }
                 */
                "application/json": {
                    note: string;
                };
            };
        };
        responses: {
            /** @description The alert */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AlertInFull"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such alert */
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
    post_models_model_repair: {
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
                /**
                 * @example {
                 *       "reason": "The prices were raised.",
                 *       "since": "2026-01-01T00:00:00Z"
                 *     }
                 */
                "application/json": {
                    /** @description Why, for those who read the story */
                    reason?: string;
                    /** @description From when on the data are of the world as it is now; by default the beginning of the oldest alert */
                    since?: string;
                    /**
                     * @description By default as the entry of the model says
                     * @enum {string}
                     */
                    source?: "auto" | "log" | "snapshot";
                    /**
                     * @description As in POST /models/train
                     * @default {}
                     */
                    training?: {
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
                        /** @description Look for good hyperparameters first, by many trials; by default as the entry of the model says, with false not */
                        search?: false | {
                            /**
                             * @description Configurations that are tried
                             * @default 50
                             */
                            trials?: number;
                            /**
                             * @description How configurations are drawn
                             * @default auto
                             * @enum {string}
                             */
                            sampler?: "auto" | "gp" | "tpe" | "sobol" | "random";
                            /**
                             * @description Which trials are ended early: `asha`, or with several objectives `none`, unless given
                             * @enum {string}
                             */
                            pruner?: "none" | "median" | "successive_halving" | "asha" | "hyperband";
                            /** @description What a trial is judged by; the loss alone unless given. Of several the front of what nothing betters in all is kept, and the first decides */
                            objectives?: {
                                /** @description `loss`, or another measure of the kind; a wrong name is answered with those that there are */
                                metric: string;
                                /**
                                 * @description The one that is better, unless given
                                 * @enum {string}
                                 */
                                direction?: "minimize" | "maximize";
                            }[];
                            /** @description What a trial must meet to be taken, such as `{metric: latency_us, max: 200}` or `{metric: model_bytes, max: 1000000}` */
                            constraints?: {
                                metric: string;
                                /** @description No more than this */
                                max?: number;
                                /** @description No less than this */
                                min?: number;
                            }[];
                            /**
                             * @default {
                             *       "models": 3
                             *     }
                             */
                            ensemble?: {
                                /** @description The best so many trials may answer together, within the constraints on size and latency; 1 for never */
                                models: number;
                            };
                            /**
                             * @description The same seed, trials, parallelism, data and warm start give the same table of trials
                             * @default 42
                             */
                            seed?: number;
                            /** @description Seconds that the search may run, pauses apart; then the best so far is taken */
                            timeout_seconds?: number;
                            /**
                             * @description Trials side by side; each is drawn without knowing the ends of those that may run beside it
                             * @default 4
                             */
                            parallelism?: number;
                            /** @description By parameter `{type: float, low, high, log?}`, `{type: int, low, high, log?, step?}` or `{type: categorical, choices}`, with `when: {parameter, in}` only for some values of another; that of the kind by default */
                            space?: {
                                [key: string]: unknown;
                            };
                            /**
                             * @description Try the best configurations of an earlier sweep first: the last one of the same model, schema and space, the one that is named, or none
                             * @default true
                             */
                            warm_start?: boolean | string;
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
                    };
                    /** @description By default as the entry of the model says */
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
                         * @description The role that a person needs to approve or promote
                         * @default operator
                         * @enum {string}
                         */
                        approval_role?: "operator" | "admin";
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
                };
            };
        };
        responses: {
            /** @description The repair was accepted */
            202: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RepairAccepted"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such model; No version deployed */
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
            /** @description The model cannot be repaired now */
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
    get_repairs: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                model?: string;
                state?: "running" | "repaired" | "not_better" | "rolled_back" | "failed" | "cancelled";
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of repairs */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Repair"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_repairs_repair_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                repair_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The repair */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["RepairInFull"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such repair */
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
    get_monitors_model: {
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
            /** @description How it is watched, and what was found */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Monitor"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    put_monitors_model: {
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
                 *       "every_hours": 24,
                 *       "owner": "growth team",
                 *       "drift": {
                 *         "window_hours": 24,
                 *         "least_rows": 200
                 *       }
                 *     }
                 */
                "application/json": {
                    /** @default true */
                    enabled?: boolean;
                    /**
                     * @description Hours between two runs; windows end on whole multiples of it, in UTC
                     * @default 24
                     */
                    every_hours?: number;
                    /** @description Who is told of alarms, as text in the alert */
                    owner?: string;
                    /** @default {} */
                    drift?: {
                        /** @default true */
                        enabled?: boolean;
                        /**
                         * @description Hours of the log that one judgement looks at
                         * @default 24
                         */
                        window_hours?: number;
                        /**
                         * @description Fewer rows in a window are not judged
                         * @default 200
                         */
                        least_rows?: number;
                        /**
                         * @description Features whose ten most frequent values are watched one by one, besides all rows together
                         * @default []
                         */
                        segments?: string[];
                        /**
                         * @description Once a week, whether a week of rows is told from the reference by all features together
                         * @default true
                         */
                        multivariate?: boolean;
                    };
                    /** @default {} */
                    performance?: {
                        /** @default true */
                        enabled?: boolean;
                        /**
                         * @description A prediction counts once it is so old, so that quick truths do not stand for all
                         * @default 24
                         */
                        label_maturity_hours?: number;
                        /**
                         * @description Windows with fewer truths are not judged; they are unknown
                         * @default 30
                         */
                        least_rows?: number;
                        /**
                         * @description A loss that is worse by this share than on the rows held out is no decay yet
                         * @default 0.1
                         */
                        margin?: number;
                        /**
                         * @description Features whose values are watched one by one, from when they are named on: at most 50 values each
                         * @default []
                         */
                        segments?: string[];
                        /** @default {} */
                        fairness?: {
                            /**
                             * @description Features whose values are groups that must be treated alike
                             * @default []
                             */
                            groups?: string[];
                            /**
                             * @description The largest difference of rates between a group and all others
                             * @default 0.1
                             */
                            most_gap?: number;
                        };
                        /**
                         * @description Whether the newest answers are watched as they come
                         * @default true
                         */
                        stream?: boolean;
                    };
                };
            };
        };
        responses: {
            /** @description How it is watched, and what was found */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Monitor"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_monitors_model_run: {
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
                /**
                 * @example {
                 *       "window_end": "2024-06-30T00:00:00Z"
                 *     }
                 */
                "application/json": {
                    /**
                     * Format: date-time
                     * @description End of the windows that are judged, not later than now; by default the last whole multiple of `every_hours`
                     */
                    window_end?: string;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_monitors_model_findings: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                monitor?: "drift" | "performance" | "data_quality" | "stream";
                state?: "ok" | "suspect" | "alarm" | "unknown";
                /** @description Of one thing that is watched, such as `input:age` */
                subject?: string;
                /** @description Windows that end at or after it */
                from?: string;
                /** @description Windows that end before it */
                to?: string;
            };
            header?: never;
            path: {
                model: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of findings */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Finding"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_analytics_drift: {
        parameters: {
            query?: {
                /** @description The model, with `_` or `-` */
                model_type?: string;
                /** @description The first day (UTC); 29 days before the last by default */
                start_date?: string;
                /** @description The last day (UTC), included; today by default */
                end_date?: string;
                /** @description What one entry of the series stands for */
                interval?: "day" | "hour";
                version?: string;
                /** @description A feature that is watched by segments, for each of its values, or `feature=value` for one of them */
                segment?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The series of each column */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DriftAnalytics"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_analytics_data_quality: {
        parameters: {
            query?: {
                /** @description The model, with `_` or `-` */
                model_type?: string;
                /** @description The first day (UTC); 29 days before the last by default */
                start_date?: string;
                /** @description The last day (UTC), included; today by default */
                end_date?: string;
                /** @description What one entry of the series stands for */
                interval?: "day" | "hour";
                version?: string;
                /** @description A feature that is watched by segments, for each of its values, or `feature=value` for one of them */
                segment?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The series */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["DataQuality"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_analytics_predictions: {
        parameters: {
            query?: {
                /** @description The model, with `_` or `-` */
                model_type?: string;
                /** @description The first day (UTC); 29 days before the last by default */
                start_date?: string;
                /** @description The last day (UTC), included; today by default */
                end_date?: string;
                /** @description What one entry of the series stands for */
                interval?: "day" | "hour";
                version?: string;
                /** @description A feature that is watched by segments, for each of its values, or `feature=value` for one of them */
                segment?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The series */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["PredictionAnalytics"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_analytics_model_performance: {
        parameters: {
            query?: {
                /** @description The model, with `_` or `-` */
                model_type?: string;
                /** @description The first day (UTC); 29 days before the last by default */
                start_date?: string;
                /** @description The last day (UTC), included; today by default */
                end_date?: string;
                /** @description What one entry of the series stands for */
                interval?: "day" | "hour";
                version?: string;
                /** @description A feature that is watched by segments, for each of its values, or `feature=value` for one of them */
                segment?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The metrics */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ModelPerformance"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_webhooks: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description All webhooks */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Webhook"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_webhooks: {
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
                 *       "url": "https://hooks.example.com/models",
                 *       "events": [
                 *         "version.production",
                 *         "version.retired"
                 *       ]
                 *     }
                 */
                "application/json": {
                    /**
                     * Format: uri
                     * @description Where messages are posted; https, and http only to hosts of WEBHOOK_ALLOWED_HOSTS
                     */
                    url: string;
                    /**
                     * @description Only these; all without any
                     * @default []
                     */
                    events?: ("version.registered" | "version.candidate" | "version.shadow" | "version.canary" | "version.production" | "version.retired" | "version.archived" | "version.deleted")[];
                    /** @description Only of this model */
                    model?: string;
                    /** @description What messages are signed with; made when it is left out */
                    secret?: string;
                    description?: string;
                };
            };
        };
        responses: {
            /** @description The webhook with its secret */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["WebhookCreated"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description There are as many webhooks as there can be */
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
    get_webhooks_webhook_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Webhook"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such webhook */
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
    delete_webhooks_webhook_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The webhook is gone */
            204: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content?: never;
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such webhook */
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
    post_webhooks_webhook_id_test: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such webhook */
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
    get_webhooks_webhook_id_deliveries: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                state?: "pending" | "delivered" | "dead";
            };
            header?: never;
            path: {
                webhook_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of deliveries */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["Delivery"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such webhook */
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
    post_webhooks_webhook_id_deliveries_delivery_id_replay: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                webhook_id: string;
                delivery_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The delivery */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Delivery"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such webhook; No such delivery */
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
    get_whoami: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The caller */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["Whoami"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_tokens: {
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
            /** @description A page of tokens */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["ServiceToken"][];
                        next_cursor: string | null;
                    };
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_tokens: {
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
                 *       "name": "checkout",
                 *       "role": "predictor",
                 *       "models": [
                 *         "user_behavior"
                 *       ],
                 *       "expires_in_days": 90
                 *     }
                 */
                "application/json": {
                    /** @description What it is for; callers with it are written down as token:{name} */
                    name: string;
                    /** @enum {string} */
                    role: "viewer" | "predictor" | "engineer" | "operator" | "admin";
                    /** @description Only what belongs to these models; everything that the role allows without it */
                    models?: string[];
                    /** @description Days until it ends by itself; never without it */
                    expires_in_days?: number;
                };
            };
        };
        responses: {
            /** @description The token */
            201: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceTokenCreated"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The token is not possible now */
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
    get_tokens_token_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The token */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceToken"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such token */
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
    delete_tokens_token_id: {
        parameters: {
            query?: never;
            header?: never;
            path: {
                token_id: string;
            };
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The revoked token */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["ServiceToken"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description No such token */
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
    get_audit: {
        parameters: {
            query?: {
                /** @description At most this many items */
                limit?: number;
                /** @description `next_cursor` of the page before */
                cursor?: string;
                kind?: "call" | "denied" | "change" | "decision" | "key_use";
                /** @description `job.created`, or a call such as `POST /models/train` */
                action?: string;
                subject?: string;
                model?: string;
                target?: string;
                correlation_id?: string;
                /** @description From this time on */
                from?: string;
                /** @description Until before this time */
                to?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description A page of entries */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        items: components["schemas"]["AuditEntry"][];
                        next_cursor: string | null;
                    };
                    "application/x-ndjson": string;
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_audit_verify: {
        parameters: {
            query?: {
                /** @description An entry whose hash you have kept */
                seq?: number;
                /** @description The hash that it had */
                hash?: string;
            };
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description Whether the log is as it was written */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["AuditVerdict"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
                        /** @enum {unknown} */
                        status: "live";
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
                        /** @enum {unknown} */
                        status: "ready";
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
            /** @description It is shutting down, or has no model to answer with */
            503: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        /** @enum {unknown} */
                        status: "draining" | "nothing_served";
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
            /** @description The metrics */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "text/plain": string;
                    "application/openmetrics-text": string;
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    get_encryption_keys: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The keys that files need */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["KeysReport"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    post_encryption_reencrypt: {
        parameters: {
            query?: never;
            header?: {
                /** @description The same key and body give the same job again */
                "Idempotency-Key"?: string;
            };
            path?: never;
            cookie?: never;
        };
        requestBody?: {
            content: {
                /** @example {} */
                "application/json": Record<string, never>;
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The keys of the service do not allow this */
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
    post_codec_decode: {
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
                 *       "payloads": [
                 *         {
                 *           "metadata": {
                 *             "encoding": "anNvbi9wbGFpbg=="
                 *           },
                 *           "data": "eyJtb2RlbCI6ImNodXJuIn0="
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description Payloads as JSON has them: bytes as base64 */
                    payloads: {
                        metadata?: {
                            [key: string]: string;
                        };
                        data?: string;
                    }[];
                };
            };
        };
        responses: {
            /** @description The payloads, in order */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        payloads: Record<string, never>[];
                    };
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found */
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
        };
    };
    post_codec_encode: {
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
                 *       "payloads": [
                 *         {
                 *           "metadata": {
                 *             "encoding": "anNvbi9wbGFpbg=="
                 *           },
                 *           "data": "eyJtb2RlbCI6ImNodXJuIn0="
                 *         }
                 *       ]
                 *     }
                 */
                "application/json": {
                    /** @description Payloads as JSON has them: bytes as base64 */
                    payloads: {
                        metadata?: {
                            [key: string]: string;
                        };
                        data?: string;
                    }[];
                };
            };
        };
        responses: {
            /** @description The payloads, in order */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": {
                        payloads: Record<string, never>[];
                    };
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description Not found */
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
        };
    };
    get_operate_log_level: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The level */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLevel"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
    put_operate_log_level: {
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
                 *       "level": "DEBUG",
                 *       "seconds": 900
                 *     }
                 */
                "application/json": {
                    /** @enum {string} */
                    level: "TRACE" | "DEBUG" | "INFO" | "WARN" | "ERROR" | "FATAL";
                    /**
                     * @description For how long; then the configured level holds again
                     * @default 3600
                     */
                    seconds?: number;
                };
            };
        };
        responses: {
            /** @description The level */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLevel"];
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
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
        };
    };
    delete_operate_log_level: {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        requestBody?: never;
        responses: {
            /** @description The level */
            200: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/json": components["schemas"]["LogLevel"];
                };
            };
            /** @description Nobody is signed in */
            401: {
                headers: {
                    /** @description The id of this call in logs, workflows and errors */
                    "X-Correlation-Id"?: string;
                    [name: string]: unknown;
                };
                content: {
                    "application/problem+json": components["schemas"]["Problem"];
                };
            };
            /** @description The role of the caller does not allow this */
            403: {
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
}
