CREATE TABLE asset (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    world_id BLOB NOT NULL REFERENCES world (id) ON DELETE CASCADE,
    version TEXT NOT NULL,
    engine TEXT NOT NULL,
    platform TEXT NOT NULL,
    url TEXT,
    hash BLOB CHECK (length(hash) = 32),
    size INTEGER CHECK (size >= 0),
    file_hash BLOB REFERENCES file (hash),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (world_id, version, engine, platform),
    CHECK (url IS NULL OR file_hash IS NULL),
    CHECK ((hash IS NULL) = (url IS NULL AND file_hash IS NULL)),
    CHECK ((size IS NULL) = (hash IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX asset_by_file ON asset (file_hash);

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    act TEXT NOT NULL,
    subject TEXT NOT NULL,
    reason TEXT,
    details TEXT
) STRICT;

CREATE TABLE candidate (
    instance_id BLOB NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    user TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'invited', 'admitted')),
    decided_by TEXT,
    since INTEGER NOT NULL,
    PRIMARY KEY (instance_id, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX candidate_by_user ON candidate (user);

CREATE TABLE challenge (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    server TEXT NOT NULL,
    nonce BLOB NOT NULL CHECK (length(nonce) = 32),
    state TEXT NOT NULL CHECK (state IN ('pending', 'spent', 'proved', 'revoked')),
    token_hash BLOB UNIQUE CHECK (length(token_hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX challenge_by_expiry ON challenge (expires_at);

CREATE INDEX challenge_by_server ON challenge (server, created_at);

CREATE TABLE file (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    size INTEGER NOT NULL CHECK (size >= 0),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE file_total (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;

CREATE TABLE follow (
    follower TEXT NOT NULL,
    followed TEXT NOT NULL,
    follower_id BLOB REFERENCES user (id) ON DELETE CASCADE,
    followed_id BLOB REFERENCES user (id) ON DELETE CASCADE,
    followed_at INTEGER NOT NULL,
    PRIMARY KEY (follower, followed),
    CHECK (follower <> followed),
    CHECK (follower_id IS NOT NULL OR followed_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX follow_by_followed ON follow (followed, follower);

CREATE INDEX follow_by_followed_id ON follow (followed_id);

CREATE INDEX follow_by_follower_id ON follow (follower_id);

CREATE TABLE inbox (
    peer TEXT PRIMARY KEY,
    stream TEXT NOT NULL,
    last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE incoming_integrity (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    user TEXT NOT NULL,
    server TEXT NOT NULL,
    profile TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE INDEX incoming_integrity_by_expiry ON incoming_integrity (expires_at);

CREATE INDEX incoming_integrity_by_server ON incoming_integrity (server);

CREATE INDEX incoming_integrity_by_user ON incoming_integrity (user, created_at);

CREATE TABLE ins (
    name TEXT PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE instance (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    name TEXT NOT NULL UNIQUE,
    title TEXT,
    title_key TEXT NOT NULL,
    description TEXT,
    world TEXT NOT NULL,
    world_version TEXT,
    own_world BLOB CHECK (length(own_world) = 16),
    owner TEXT NOT NULL,
    moderators TEXT NOT NULL,
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 1024),
    tags TEXT NOT NULL,
    access INTEGER NOT NULL CHECK (access BETWEEN 0 AND 5),
    ins TEXT,
    epoch INTEGER NOT NULL,
    empty_since INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX instance_by_emptiness ON instance (empty_since)
WHERE empty_since IS NOT NULL;

CREATE INDEX instance_by_ins ON instance (ins);

CREATE INDEX instance_by_owner ON instance (owner, id);

CREATE INDEX instance_by_world ON instance (world, id);

CREATE TABLE invite (
    id TEXT PRIMARY KEY,
    code_hash BLOB NOT NULL UNIQUE CHECK (length(code_hash) = 32),
    uses INTEGER NOT NULL CHECK (uses > 0),
    used INTEGER NOT NULL CHECK (used BETWEEN 0 AND uses),
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX invite_by_expiry ON invite (expires_at);

CREATE TABLE list_total (
    name TEXT PRIMARY KEY,
    count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
    address TEXT PRIMARY KEY,
    secure INTEGER NOT NULL CHECK (secure IN (0, 1)),
    gateway_secure INTEGER CHECK (gateway_secure IN (0, 1)),
    gateway_address TEXT,
    seen_at INTEGER NOT NULL
, failure INTEGER, failed_at INTEGER) STRICT, WITHOUT ROWID;

CREATE TABLE node_fact (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE node_key (
    address TEXT NOT NULL REFERENCES node (address) ON DELETE CASCADE,
    key BLOB NOT NULL CHECK (length(key) = 32),
    seen_at INTEGER NOT NULL,
    trusted_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (address, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE nonce (
    server TEXT NOT NULL,
    nonce TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (server, nonce)
) STRICT, WITHOUT ROWID;

CREATE INDEX nonce_by_expiry ON nonce (expires_at);

CREATE TABLE outbox (
    peer TEXT PRIMARY KEY,
    stream TEXT NOT NULL,
    last INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    due_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_by_time ON outbox (due_at);

CREATE TABLE outbox_item (
    peer TEXT NOT NULL REFERENCES outbox (peer) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    type TEXT NOT NULL,
    -- Whose older items of the type this one replaces.
    subject TEXT,
    body TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (peer, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX outbox_item_by_subject ON outbox_item (peer, type, subject)
WHERE subject IS NOT NULL;

CREATE INDEX outbox_item_by_time ON outbox_item (at);

CREATE TABLE outgoing_integrity (
    id BLOB NOT NULL CHECK (length(id) = 16),
    server TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    session_id BLOB NOT NULL CHECK (length(session_id) = 16),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (server, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX outgoing_integrity_by_expiry ON outgoing_integrity (expires_at);

CREATE INDEX outgoing_integrity_by_session ON outgoing_integrity (session_id);

CREATE INDEX outgoing_integrity_by_user ON outgoing_integrity (user_id);

CREATE TABLE outside_change (
    user_id BLOB PRIMARY KEY REFERENCES user (id) ON DELETE CASCADE
, ends_logins INTEGER NOT NULL DEFAULT 0
    CHECK (ends_logins IN (0, 1))) STRICT, WITHOUT ROWID;

CREATE TABLE person_abroad (
    person TEXT PRIMARY KEY,
    server TEXT NOT NULL,
    name_key TEXT NOT NULL,
    label_key TEXT NOT NULL,
    profile TEXT NOT NULL,
    presence TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX person_abroad_by_name ON person_abroad (server, name_key);

CREATE TABLE player (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    instance_id BLOB NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    user TEXT NOT NULL,
    displayname TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('admin', 'bot', 'normal')),
    reil TEXT NOT NULL,
    joined_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX player_by_instance ON player (instance_id, joined_at, id);

CREATE INDEX player_by_reil ON player (reil);

CREATE INDEX player_by_user ON player (user, instance_id);

CREATE TABLE replaced_generation (
    session_id BLOB NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    low INTEGER NOT NULL,
    high INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    PRIMARY KEY (session_id, low)
) STRICT, WITHOUT ROWID;

CREATE INDEX replaced_generation_by_expiry ON replaced_generation (expires_at);

CREATE TABLE report (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    about TEXT NOT NULL,
    reason TEXT NOT NULL,
    reporter TEXT,
    origin TEXT,
    state TEXT NOT NULL CHECK (state IN ('open', 'taken', 'closed')),
    note TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((reporter IS NULL) <> (origin IS NULL))
) STRICT;

CREATE INDEX report_by_state ON report (state, number);

CREATE TABLE rule (
    list TEXT NOT NULL CHECK (list IN ('server', 'cidr', 'agent')),
    subject TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('deny', 'limit', 'allow')),
    reason TEXT,
    decided_by TEXT,
    until INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (list, subject)
) STRICT, WITHOUT ROWID;

CREATE INDEX rule_by_end ON rule (until) WHERE until IS NOT NULL;

CREATE TABLE sanction (
    instance_id BLOB NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    user TEXT NOT NULL,
    type TEXT NOT NULL CHECK (type IN ('ban', 'mute', 'kick')),
    reason TEXT,
    decided_by TEXT NOT NULL,
    until INTEGER,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (instance_id, user, type)
) STRICT, WITHOUT ROWID;

CREATE INDEX sanction_by_end ON sanction (until) WHERE until IS NOT NULL;

CREATE INDEX sanction_by_user ON sanction (user);

CREATE TABLE service (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    title_key TEXT NOT NULL,
    description TEXT,
    address TEXT NOT NULL,
    secure INTEGER NOT NULL CHECK (secure IN (0, 1)),
    tags TEXT NOT NULL,
    owner_id BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    token_hash BLOB NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    session_id BLOB NOT NULL UNIQUE CHECK (length(session_id) = 16),
    status TEXT NOT NULL CHECK (status IN ('up', 'down')),
    checked_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX service_by_owner ON service (owner_id, id);

CREATE TABLE session (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    user_id BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    generation INTEGER NOT NULL,
    refresh_hash BLOB NOT NULL UNIQUE CHECK (length(refresh_hash) = 32),
    expires_at INTEGER NOT NULL,
    previous_hash BLOB UNIQUE CHECK (length(previous_hash) = 32),
    previous_expires_at INTEGER,
    user_agent TEXT,
    address_prefix TEXT,
    created_at INTEGER NOT NULL,
    used_at INTEGER NOT NULL,
    CHECK ((previous_hash IS NULL) = (previous_expires_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX session_by_expiry ON session (expires_at);

CREATE INDEX session_by_user ON session (user_id, address_prefix);

CREATE TABLE spent_refresh (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    session_id BLOB NOT NULL REFERENCES session (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX spent_refresh_by_expiry ON spent_refresh (expires_at);

CREATE INDEX spent_refresh_by_session ON spent_refresh (session_id);

CREATE TABLE suspension (
    user TEXT PRIMARY KEY,
    reason TEXT,
    decided_by TEXT NOT NULL,
    until INTEGER,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX suspension_by_end ON suspension (until) WHERE until IS NOT NULL;

CREATE TABLE user (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    username TEXT NOT NULL,
    username_key TEXT NOT NULL UNIQUE,
    displayname TEXT NOT NULL,
    displayname_key TEXT NOT NULL,
    description TEXT,
    email TEXT,
    email_key TEXT UNIQUE,
    status TEXT NOT NULL DEFAULT 'online',
    password TEXT,
    home TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
, thumbnail BLOB REFERENCES file (hash), banner BLOB REFERENCES file (hash)) STRICT, WITHOUT ROWID;

CREATE INDEX user_by_banner ON user (banner) WHERE banner IS NOT NULL;

CREATE INDEX user_by_thumbnail ON user (thumbnail) WHERE thumbnail IS NOT NULL;

CREATE TRIGGER user_deleted AFTER DELETE ON user BEGIN
    UPDATE list_total SET count = count - 1 WHERE name = 'user';
END;

CREATE TRIGGER user_inserted AFTER INSERT ON user BEGIN
    INSERT INTO user_text (user_id, username, displayname)
    VALUES (new.id, new.username_key, new.displayname_key);
    UPDATE list_total SET count = count + 1 WHERE name = 'user';
END;

CREATE TRIGGER user_renamed AFTER UPDATE OF username_key, displayname_key ON user
WHEN old.username_key <> new.username_key OR old.displayname_key <> new.displayname_key
BEGIN
    UPDATE user_text SET username = new.username_key, displayname = new.displayname_key
    WHERE user_id = new.id;
END;

CREATE VIRTUAL TABLE user_search USING fts5 (
    username, displayname,
    content = 'user_text', content_rowid = 'row', tokenize = 'trigram case_sensitive 1'
);

CREATE TABLE user_tag (
    user_id BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    tag TEXT NOT NULL,
    PRIMARY KEY (user_id, tag)
) STRICT, WITHOUT ROWID;

CREATE INDEX user_tag_by_tag ON user_tag (tag, user_id);

CREATE TRIGGER user_tag_deleted AFTER DELETE ON user_tag BEGIN
    UPDATE list_total SET count = count - 1 WHERE name = 'tag:' || old.tag;
END;

CREATE TRIGGER user_tag_inserted AFTER INSERT ON user_tag BEGIN
    INSERT INTO list_total (name, count) VALUES ('tag:' || new.tag, 1)
    ON CONFLICT (name) DO UPDATE SET count = count + 1;
END;

CREATE TABLE user_text (
    row INTEGER PRIMARY KEY,
    user_id BLOB NOT NULL UNIQUE REFERENCES user (id) ON DELETE CASCADE,
    username TEXT NOT NULL,
    displayname TEXT NOT NULL
) STRICT;

CREATE TRIGGER user_text_deleted AFTER DELETE ON user_text BEGIN
    INSERT INTO user_search (user_search, rowid, username, displayname)
    VALUES ('delete', old.row, old.username, old.displayname);
END;

CREATE TRIGGER user_text_inserted AFTER INSERT ON user_text BEGIN
    INSERT INTO user_search (rowid, username, displayname)
    VALUES (new.row, new.username, new.displayname);
END;

CREATE TRIGGER user_text_updated AFTER UPDATE ON user_text BEGIN
    INSERT INTO user_search (user_search, rowid, username, displayname)
    VALUES ('delete', old.row, old.username, old.displayname);
    INSERT INTO user_search (rowid, username, displayname)
    VALUES (new.row, new.username, new.displayname);
END;

CREATE TABLE waiting (
    instance_id BLOB NOT NULL REFERENCES instance (id) ON DELETE CASCADE,
    user TEXT NOT NULL,
    number INTEGER NOT NULL,
    asked_at INTEGER NOT NULL,
    held_until INTEGER,
    PRIMARY KEY (instance_id, user)
) STRICT, WITHOUT ROWID;

CREATE INDEX waiting_by_hold ON waiting (held_until) WHERE held_until IS NOT NULL;

CREATE UNIQUE INDEX waiting_by_number ON waiting (instance_id, number);

CREATE INDEX waiting_by_silence ON waiting (asked_at);

CREATE INDEX waiting_by_user ON waiting (user);

CREATE TABLE world (
    id BLOB PRIMARY KEY CHECK (length(id) = 16),
    title TEXT NOT NULL,
    title_key TEXT NOT NULL,
    description TEXT,
    capacity INTEGER NOT NULL CHECK (capacity BETWEEN 1 AND 1024),
    owner_id BLOB NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    contributors TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
, thumbnail BLOB REFERENCES file (hash)) STRICT, WITHOUT ROWID;

CREATE INDEX world_by_owner ON world (owner_id, id);

CREATE INDEX world_by_thumbnail ON world (thumbnail) WHERE thumbnail IS NOT NULL;

CREATE INDEX world_private ON world (id) WHERE instr(tags, ' avr:private ') > 0;

CREATE TRIGGER world_changed AFTER UPDATE OF title_key, tags ON world
WHEN old.title_key <> new.title_key OR old.tags <> new.tags
BEGIN
    UPDATE world_text SET title = new.title_key, tags = new.tags WHERE world_id = new.id;
    UPDATE list_total SET count = count
        + (instr(new.tags, ' avr:private ') > 0) - (instr(old.tags, ' avr:private ') > 0)
    WHERE name = 'private';
END;

CREATE TRIGGER world_deleted AFTER DELETE ON world BEGIN
    UPDATE list_total SET count = count - 1 WHERE name = 'world';
    UPDATE list_total SET count = count - 1
    WHERE name = 'private' AND instr(old.tags, ' avr:private ') > 0;
END;

CREATE TRIGGER world_inserted AFTER INSERT ON world BEGIN
    INSERT INTO world_text (world_id, title, tags)
    VALUES (new.id, new.title_key, new.tags);
    UPDATE list_total SET count = count + 1 WHERE name = 'world';
    UPDATE list_total SET count = count + 1
    WHERE name = 'private' AND instr(new.tags, ' avr:private ') > 0;
END;

CREATE VIRTUAL TABLE world_search USING fts5 (
    title, tags,
    content = 'world_text', content_rowid = 'row', tokenize = 'trigram case_sensitive 1'
);

CREATE TABLE world_text (
    row INTEGER PRIMARY KEY,
    world_id BLOB NOT NULL UNIQUE REFERENCES world (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    tags TEXT NOT NULL
) STRICT;

CREATE TRIGGER world_text_deleted AFTER DELETE ON world_text BEGIN
    INSERT INTO world_search (world_search, rowid, title, tags)
    VALUES ('delete', old.row, old.title, old.tags);
END;

CREATE TRIGGER world_text_inserted AFTER INSERT ON world_text BEGIN
    INSERT INTO world_search (rowid, title, tags) VALUES (new.row, new.title, new.tags);
END;

CREATE TRIGGER world_text_updated AFTER UPDATE ON world_text BEGIN
    INSERT INTO world_search (world_search, rowid, title, tags)
    VALUES ('delete', old.row, old.title, old.tags);
    INSERT INTO world_search (rowid, title, tags) VALUES (new.row, new.title, new.tags);
END;
