//! The database of the `db_` examples: a file of numbered lines, used by a thread of its own, as one
//! would use a database that blocks.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// A row.
pub(crate) type Record = (u64, String);

/// A file of lines `number text`.
#[derive(Clone, Debug)]
pub(crate) struct Db(PathBuf);

impl Db {
    /// The database in a file, which need not be there yet.
    pub(crate) fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// All rows, in the order in which they were added.
    pub(crate) fn rows(&self) -> std::io::Result<Vec<Record>> {
        if !self.0.exists() {
            return Ok(Vec::new());
        }
        let mut rows = Vec::new();
        for line in BufReader::new(File::open(&self.0)?).lines() {
            let line = line?;
            let row = line
                .split_once(' ')
                .and_then(|(number, text)| Some((number.parse().ok()?, text.to_owned())));
            rows.extend(row);
        }
        Ok(rows)
    }

    /// Adds a row, and returns when it is on disk.
    pub(crate) fn insert(&self, (number, text): &Record) -> std::io::Result<()> {
        let mut file = OpenOptions::new().append(true).create(true).open(&self.0)?;
        writeln!(file, "{number} {text}")?;
        file.sync_all()
    }

    /// Takes rows out, for good.
    pub(crate) fn delete(&self, numbers: &[u64]) -> std::io::Result<()> {
        let rows = self.rows()?;
        let mut file = File::create(&self.0)?;
        for (number, text) in rows.iter().filter(|(n, _)| !numbers.contains(n)) {
            writeln!(file, "{number} {text}")?;
        }
        file.sync_all()
    }
}
