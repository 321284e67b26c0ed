//! The schema's versions. A migration is never edited once it was released; the next one is added.

use std::path::Path;

use rusqlite::Connection;

use crate::error::StoreError;

/// Marks a file as ours (`SWHK`), so that another program's database is not taken for one.
const APPLICATION_ID: i64 = 0x5357_484b;
/// Each brings the schema from its index to the next version.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_first.sql")];

/// Brings the schema to the newest version, each step a transaction of its own.
pub(super) fn migrate(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let found = version(connection, path)?;
    let done = usize::try_from(found).unwrap_or(usize::MAX);
    for (index, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        connection.execute_batch(&format!(
            "BEGIN EXCLUSIVE; {sql}; PRAGMA application_id = {APPLICATION_ID};
             PRAGMA user_version = {}; COMMIT;",
            index + 1
        ))?;
    }
    Ok(())
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
