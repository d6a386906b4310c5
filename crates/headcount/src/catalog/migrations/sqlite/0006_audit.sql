-- Who changed what of an owner's, and when. Rows are only added; they go when they are older than a setting says, and with
-- their owner. Names are those of the moment. `via` is by what the caller was known.
CREATE TABLE audit (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    owner_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    at           BIGINT NOT NULL,
    actor_kind   TEXT NOT NULL,
    actor_id     TEXT NOT NULL,
    actor_name   TEXT NOT NULL,
    via          TEXT NOT NULL,
    kind         TEXT NOT NULL,
    action       TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    subject_name TEXT NOT NULL
);
CREATE INDEX audit_of_owner ON audit (owner_id, seq);
CREATE INDEX audit_by_age ON audit (at);
CREATE TRIGGER audit_is_only_added_to BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is only added to');
END;
