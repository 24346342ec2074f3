//! The catalogue: which videos there are, in SQLite.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, Transaction, params};
use vqtoken_core::{GridShape, Source};

use crate::catalogue_vectors::{self, NewSegment, SegmentRow};
use crate::content::ContentHash;
use crate::error::ArchiveError;
use crate::key::{VideoKey, is_id};
use crate::layout::{Layout, is_segment_name, segment_name};
use crate::record::{Page, TokenSet, VideoRecord};
use crate::schema::{Found, Looked, VERSION, look, migrate};
use crate::vectors::{Space, SpaceTotals, VectorKind};

/// How long a connection waits for another of this process.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database, with a connection for changes and one for questions, so that these do not wait for the disk.
#[derive(Debug)]
pub(crate) struct Catalogue {
    path: PathBuf,
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
}

/// The right to change the catalogue and the files that it names; one at a time.
pub(crate) struct Writing<'a> {
    path: &'a PathBuf,
    connection: MutexGuard<'a, Connection>,
}

impl Catalogue {
    /// Opens the catalogue, makes it if there is none, and checks it.
    pub(crate) fn open(layout: &Layout) -> Result<Self, ArchiveError> {
        let path = layout.catalogue();
        let open = || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.pragma_update(None, "foreign_keys", true)?;
            Ok(connection)
        };
        let failed = |error| sort(&path, error);
        let mut writer = open().map_err(failed)?;
        let check = || writer.query_row("PRAGMA quick_check(1)", [], |row| row.get::<_, String>(0));
        let reason = check().map_err(failed)?;
        if reason != "ok" {
            return Err(ArchiveError::DamagedCatalogue { path, reason });
        }
        // Before anything is written: a database of another program stays as it is.
        match migrate(&mut writer).map_err(failed)? {
            Found::Catalogue => {}
            Found::Newer(version) => {
                return Err(ArchiveError::NewerCatalogue { path, version, known: VERSION });
            }
            Found::Foreign => return Err(ArchiveError::ForeignCatalogue { path }),
        }
        let durable = |connection: &Connection| {
            connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            // On macOS a sync does not reach the disk without it.
            connection.pragma_update(None, "fullfsync", true)
        };
        durable(&writer).map_err(failed)?;
        let reader = open().map_err(failed)?;
        reader.pragma_update(None, "query_only", true).map_err(failed)?;
        Ok(Self { path, writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    /// Opens a catalogue to read it, beside a process that may be writing.
    pub(crate) fn open_to_read(layout: &Layout) -> Result<Self, ArchiveError> {
        let path = layout.catalogue();
        if !path.is_file() {
            return Err(ArchiveError::NoArchive { folder: layout.folder().to_owned() });
        }
        let open = || {
            let connection = Connection::open(&path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.pragma_update(None, "trusted_schema", false)?;
            connection.pragma_update(None, "query_only", true)?;
            Ok(connection)
        };
        let failed = |error| sort(&path, error);
        let reader: Connection = open().map_err(failed)?;
        match look(&reader).map_err(failed)? {
            Looked::Current => {}
            Looked::Newer(version) => {
                return Err(ArchiveError::NewerCatalogue { path, version, known: VERSION });
            }
            Looked::Older => return Err(ArchiveError::OlderCatalogue { path }),
            Looked::Foreign => return Err(ArchiveError::ForeignCatalogue { path }),
        }
        let writer = open().map_err(failed)?;
        Ok(Self { path, writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    pub(crate) fn write(&self) -> Writing<'_> {
        let connection = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        Writing { path: &self.path, connection }
    }

    /// [`Catalogue::write`], unless somebody is writing.
    pub(crate) fn try_write(&self) -> Option<Writing<'_>> {
        let connection = match self.writer.try_lock() {
            Ok(connection) => connection,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Writing { path: &self.path, connection })
    }

    fn read<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, ArchiveError> {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        ask(&reader).map_err(|error| sort(&self.path, error))
    }

    pub(crate) fn get(&self, id: &str) -> Result<Option<VideoRecord>, ArchiveError> {
        self.read(|connection| get(connection, id))
    }

    /// At most `limit` videos that were stored before `after`, newest first; none if there is no such video.
    pub(crate) fn page(&self, limit: usize, after: Option<&str>) -> Result<Option<Page>, ArchiveError> {
        self.read(|connection| {
            let before: Option<i64> = match after {
                None => Some(i64::MAX),
                Some(id) => sequence(connection, id)?,
            };
            let Some(before) = before else { return Ok(None) };
            let mut statement = connection
                .prepare_cached("SELECT * FROM videos WHERE sequence < ?1 ORDER BY sequence DESC LIMIT ?2")?;
            let wanted = i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1);
            let rows = statement.query_map(params![before, wanted], |row| record(connection, row))?;
            let mut videos = rows.collect::<rusqlite::Result<Vec<_>>>()?;
            let has_more = videos.len() > limit;
            videos.truncate(limit);
            Ok(Some(Page { videos, has_more }))
        })
    }

    /// All videos, oldest first.
    pub(crate) fn all(&self) -> Result<Vec<VideoRecord>, ArchiveError> {
        self.read(all)
    }

    /// The id of a video's number, if it is stored.
    pub(crate) fn id_of(&self, number: u64) -> Result<Option<String>, ArchiveError> {
        Ok(self.read(|connection| catalogue_vectors::id_of(connection, number))?.filter(|id| is_id(id)))
    }

    /// The number of a video, if it is stored.
    pub(crate) fn number(&self, id: &str) -> Result<Option<u64>, ArchiveError> {
        Ok(self.read(|connection| sequence(connection, id))?.map(i64::cast_unsigned))
    }

    /// The numbers of those of some videos that are stored.
    pub(crate) fn numbers(&self, ids: &BTreeSet<String>) -> Result<BTreeSet<u64>, ArchiveError> {
        self.read(|connection| {
            let numbers = ids.iter().filter_map(|id| sequence(connection, id).transpose());
            numbers.map(|number| number.map(i64::cast_unsigned)).collect()
        })
    }

    pub(crate) fn spaces(&self) -> Result<Vec<SpaceTotals>, ArchiveError> {
        self.read(catalogue_vectors::spaces)
    }

    /// The version of the vectors, and all segments if it is not `known`, both of one moment.
    #[expect(clippy::type_complexity, reason = "a list of what belongs to a space and a kind")]
    pub(crate) fn all_segments(
        &self,
        known: Option<i64>,
    ) -> Result<(i64, Vec<(Space, VectorKind, Vec<SegmentRow>)>), ArchiveError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let version = catalogue_vectors::vectors_version(&transaction)?;
            let mut all = Vec::new();
            if known != Some(version) {
                for SpaceTotals { space, .. } in catalogue_vectors::spaces(&transaction)? {
                    for kind in VectorKind::ALL {
                        let mut segments = catalogue_vectors::segments(&transaction, &space, kind)?;
                        // Names become paths, whatever the database says.
                        segments.retain(|segment| is_segment_name(&segment.name));
                        all.push((space.clone(), kind, segments));
                    }
                }
            }
            Ok((version, all))
        })
    }

