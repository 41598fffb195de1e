"""The tables of the journal: observations, what was agreed, what is in hand, what was done.

Observations are remembered, never outstanding work: `files` is the folder as it was last read, `events`
the calendars as they were last read, with the base where the two are linked. `dirty` marks what has been
seen and not yet been settled; `rev` counts observations, so that settling one does not hide the next.
"""

from __future__ import annotations

APPLICATION_ID = 0x44425931  # "DBY1": tells the file from any other SQLite database
VERSION = 1

# The tables whose rows belong to a route.
BY_ROUTE = (
    "files",
    "events",
    "backlog",
    "intents",
    "history",
    "conflicts",
    "tombstones",
    "troubles",
    "unreadable",
    "holds",
)

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE routes (
    name TEXT PRIMARY KEY,
    identity TEXT NOT NULL,          -- which calendar its cursor and links belong to
    cursor TEXT,
    connected REAL NOT NULL,         -- `since: now` means this instant
    adopted INTEGER NOT NULL,        -- 0 until the first contact has been paired
    rebuilding INTEGER NOT NULL,     -- 1: the journal was lost; no write before it is approved
    disconnected INTEGER NOT NULL DEFAULT 0,
    last_success REAL
) WITHOUT ROWID;

CREATE TABLE files (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given to another file: the log names files by it
    uid TEXT NOT NULL,               -- "" until it has one
    path TEXT UNIQUE,                -- NULL while it is being made, or was never seen again
    said_uid INTEGER NOT NULL,       -- whether the file itself says its uid
    size INTEGER, mtime_ns INTEGER, inode INTEGER, ctime_ns INTEGER,
    digest TEXT NOT NULL,
    seen TEXT NOT NULL,              -- the last good reading
    changed REAL NOT NULL,           -- when the last edit was noticed
    route TEXT,                      -- where it belongs; NULL: in no calendar
    missing REAL,                    -- since when it is not there
    problem TEXT,                    -- why the file as it is now can't be read
    verdict TEXT,                    -- what its user is told
    rev INTEGER NOT NULL DEFAULT 0,
    dirty INTEGER NOT NULL DEFAULT 1,
    look_at REAL                     -- look again then
);
CREATE INDEX files_uid ON files (uid) WHERE uid != '';
CREATE INDEX files_dirty ON files (route) WHERE dirty;
CREATE INDEX files_nameless ON files (id) WHERE NOT said_uid;
CREATE INDEX files_missing ON files (digest) WHERE missing IS NOT NULL;
CREATE INDEX files_missing_inode ON files (inode) WHERE missing IS NOT NULL;
CREATE INDEX files_standing ON files (verdict, route, missing) WHERE path IS NOT NULL;
CREATE INDEX files_problem ON files (id) WHERE problem IS NOT NULL;
CREATE INDEX files_look_at ON files (look_at) WHERE look_at IS NOT NULL;

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    route TEXT NOT NULL,
    remote TEXT NOT NULL,            -- the service's id
    version TEXT NOT NULL,           -- "" where it must be read before it is written
    uid TEXT NOT NULL,
    seen TEXT NOT NULL,              -- the last reading
    raw BLOB NOT NULL,               -- the last remote object
    seen_at REAL NOT NULL,
    gone INTEGER NOT NULL DEFAULT 0,
    file INTEGER REFERENCES files (id) ON DELETE SET NULL,
    role TEXT NOT NULL DEFAULT 'primary',
    origin TEXT NOT NULL DEFAULT 'calendar',
    base TEXT,                       -- without a file: what was agreed on while it was linked
    backlog INTEGER NOT NULL DEFAULT 0,
    taken_back INTEGER NOT NULL DEFAULT 0,  -- 1: it is, or is gone, as after a restore; 2: it may be
    rev INTEGER NOT NULL DEFAULT 0,
    dirty INTEGER NOT NULL DEFAULT 1,
    look_at REAL,
    writes INTEGER NOT NULL DEFAULT 0,
    UNIQUE (route, remote)
);
CREATE INDEX events_uid ON events (uid);
CREATE INDEX events_file ON events (file, route) WHERE file IS NOT NULL;
CREATE INDEX events_dirty ON events (route) WHERE dirty;
CREATE INDEX events_backlog ON events (route) WHERE backlog;
CREATE INDEX events_taken_back ON events (route) WHERE taken_back;
CREATE INDEX events_unread ON events (route) WHERE version = '';
CREATE INDEX events_look_at ON events (route, look_at) WHERE look_at IS NOT NULL;

