extension EtaMigration {
    /// What lists need to be as fast with a hundred thousand rows as with a thousand: names and titles
    /// by each three characters that follow each other, how many rows there are, private worlds by
    /// themselves.
    static let search: StaticString = """
        CREATE TABLE user_text (
            row INTEGER PRIMARY KEY,
            user_id BLOB NOT NULL UNIQUE REFERENCES user (id) ON DELETE CASCADE,
            username TEXT NOT NULL,
            displayname TEXT NOT NULL
        ) STRICT;
        CREATE VIRTUAL TABLE user_search USING fts5 (
            username, displayname,
            content = 'user_text', content_rowid = 'row', tokenize = 'trigram case_sensitive 1'
        );
        CREATE TRIGGER user_text_inserted AFTER INSERT ON user_text BEGIN
            INSERT INTO user_search (rowid, username, displayname)
            VALUES (new.row, new.username, new.displayname);
        END;
        CREATE TRIGGER user_text_deleted AFTER DELETE ON user_text BEGIN
            INSERT INTO user_search (user_search, rowid, username, displayname)
            VALUES ('delete', old.row, old.username, old.displayname);
        END;
        CREATE TRIGGER user_text_updated AFTER UPDATE ON user_text BEGIN
            INSERT INTO user_search (user_search, rowid, username, displayname)
            VALUES ('delete', old.row, old.username, old.displayname);
            INSERT INTO user_search (rowid, username, displayname)
            VALUES (new.row, new.username, new.displayname);
        END;

        CREATE TABLE world_text (
            row INTEGER PRIMARY KEY,
            world_id BLOB NOT NULL UNIQUE REFERENCES world (id) ON DELETE CASCADE,
            title TEXT NOT NULL,
            tags TEXT NOT NULL
        ) STRICT;
        CREATE VIRTUAL TABLE world_search USING fts5 (
            title, tags,
            content = 'world_text', content_rowid = 'row', tokenize = 'trigram case_sensitive 1'
        );
        CREATE TRIGGER world_text_inserted AFTER INSERT ON world_text BEGIN
            INSERT INTO world_search (rowid, title, tags) VALUES (new.row, new.title, new.tags);
        END;
        CREATE TRIGGER world_text_deleted AFTER DELETE ON world_text BEGIN
            INSERT INTO world_search (world_search, rowid, title, tags)
            VALUES ('delete', old.row, old.title, old.tags);
        END;
        CREATE TRIGGER world_text_updated AFTER UPDATE ON world_text BEGIN
            INSERT INTO world_search (world_search, rowid, title, tags)
            VALUES ('delete', old.row, old.title, old.tags);
            INSERT INTO world_search (rowid, title, tags) VALUES (new.row, new.title, new.tags);
        END;
        CREATE INDEX world_private ON world (id) WHERE instr(tags, ' avr:private ') > 0;

        -- How many there are of what lists are of: user, world, private, and tag: with each tag.
        CREATE TABLE list_total (
            name TEXT PRIMARY KEY,
            count INTEGER NOT NULL CHECK (count >= 0)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO user_text (user_id, username, displayname)
        SELECT id, username_key, displayname_key FROM user ORDER BY id;
        INSERT INTO world_text (world_id, title, tags)
        SELECT id, title_key, tags FROM world ORDER BY id;
        INSERT INTO list_total (name, count) VALUES
            ('user', (SELECT count(*) FROM user)),
            ('world', (SELECT count(*) FROM world)),
            ('private', (SELECT count(*) FROM world WHERE instr(tags, ' avr:private ') > 0));
        INSERT INTO list_total (name, count)
        SELECT 'tag:' || tag, count(*) FROM user_tag GROUP BY tag;

        CREATE TRIGGER user_inserted AFTER INSERT ON user BEGIN
            INSERT INTO user_text (user_id, username, displayname)
            VALUES (new.id, new.username_key, new.displayname_key);
            UPDATE list_total SET count = count + 1 WHERE name = 'user';
        END;
        CREATE TRIGGER user_deleted AFTER DELETE ON user BEGIN
            UPDATE list_total SET count = count - 1 WHERE name = 'user';
        END;
        CREATE TRIGGER user_renamed AFTER UPDATE OF username_key, displayname_key ON user
        WHEN old.username_key <> new.username_key OR old.displayname_key <> new.displayname_key
        BEGIN
            UPDATE user_text SET username = new.username_key, displayname = new.displayname_key
            WHERE user_id = new.id;
        END;
        CREATE TRIGGER user_tag_inserted AFTER INSERT ON user_tag BEGIN
            INSERT INTO list_total (name, count) VALUES ('tag:' || new.tag, 1)
            ON CONFLICT (name) DO UPDATE SET count = count + 1;
        END;
        CREATE TRIGGER user_tag_deleted AFTER DELETE ON user_tag BEGIN
            UPDATE list_total SET count = count - 1 WHERE name = 'tag:' || old.tag;
        END;
        CREATE TRIGGER world_inserted AFTER INSERT ON world BEGIN
            INSERT INTO world_text (world_id, title, tags)
            VALUES (new.id, new.title_key, new.tags);
            UPDATE list_total SET count = count + 1 WHERE name = 'world';
            UPDATE list_total SET count = count + 1
            WHERE name = 'private' AND instr(new.tags, ' avr:private ') > 0;
        END;
        CREATE TRIGGER world_deleted AFTER DELETE ON world BEGIN
            UPDATE list_total SET count = count - 1 WHERE name = 'world';
            UPDATE list_total SET count = count - 1
            WHERE name = 'private' AND instr(old.tags, ' avr:private ') > 0;
        END;
        CREATE TRIGGER world_changed AFTER UPDATE OF title_key, tags ON world
        WHEN old.title_key <> new.title_key OR old.tags <> new.tags
        BEGIN
            UPDATE world_text SET title = new.title_key, tags = new.tags WHERE world_id = new.id;
            UPDATE list_total SET count = count
                + (instr(new.tags, ' avr:private ') > 0) - (instr(old.tags, ' avr:private ') > 0)
            WHERE name = 'private';
        END;
        """
}
