CREATE TABLE IF NOT EXISTS installation (id TEXT NOT NULL, fingerprint BLOB NOT NULL, format INTEGER NOT NULL);

-- One row as long as this is the unfinished copy of another store.
CREATE TABLE IF NOT EXISTS unfinished_copy (source TEXT NOT NULL);

-- An owner's dictionary: its state, the number of ordinals handed out, and when this epoch began.
CREATE TABLE IF NOT EXISTS dictionary (
    owner BLOB PRIMARY KEY, epoch INTEGER NOT NULL, last_block BLOB NOT NULL, ordinals INTEGER NOT NULL, since INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS block (
    owner BLOB NOT NULL, first_ordinal INTEGER NOT NULL, id BLOB NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (owner, first_ordinal)
);

-- The devices that were erased, when, and the block that was appended to the dictionary with it.
CREATE TABLE IF NOT EXISTS tombstone (
    owner BLOB NOT NULL, device BLOB NOT NULL, at INTEGER NOT NULL, block BLOB NOT NULL, PRIMARY KEY (owner, device)
);

-- Up to which row of a spool an owner's events are in the segments.
CREATE TABLE IF NOT EXISTS mark (
    spool BLOB NOT NULL, owner BLOB NOT NULL, row INTEGER NOT NULL, tag BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (spool, owner)
);
CREATE TABLE IF NOT EXISTS receipt (
    spool BLOB NOT NULL, owner BLOB NOT NULL, row INTEGER NOT NULL, tag BLOB NOT NULL, bytes BLOB NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (spool, owner, row)
);

-- One app-day: its state; its base lies in `piece`, what came since in `delta`. Its tag is that of the newest delta, or of
-- a rebuilt base; its first_tag is that of the newest delta that the base holds.
CREATE TABLE IF NOT EXISTS segment (
    owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL,
    epoch INTEGER NOT NULL, generation INTEGER NOT NULL, sequence INTEGER NOT NULL,
    base_bytes INTEGER NOT NULL, timed INTEGER NOT NULL, changed_at INTEGER NOT NULL,
    tag BLOB NOT NULL DEFAULT x'0000000000000000', first_tag BLOB NOT NULL DEFAULT x'0000000000000000',
    PRIMARY KEY (owner, app, day)
);
CREATE TABLE IF NOT EXISTS delta (
    owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL, sequence INTEGER NOT NULL, bytes BLOB NOT NULL,
    tag BLOB NOT NULL DEFAULT x'0000000000000000', PRIMARY KEY (owner, app, day, sequence)
);
CREATE TABLE IF NOT EXISTS piece (
    owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL, generation INTEGER NOT NULL, place INTEGER NOT NULL,
    bytes BLOB NOT NULL, PRIMARY KEY (owner, app, day, generation, place)
);

-- App-days that have expired, and when: a clock that goes back does not bring them back.
CREATE TABLE IF NOT EXISTS expired (
    owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (owner, app, day)
);

-- Days that lack something, and the damaged blobs that are the reason.
CREATE TABLE IF NOT EXISTS incomplete (
    owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL, PRIMARY KEY (owner, app, day)
);
CREATE TABLE IF NOT EXISTS damaged (
    owner BLOB NOT NULL, app BLOB NOT NULL, day INTEGER NOT NULL, place TEXT NOT NULL, bytes BLOB NOT NULL
);

-- What was erased and may not come back from a spool: one app, or a whole owner where app is empty.
CREATE TABLE IF NOT EXISTS erased (owner BLOB NOT NULL, app BLOB NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (owner, app));
