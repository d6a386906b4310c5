-- What administrators have settled: the days for which devices are kept (0 stands for those of the installation), whether
-- `Sec-GPC` and `DNT` keep a device from being counted, and whether ids that look personal are refused.
ALTER TABLE users ADD COLUMN retention_days BIGINT NOT NULL DEFAULT 0;
ALTER TABLE users ADD COLUMN opt_out_signals BIGINT NOT NULL DEFAULT 1;
ALTER TABLE users ADD COLUMN strict_ids BIGINT NOT NULL DEFAULT 0;

-- Whether checks of an app are counted.
ALTER TABLE resources ADD COLUMN telemetry BIGINT NOT NULL DEFAULT 1;
