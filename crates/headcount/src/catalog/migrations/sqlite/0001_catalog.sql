-- One row: who this installation is. `revision` grows with every write that checks can see.
CREATE TABLE installation (
    id               TEXT PRIMARY KEY,
    secret           BLOB NOT NULL,
    revision         BIGINT NOT NULL,
    setup_token_hash TEXT,
    default_owner    TEXT,
    created_at       BIGINT NOT NULL
);

-- Administrators (owner_id = id) and team users share one namespace of names. Times are milliseconds since 1970.
CREATE TABLE users (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         TEXT NOT NULL UNIQUE,
    name       TEXT NOT NULL UNIQUE,
    password   TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('administrator', 'team')),
    owner_id   TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Only the SHA-256 of a token is kept.
CREATE TABLE sessions (
    token_hash   TEXT PRIMARY KEY,
    id           TEXT NOT NULL UNIQUE,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX sessions_of_user ON sessions (user_id);

-- Apps, channels, platforms and architectures. A deleted one keeps its row: its days are still reported by its name.
CREATE TABLE resources (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          TEXT NOT NULL UNIQUE,
    owner_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    kind        TEXT NOT NULL CHECK (kind IN ('app', 'channel', 'platform', 'arch')),
    name        TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    logo        TEXT NOT NULL DEFAULT '',
    private     BIGINT NOT NULL DEFAULT 0,
    tuf         BIGINT NOT NULL DEFAULT 0,
    reports     BIGINT NOT NULL DEFAULT 0,
    cdn_edge    BIGINT NOT NULL DEFAULT 0,
    updaters    TEXT NOT NULL DEFAULT '',
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    deleted_at  BIGINT
);
CREATE UNIQUE INDEX resources_by_name ON resources (owner_id, kind, name) WHERE deleted_at IS NULL;

-- The names that resources had before a rename; a row goes when another resource of the kind takes the name.
CREATE TABLE former_names (
    owner_id    TEXT NOT NULL,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    resource_id TEXT NOT NULL REFERENCES resources (id) ON DELETE CASCADE,
    PRIMARY KEY (owner_id, kind, name)
);

-- `version_order` sorts by its bytes as versions do, and is equal where they are of equal precedence.
-- `channel_id` is '' where the owner has no channels.
CREATE TABLE releases (
    seq             INTEGER PRIMARY KEY AUTOINCREMENT,
    id              TEXT NOT NULL UNIQUE,
    owner_id        TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    app_id          TEXT NOT NULL REFERENCES resources (id),
    channel_id      TEXT NOT NULL,
    version         TEXT NOT NULL,
    version_order   TEXT NOT NULL,
    published       BIGINT NOT NULL,
    critical        BIGINT NOT NULL,
    intermediate    BIGINT NOT NULL,
    rollout_percent BIGINT NOT NULL,
    rollout_seed    TEXT NOT NULL,
    changelog       TEXT NOT NULL,
    published_at    BIGINT,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    UNIQUE (app_id, channel_id, version_order)
);

-- `platform_id` and `arch_id` are '' for a file that serves every device of an owner without platforms or architectures.
CREATE TABLE artifacts (
    release_id  TEXT NOT NULL REFERENCES releases (id) ON DELETE CASCADE,
    position    BIGINT NOT NULL,
    platform_id TEXT NOT NULL,
    arch_id     TEXT NOT NULL,
    package     TEXT NOT NULL,
    link        TEXT NOT NULL,
    signature   TEXT,
    sha512      TEXT,
    size        BIGINT,
    PRIMARY KEY (release_id, position)
);

-- Telemetry to be erased from the store: of one app, or of a deleted owner where app_id is ''.
CREATE TABLE erasures (
    owner_id   TEXT NOT NULL,
    app_id     TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (owner_id, app_id)
);

-- Daily totals, kept for years: of one app, or of all apps of an owner where app_id is ''. They hold no device.
-- (generation, sequence) says from which state of the segments they were computed; an older state never wins.
CREATE TABLE daily_totals (
    owner_id   TEXT NOT NULL,
    app_id     TEXT NOT NULL,
    day        BIGINT NOT NULL,
    generation BIGINT NOT NULL,
    sequence   BIGINT NOT NULL,
    incomplete BIGINT NOT NULL,
    requests   BIGINT NOT NULL,
    devices    BIGINT NOT NULL,
    latest     BIGINT NOT NULL,
    outdated   BIGINT NOT NULL,
    held       BIGINT NOT NULL,
    outdated_or_held BIGINT NOT NULL,
    fresh      BIGINT NOT NULL,
    active_7   BIGINT NOT NULL,
    active_28  BIGINT NOT NULL,
    breakdown  TEXT NOT NULL,
    PRIMARY KEY (owner_id, app_id, day)
);
