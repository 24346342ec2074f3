//! The tables of the catalogue, version by version.
//!
//! A new version appends a step to [`STEPS`]; steps that were released never change.

use rusqlite::{Connection, TransactionBehavior};

/// Says whose database it is: `VQTA`.
pub(crate) const APPLICATION: i64 = 0x5651_5441;

/// What leads from each version to the next. `own_bytes` is what a video takes beside its token sets: its frames, and the texts of its row.
const STEPS: [&str; 2] = [FIRST, SECOND];

/// Videos and their token sets.
const FIRST: &str = "
    CREATE TABLE videos (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        content BLOB NOT NULL CHECK (length(content) = 32),
        model TEXT NOT NULL,
        sampling TEXT NOT NULL,
        name TEXT NOT NULL,
        created INTEGER NOT NULL,
        used INTEGER NOT NULL,
        source_name TEXT,
        source_width INTEGER,
        source_height INTEGER,
        source_duration REAL,
        source_bytes INTEGER,
        source_frames INTEGER,
        grid_frames INTEGER NOT NULL,
        grid_height INTEGER NOT NULL,
        grid_width INTEGER NOT NULL,
        budget TEXT NOT NULL,
        frames_stored INTEGER NOT NULL,
        warnings TEXT NOT NULL,
        own_bytes INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX videos_by_use ON videos (used);
    CREATE TABLE token_sets (
        video INTEGER NOT NULL REFERENCES videos (sequence) ON DELETE CASCADE,
        budget TEXT NOT NULL,
        codes INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        PRIMARY KEY (video, budget)
    ) STRICT, WITHOUT ROWID;
";

/// Vectors, and facts about videos. The version of the vectors grows with each change, whichever process makes it.
const SECOND: &str = "
    CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL UNIQUE,
        space TEXT NOT NULL,
        features INTEGER NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('moments', 'codes')),
        rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE vectors (
        video INTEGER NOT NULL REFERENCES videos (sequence) ON DELETE CASCADE,
        segment INTEGER NOT NULL REFERENCES segments (number) ON DELETE CASCADE,
        rows INTEGER NOT NULL,
        PRIMARY KEY (video, segment)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX vectors_by_segment ON vectors (segment);
    CREATE TABLE vectors_version (version INTEGER NOT NULL) STRICT;
    INSERT INTO vectors_version VALUES (0);
    CREATE TRIGGER vector_added AFTER INSERT ON vectors BEGIN UPDATE vectors_version SET version = version + 1; END;
    CREATE TRIGGER vector_removed AFTER DELETE ON vectors BEGIN UPDATE vectors_version SET version = version + 1; END;
    CREATE TABLE facts (
        video INTEGER NOT NULL REFERENCES videos (sequence) ON DELETE CASCADE,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (video, name)
    ) STRICT, WITHOUT ROWID;
";

/// The version that this program writes.
pub(crate) const VERSION: i64 = STEPS.len() as i64;

/// What a database turned out to be.
pub(crate) enum Found {
    /// A catalogue, now of this program's version.
    Catalogue,
    /// A catalogue of a newer version.
    Newer(i64),
    /// Somebody else's database.
    Foreign,
}

/// Brings a new or older catalogue to this version, all steps at once or none.
pub(crate) fn migrate(connection: &mut Connection) -> rusqlite::Result<Found> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let number = |name| transaction.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && application != APPLICATION {
        return Ok(Found::Foreign);
    }
    if version > VERSION {
        return Ok(Found::Newer(version));
    }
    let done = usize::try_from(version).unwrap_or_default();
    for step in &STEPS[done..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    Ok(Found::Catalogue)
}

/// Whether a database that may not be changed is a catalogue of this version.
pub(crate) fn look(connection: &Connection) -> rusqlite::Result<Looked> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    Ok(match (number("application_id")?, number("user_version")?) {
        (APPLICATION, VERSION) => Looked::Current,
        (APPLICATION, version) if version > VERSION => Looked::Newer(version),
        (APPLICATION, _) => Looked::Older,
        _ => Looked::Foreign,
    })
}

/// What a database that may not be changed turned out to be.
pub(crate) enum Looked {
    /// A catalogue of this program's version.
    Current,
    /// A catalogue of a newer version.
    Newer(i64),
    /// A catalogue of an older version.
    Older,
    /// Somebody else's database.
    Foreign,
}