    /// The facts of a video, in the order of their names.
    pub(crate) fn facts(&self, id: &str) -> Result<Vec<(String, String)>, ArchiveError> {
        self.read(|connection| match sequence(connection, id)? {
            Some(number) => catalogue_vectors::facts(connection, number),
            None => Ok(Vec::new()),
        })
    }

    /// How many videos there are, and the bytes of all of them.
    pub(crate) fn totals(&self) -> Result<(u64, u64), ArchiveError> {
        self.read(totals)
    }

    /// The last moment in the catalogue.
    pub(crate) fn last_use(&self) -> Result<u64, ArchiveError> {
        self.read(|connection| {
            connection.query_row("SELECT coalesce(max(used), 0) FROM videos", [], |row| natural(row, 0))
        })
    }
}

impl Writing<'_> {
    fn change<T>(
        &mut self,
        change: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, ArchiveError> {
        let run = || {
            let transaction = self.connection.transaction()?;
            let result = change(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        run().map_err(|error| sort(self.path, error))
    }

    pub(crate) fn get(&self, id: &str) -> Result<Option<VideoRecord>, ArchiveError> {
        get(&self.connection, id).map_err(|error| sort(self.path, error))
    }

    /// All videos, oldest first.
    pub(crate) fn all(&self) -> Result<Vec<VideoRecord>, ArchiveError> {
        all(&self.connection).map_err(|error| sort(self.path, error))
    }

    /// The number of a video.
    pub(crate) fn number(&self, id: &str) -> Result<u64, ArchiveError> {
        let found = sequence(&self.connection, id).map_err(|error| sort(self.path, error))?;
        found.map(i64::cast_unsigned).ok_or_else(|| ArchiveError::NotFound { id: id.to_owned() })
    }

    /// The segments of a space and kind, oldest first.
    pub(crate) fn segments(&self, space: &Space, kind: VectorKind) -> Result<Vec<SegmentRow>, ArchiveError> {
        let segments = catalogue_vectors::segments(&self.connection, space, kind);
        let mut segments = segments.map_err(|error| sort(self.path, error))?;
        segments.retain(|segment| is_segment_name(&segment.name));
        Ok(segments)
    }

    pub(crate) fn segment_names(&self) -> Result<Vec<String>, ArchiveError> {
        catalogue_vectors::segment_names(&self.connection).map_err(|error| sort(self.path, error))
    }

    /// A name that no segment has or had.
    pub(crate) fn next_segment_name(&self) -> Result<String, ArchiveError> {
        let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'segments'";
        let last = self.connection.query_row(last, [], |row| row.get::<_, i64>(0));
        Ok(segment_name(last.map_err(|error| sort(self.path, error))?.cast_unsigned() + 1))
    }

    /// Adds a segment whose file is there.
    pub(crate) fn add_segment(
        &mut self,
        space: &Space,
        kind: VectorKind,
        segment: &NewSegment<'_>,
        replaced: Option<&[i64]>,
    ) -> Result<(), ArchiveError> {
        self.change(|transaction| catalogue_vectors::add_segment(transaction, space, kind, segment, replaced))
    }

    pub(crate) fn remove_segments(&mut self, numbers: &[i64]) -> Result<(), ArchiveError> {
        self.change(|transaction| catalogue_vectors::remove_segments(transaction, numbers))
    }

    pub(crate) fn set_facts(&mut self, id: &str, facts: &[(String, String)]) -> Result<(), ArchiveError> {
        let number = self.number(id)?.cast_signed();
        self.change(|transaction| catalogue_vectors::set_facts(transaction, number, facts))
    }

    /// Notes when videos were used.
    pub(crate) fn used(&mut self, uses: &HashMap<String, u64>) -> Result<(), ArchiveError> {
        if uses.is_empty() {
            return Ok(());
        }
        self.change(|transaction| {
            let mut statement = transaction.prepare_cached("UPDATE videos SET used = ?2 WHERE id = ?1")?;
            for (id, moment) in uses {
                statement.execute(params![id, moment.cast_signed()])?;
            }
            Ok(())
        })
    }

    /// Inserts a video, or replaces the row of the same id and all its token sets. `own_bytes` is what it takes beside these.
    pub(crate) fn put(&mut self, video: &VideoRecord, own_bytes: u64) -> Result<(), ArchiveError> {
        let warnings = serde_json::Value::from(video.warnings.clone()).to_string();
        let source = video.source.as_ref();
        let size = |size: usize| size as i64;
        self.change(|transaction| {
            transaction.execute(
                "INSERT INTO videos (id, content, model, sampling, name, created, used, source_name, source_width,
                    source_height, source_duration, source_bytes, source_frames, grid_frames, grid_height,
                    grid_width, budget, frames_stored, warnings, own_bytes)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
                ON CONFLICT (id) DO UPDATE SET used = ?7, budget = ?17, frames_stored = ?18, own_bytes = ?20",
                params![
                    video.id,
                    video.key.content.as_bytes(),
                    video.key.model,
                    video.key.sampling,
                    video.name,
                    video.created.cast_signed(),
                    video.used.cast_signed(),
                    source.map(|source| &source.name),
                    source.map(|source| size(source.width)),
                    source.map(|source| size(source.height)),
                    source.map(|source| source.duration),
                    source.map(|source| source.bytes.cast_signed()),
                    source.map(|source| size(source.frames)),
                    size(video.grid.frames),
                    size(video.grid.height),
                    size(video.grid.width),
                    video.budget,
                    size(video.frames_stored),
                    warnings,
                    own_bytes.cast_signed(),
                ],
            )?;
            let row = sequence(transaction, &video.id)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            transaction.execute("DELETE FROM token_sets WHERE video = ?1", [row])?;
            for set in &video.sets {
                transaction.execute(
                    "INSERT INTO token_sets (video, budget, codes, bytes) VALUES (?1, ?2, ?3, ?4)",
                    params![row, set.budget, size(set.codes), set.bytes.cast_signed()],
                )?;
            }
            Ok(())
        })
    }

    /// Removes videos; ids that do not exist are none.
    pub(crate) fn remove(&mut self, ids: &[String]) -> Result<(), ArchiveError> {
        self.change(|transaction| {
            let mut statement = transaction.prepare_cached("DELETE FROM videos WHERE id = ?1")?;
            for id in ids {
                statement.execute([id])?;
            }
            Ok(())
        })
    }

    /// The videos to remove so that all others but `kept` take at most `room` bytes: those that were not used for longest.
    pub(crate) fn least_recently_used(&self, room: u64, kept: &str) -> Result<Vec<String>, ArchiveError> {
        let find = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT id, own_bytes + (SELECT coalesce(sum(bytes), 0) FROM token_sets WHERE video = sequence)
                FROM videos WHERE id <> ?1 ORDER BY used DESC, sequence DESC",
            )?;
            let rows = statement.query_map([kept], |row| Ok((row.get::<_, String>(0)?, natural(row, 1)?)))?;
            let mut taken = 0_u64;
            let mut full = false;
            let mut removed = Vec::new();
            for row in rows {
                let (id, bytes) = row?;
                taken = taken.saturating_add(bytes);
                full |= taken > room;
                if full {
                    removed.push(id);
                }
            }
            Ok(removed)
        };
        find().map_err(|error| sort(self.path, error))
    }
}

