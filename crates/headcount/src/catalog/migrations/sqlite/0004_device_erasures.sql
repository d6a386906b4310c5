-- Devices that were erased, by their pseudonym in hex: what was accepted of one until `erased_at` is not counted. `done` says
-- that the store had it erased, once. A row goes when nothing that was accepted before can come any more.
CREATE TABLE device_erasures (
    owner_id  TEXT NOT NULL,
    device    TEXT NOT NULL,
    erased_at BIGINT NOT NULL,
    done      BIGINT NOT NULL,
    PRIMARY KEY (owner_id, device)
);
