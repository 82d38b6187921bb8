-- Who asked for a prediction.
ALTER TABLE "predictions" ADD COLUMN "caller" TEXT;