/// What an error of SQLite means here.
fn sort(path: &std::path::Path, error: rusqlite::Error) -> ArchiveError {
    let path = path.to_owned();
    let is_damage = match &error {
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::IntegralValueOutOfRange(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::InvalidColumnName(_)
        | rusqlite::Error::Utf8Error(..) => true,
        error => matches!(
            error.sqlite_error_code(),
            // A table that is missing is an error in the statement.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        ),
    };
    match is_damage {
        true => ArchiveError::DamagedCatalogue { path, reason: error.to_string() },
        false => ArchiveError::Catalogue { path, source: error },
    }
}

fn sequence(connection: &Connection, id: &str) -> rusqlite::Result<Option<i64>> {
    let mut statement = connection.prepare_cached("SELECT sequence FROM videos WHERE id = ?1")?;
    statement.query_row([id], |row| row.get(0)).optional()
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<VideoRecord>> {
    let mut statement = connection.prepare("SELECT * FROM videos ORDER BY sequence")?;
    let rows = statement.query_map([], |row| record(connection, row))?;
    rows.collect()
}

fn totals(connection: &Connection) -> rusqlite::Result<(u64, u64)> {
    connection.query_row(
        "SELECT count(*), coalesce(sum(own_bytes), 0) + (SELECT coalesce(sum(bytes), 0) FROM token_sets) FROM videos",
        [],
        |row| Ok((natural(row, 0)?, natural(row, 1)?)),
    )
}

fn get(connection: &Connection, id: &str) -> rusqlite::Result<Option<VideoRecord>> {
    let mut statement = connection.prepare_cached("SELECT * FROM videos WHERE id = ?1")?;
    statement.query_row([id], |row| record(connection, row)).optional()
}

/// The record of a row of `videos`.
fn record(connection: &Connection, row: &Row<'_>) -> rusqlite::Result<VideoRecord> {
    let id: String = row.get("id")?;
    let warnings: String = row.get("warnings")?;
    let damaged = |error: Box<dyn std::error::Error + Send + Sync>| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, error)
    };
    // Ids become paths, whatever the database says.
    if !is_id(&id) {
        return Err(damaged(format!("{id:?} is not an id").into()));
    }
    let mut statement = connection
        .prepare_cached("SELECT budget, codes, bytes FROM token_sets WHERE video = ?1 ORDER BY budget")?;
    let set =
        |row: &Row<'_>| Ok(TokenSet { budget: row.get(0)?, codes: length(row, 1)?, bytes: natural(row, 2)? });
    let sequence: i64 = row.get("sequence")?;
    let sets = statement.query_map([sequence], set)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let source = match row.get::<_, Option<String>>("source_name")? {
        None => None,
        Some(name) => Some(Source {
            name,
            width: length(row, "source_width")?,
            height: length(row, "source_height")?,
            duration: row.get("source_duration")?,
            bytes: natural(row, "source_bytes")?,
            frames: length(row, "source_frames")?,
        }),
    };
    let bytes = sets.iter().map(|set| set.bytes).fold(natural(row, "own_bytes")?, u64::saturating_add);
    Ok(VideoRecord {
        key: VideoKey {
            content: ContentHash::from_bytes(row.get("content")?),
            model: row.get("model")?,
            sampling: row.get("sampling")?,
        },
        name: row.get("name")?,
        created: natural(row, "created")?,
        used: natural(row, "used")?,
        source,
        grid: GridShape {
            frames: length(row, "grid_frames")?,
            height: length(row, "grid_height")?,
            width: length(row, "grid_width")?,
        },
        budget: row.get("budget")?,
        sets,
        frames_stored: length(row, "frames_stored")?,
        warnings: serde_json::from_str(&warnings).map_err(|error| damaged(error.into()))?,
        bytes,
        id,
    })
}

fn natural(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, value))
}

fn length(row: &Row<'_>, column: impl rusqlite::RowIndex) -> rusqlite::Result<usize> {
    let value: i64 = row.get(column)?;
    usize::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(0, value))
}
