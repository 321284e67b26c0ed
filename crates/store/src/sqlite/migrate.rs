//! The schema's versions. A migration is never edited once it was released; the next one is added.

use std::path::Path;

use rusqlite::Connection;

use crate::error::StoreError;

/// Marks a file as ours (`SWHK`), so that another program's database is not taken for one.
const APPLICATION_ID: i64 = 0x5357_484b;
/// Each brings the schema from its index to the next version.
const MIGRATIONS: [&str; 8] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_final_rows.sql"),
    include_str!("migrations/0003_group_calls.sql"),
    include_str!("migrations/0004_component_events.sql"),
    include_str!("migrations/0005_recordings.sql"),
    include_str!("migrations/0006_standing.sql"),
    include_str!("migrations/0007_sounds.sql"),
    include_str!("migrations/0008_mailboxes.sql"),
];

/// Brings the schema to the newest version, each step a transaction of its own.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection, path)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        run(connection, index, sql)?;
    }
    Ok(())
}

fn run(connection: &Connection, index: usize, sql: &str) -> Result<(), StoreError> {
    Ok(connection.execute_batch(&format!(
        "BEGIN EXCLUSIVE; {sql}; PRAGMA application_id = {APPLICATION_ID};
         PRAGMA user_version = {}; COMMIT;",
        index + 1
    ))?)
}

/// Version of the schema in the file, 0 for an empty one.
fn version(connection: &Connection, path: &Path) -> Result<i64, StoreError> {
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let found = pragma("user_version")?;
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if pragma("application_id")? != APPLICATION_ID && (tables > 0 || found > 0) {
        return Err(StoreError::Foreign { path: path.into() });
    }
    if found > known {
        return Err(StoreError::Newer {
            path: path.into(),
            found,
            known,
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use pbx::{AccountId, CallId};
    use tempfile::TempDir;

    use super::*;
    use crate::{CallQuery, Reader, Writer};

    /// A database as the first version left it: a call in progress, and one that has ended.
    const OF_THE_FIRST: &str = "
        INSERT INTO subjects VALUES (1, 1, 1, '1010', 'Ann');
        INSERT INTO user_calls VALUES
            (1, 7, 7, 0, 0, 1, '1010', 'Ann', 0, NULL, NULL, '1', NULL, NULL, 0, 0),
            (1, 8, 8, 0, 1, 1, '1010', 'Ann', 0, NULL, NULL, '1', NULL, 9, 1, 0);";

    #[test]
    fn a_database_of_the_first_version_keeps_the_rows_of_ended_calls() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("switchhook.db");
        let connection = Connection::open(&path).unwrap();
        run(&connection, 0, MIGRATIONS[0]).unwrap();
        connection.execute_batch(OF_THE_FIRST).unwrap();
        drop(connection);
        let writer = Writer::open(&path).unwrap();
        let reader = Reader::open(&path, 1).unwrap();
        for (call, expect) in [(7, 0), (8, 1)] {
            let query = CallQuery {
                call: Some(CallId(call)),
                users: Some(vec!["1010".into()]),
                ..CallQuery::all(AccountId(1))
            };
            let page = reader.user_calls(&query).unwrap();
            assert_eq!(page.rows.len(), expect, "{call}");
        }
        drop(writer);
    }
}