CREATE TABLE past (                 -- versions that an event had before: seen again, its server has gone back
    event INTEGER NOT NULL REFERENCES events (id) ON DELETE CASCADE,
    version TEXT NOT NULL,
    at REAL NOT NULL,                -- when another one took its place
    PRIMARY KEY (event, version)
) WITHOUT ROWID;
CREATE TRIGGER events_superseded AFTER UPDATE OF version ON events
    WHEN OLD.version != '' AND NEW.version != OLD.version AND (NEW.version != '' OR NEW.writes != OLD.writes)
    BEGIN DELETE FROM past WHERE event = OLD.id AND version = OLD.version
    ; INSERT INTO past VALUES (OLD.id, OLD.version, NEW.seen_at) ; END;

CREATE TABLE backlog (file INTEGER NOT NULL, route TEXT NOT NULL, digest TEXT NOT NULL,
    PRIMARY KEY (file, route)) WITHOUT ROWID;

CREATE TABLE intents (
    token TEXT PRIMARY KEY,
    route TEXT NOT NULL,
    side TEXT NOT NULL,
    kind TEXT NOT NULL,
    file INTEGER,
    event INTEGER,
    uid TEXT NOT NULL,
    agrees TEXT NOT NULL,            -- the pairs that hold once it is done
    overlay TEXT,
    patch TEXT NOT NULL,             -- the canonical fields that were meant
    expect TEXT NOT NULL,            -- the version it expected to find
    reason TEXT NOT NULL,
    made REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE history (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL, route TEXT NOT NULL, file INTEGER, path TEXT NOT NULL, uid TEXT NOT NULL,
    side TEXT NOT NULL, action TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL,
    before TEXT NOT NULL, after TEXT NOT NULL, raw BLOB,
    approved INTEGER NOT NULL DEFAULT 0  -- 1: by its user's word, so that the brake does not count it
);
CREATE INDEX history_at ON history (at);
CREATE INDEX history_file ON history (file);
CREATE INDEX history_done ON history (route, side, action, at) WHERE NOT approved;

CREATE TABLE conflicts (
    file INTEGER NOT NULL, route TEXT NOT NULL, key TEXT NOT NULL,
    file_value TEXT, calendar_value TEXT, chosen TEXT, since REAL NOT NULL,
    PRIMARY KEY (file, route, key)
) WITHOUT ROWID;

CREATE TABLE replaced (             -- what Datebook replaced in a file, to know an old buffer
    file INTEGER NOT NULL, key TEXT NOT NULL, value TEXT, at REAL NOT NULL,
    PRIMARY KEY (file, key)
) WITHOUT ROWID;

CREATE TABLE tombstones (
    route TEXT NOT NULL, uid TEXT NOT NULL, remote TEXT NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL,
    PRIMARY KEY (route, uid)
) WITHOUT ROWID;

CREATE TABLE troubles (             -- items in quarantine, each with its own clock
    kind TEXT NOT NULL,              -- file | event
    id INTEGER NOT NULL, route TEXT NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL, cure TEXT NOT NULL,
    attempts INTEGER NOT NULL, retry REAL NOT NULL, rev INTEGER NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (kind, id, route)
) WITHOUT ROWID;

CREATE TABLE unreadable (           -- ids that are listed and can't be read
    route TEXT NOT NULL, remote TEXT NOT NULL, version TEXT NOT NULL,
    code TEXT NOT NULL, message TEXT NOT NULL, cure TEXT NOT NULL, attempts INTEGER NOT NULL,
    retry REAL NOT NULL, since REAL NOT NULL,
    PRIMARY KEY (route, remote)
) WITHOUT ROWID;

CREATE TABLE holds (id TEXT PRIMARY KEY, route TEXT NOT NULL, reason TEXT NOT NULL, actions TEXT NOT NULL,
    since REAL NOT NULL) WITHOUT ROWID;

CREATE TABLE copies (               -- files as their users last saved them
    file INTEGER PRIMARY KEY, raw BLOB NOT NULL
);

CREATE TABLE removed (              -- forgotten files: what an undo brings back
    uid TEXT PRIMARY KEY, path TEXT NOT NULL, seen TEXT NOT NULL, raw BLOB
);
CREATE TRIGGER files_forgotten BEFORE DELETE ON files BEGIN
    INSERT OR REPLACE INTO removed SELECT OLD.uid, OLD.path, OLD.seen, (SELECT raw FROM copies WHERE file = OLD.id)
    WHERE OLD.uid != '' AND OLD.path IS NOT NULL; DELETE FROM copies WHERE file = OLD.id
    ; DELETE FROM replaced WHERE file = OLD.id ; DELETE FROM conflicts WHERE file = OLD.id ; END;

CREATE TABLE approvals (signature TEXT PRIMARY KEY, mail INTEGER NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
"""
