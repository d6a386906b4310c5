-- What a team user may do: `apps.create` and the like, separated by spaces.
ALTER TABLE users ADD COLUMN rights TEXT NOT NULL DEFAULT '';

-- Which resources a team user or an API token may touch, in the order in which they were granted. A deleted one is granted
-- to nobody.
CREATE TABLE grants (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    holder_id   TEXT NOT NULL,
    resource_id TEXT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    UNIQUE (holder_id, resource_id)
);
CREATE INDEX grants_of_resource ON grants (resource_id);

-- What programs call with. Only the SHA-256 of a token is kept. `scopes` are separated by spaces. Unless `every_app` is 1,
-- a token acts on the apps that `grants` has for its id.
CREATE TABLE api_tokens (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT NOT NULL UNIQUE,
    owner_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    token_hash   TEXT NOT NULL UNIQUE,
    token_prefix TEXT NOT NULL,
    scopes       TEXT NOT NULL,
    every_app    BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT,
    last_used_at BIGINT
);
CREATE INDEX api_tokens_of_owner ON api_tokens (owner_id);
