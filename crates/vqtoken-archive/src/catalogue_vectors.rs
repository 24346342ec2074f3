//! The catalogue's tables of segments, vectors and facts.

use rusqlite::{Connection, OptionalExtension, Transaction, params};

use crate::vectors::{Space, SpaceTotals, VectorKind};

/// A segment file that the catalogue names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRow {
    /// Its number; newer ones are larger.
    pub(crate) number: i64,
    /// Its file.
    pub(crate) name: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// The numbers of the videos whose vectors count in it.
    pub(crate) videos: Vec<u64>,
}

/// A new segment and what is in it.
#[derive(Clone, Debug)]
pub(crate) struct NewSegment<'a> {
    pub(crate) name: &'a str,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Numbers of videos and their rows.
    pub(crate) videos: &'a [(u64, u64)],
}

fn integer(number: u64) -> i64 {
    number.cast_signed()
}

/// Counts changes of vectors, also those of other processes.
pub(crate) fn vectors_version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row("SELECT version FROM vectors_version", [], |row| row.get(0))
}

/// The segments of a space and kind, oldest first.
pub(crate) fn segments(
    connection: &Connection,
    space: &Space,
    kind: VectorKind,
) -> rusqlite::Result<Vec<SegmentRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT number, name, rows, bytes FROM segments WHERE space = ?1 AND features = ?2 AND kind = ?3 ORDER BY number",
    )?;
    let row = |row: &rusqlite::Row<'_>| {
        Ok(SegmentRow {
            number: row.get(0)?,
            name: row.get(1)?,
            rows: row.get::<_, i64>(2)?.cast_unsigned(),
            bytes: row.get::<_, i64>(3)?.cast_unsigned(),
            videos: Vec::new(),
        })
    };
    let rows = statement.query_map(params![space.id, integer(space.features as u64), kind.name()], row)?;
    let mut segments = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut videos = connection.prepare_cached("SELECT video FROM vectors WHERE segment = ?1")?;
    for segment in &mut segments {
        let numbers = videos.query_map([segment.number], |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()))?;
        segment.videos = numbers.collect::<rusqlite::Result<_>>()?;
    }
    Ok(segments)
}

/// Names of all segment files.
pub(crate) fn segment_names(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached("SELECT name FROM segments ORDER BY number")?;
    let names = statement.query_map([], |row| row.get(0))?;
    names.collect()
}

/// All spaces with what is in them, in the order of their ids.
pub(crate) fn spaces(connection: &Connection) -> rusqlite::Result<Vec<SpaceTotals>> {
    let mut statement = connection.prepare_cached(
        "SELECT space, features, sum(bytes),
            (SELECT count(*) FROM vectors v JOIN segments s ON v.segment = s.number
                WHERE s.space = a.space AND s.features = a.features AND s.kind = 'moments'),
            (SELECT coalesce(sum(v.rows), 0) FROM vectors v JOIN segments s ON v.segment = s.number
                WHERE s.space = a.space AND s.features = a.features AND s.kind = 'moments')
        FROM segments a GROUP BY space, features ORDER BY space, features",
    )?;
    let totals = statement.query_map([], |row| {
        let number = |column| Ok::<_, rusqlite::Error>(row.get::<_, i64>(column)?.cast_unsigned());
        Ok(SpaceTotals {
            space: Space::new(row.get::<_, String>(0)?, usize::try_from(number(1)?).unwrap_or_default()),
            bytes: number(2)?,
            videos: number(3)?,
            moments: number(4)?,
        })
    })?;
    totals.collect()
}

/// The id of a video's number.
pub(crate) fn id_of(connection: &Connection, sequence: u64) -> rusqlite::Result<Option<String>> {
    let mut statement = connection.prepare_cached("SELECT id FROM videos WHERE sequence = ?1")?;
    statement.query_row([integer(sequence)], |row| row.get(0)).optional()
}

/// Adds a segment. Vectors of its videos that were in other segments count no more; with `replaced` only where they were in one of these, so that what
/// changed in between stays changed.
pub(crate) fn add_segment(
    transaction: &Transaction<'_>,
    space: &Space,
    kind: VectorKind,
    segment: &NewSegment<'_>,
    replaced: Option<&[i64]>,
) -> rusqlite::Result<()> {
    transaction.execute(
        "INSERT INTO segments (name, space, features, kind, rows, bytes) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            segment.name,
            space.id,
            integer(space.features as u64),
            kind.name(),
            integer(segment.rows),
            integer(segment.bytes)
        ],
    )?;
    let number = transaction.last_insert_rowid();
    let mut old = transaction.prepare_cached(
        "SELECT v.segment FROM vectors v JOIN segments s ON v.segment = s.number
        WHERE v.video = ?1 AND s.space = ?2 AND s.features = ?3 AND s.kind = ?4",
    )?;
    let mut remove = transaction.prepare_cached("DELETE FROM vectors WHERE video = ?1 AND segment = ?2")?;
    let mut add =
        transaction.prepare_cached("INSERT INTO vectors (video, segment, rows) VALUES (?1, ?2, ?3)")?;
    for (video, rows) in segment.videos {
        let key = params![integer(*video), space.id, integer(space.features as u64), kind.name()];
        let found: Option<i64> = old.query_row(key, |row| row.get(0)).optional()?;
        if replaced.is_some_and(|replaced| found.is_none_or(|found| !replaced.contains(&found))) {
            continue;
        }
        if let Some(found) = found {
            remove.execute([integer(*video), found])?;
        }
        add.execute([integer(*video), number, integer(*rows)])?;
    }
    Ok(())
}

/// Removes segments, and the vectors that are still in them.
pub(crate) fn remove_segments(transaction: &Transaction<'_>, numbers: &[i64]) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached("DELETE FROM segments WHERE number = ?1")?;
    numbers.iter().try_for_each(|number| statement.execute([number]).map(|_| ()))
}

/// The facts of a video, in the order of their names.
pub(crate) fn facts(connection: &Connection, sequence: i64) -> rusqlite::Result<Vec<(String, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT name, value FROM facts WHERE video = ?1 ORDER BY name")?;
    let facts = statement.query_map([sequence], |row| Ok((row.get(0)?, row.get(1)?)))?;
    facts.collect()
}

/// Sets facts of a video; those of other names stay.
pub(crate) fn set_facts(
    transaction: &Transaction<'_>,
    sequence: i64,
    facts: &[(String, String)],
) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare_cached(
        "INSERT INTO facts (video, name, value) VALUES (?1, ?2, ?3)
        ON CONFLICT (video, name) DO UPDATE SET value = excluded.value",
    )?;
    facts.iter().try_for_each(|(name, value)| statement.execute(params![sequence, name, value]).map(|_| ()))
}
