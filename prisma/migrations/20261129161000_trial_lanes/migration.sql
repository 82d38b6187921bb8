-- Which activity of the workflow runs a trial: one that is tried again goes on with the trial that it has begun.
ALTER TABLE sweep_trials ADD COLUMN lane TEXT;
