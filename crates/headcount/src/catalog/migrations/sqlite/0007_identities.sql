-- Who signs in with an OpenID Connect provider: its issuer and subject are what a user is known by. A person whose role
-- changes is another user.
CREATE TABLE identities (
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    role       TEXT NOT NULL CHECK (role IN ('administrator', 'team')),
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (issuer, subject, role)
);
CREATE INDEX identities_of_user ON identities (user_id);
