-- By what a session is held, `bearer` or `browser`, and the User-Agent that opened it.
ALTER TABLE sessions ADD COLUMN kind TEXT NOT NULL DEFAULT 'bearer';
ALTER TABLE sessions ADD COLUMN agent TEXT NOT NULL DEFAULT '';

-- How often a password was tried for one name, from one network, or for one name from one network, and until when the next
-- try waits. `subject` is a keyed hash: neither names nor addresses are kept. A row is forgotten when nothing more happens.
CREATE TABLE login_attempts (
    subject    TEXT PRIMARY KEY,
    tries      BIGINT NOT NULL,
    waits_till BIGINT NOT NULL,
    forget_at  BIGINT NOT NULL
);
CREATE INDEX login_attempts_to_forget ON login_attempts (forget_at);

-- The networks from which a user has logged in, as keyed hashes: what happens elsewhere keeps nobody out there.
CREATE TABLE known_networks (
    user_id   TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    network   TEXT NOT NULL,
    forget_at BIGINT NOT NULL,
    PRIMARY KEY (user_id, network)
);
