//! Writes results to the outfile of a query. Never decides when.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use dtail_query::{Query, ResultTable};

/// Writes a report to the query's outfile `P`, and the query to `P.query`: each under a temporary
/// name first, so that readers never see half a file. In append mode rows are added to `P`, after
/// the titles if it is missing or empty. A device or FIFO is written to as it is. Does nothing for
/// a query without outfile. The error names the path.
pub fn write_outfile(query: &Query, table: &ResultTable) -> io::Result<()> {
    let Some(outfile) = query.outfile() else {
        return Ok(());
    };
    let path = &outfile.path;
    let existing = fs::metadata(path).ok();
    // To rename a file over `/dev/stdout` would destroy it.
    let is_special = existing.as_ref().is_some_and(|metadata| !metadata.is_file());
    let has_rows = existing.is_some_and(|metadata| metadata.len() > 0);
    if !is_special {
        replace(&with_suffix(path, ".query"), query.text().as_bytes())?;
    }
    let header = !outfile.append || !has_rows;
    let mut content = Vec::new();
    table.write_csv(header, &mut content)?;
    if outfile.append || is_special { add(path, &content) } else { replace(path, &content) }
}

/// Writes a file anew, all or nothing.
fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let temporary = with_suffix(path, ".tmp");
    let result = fs::write(&temporary, content).and_then(|()| fs::rename(&temporary, path));
    result.map_err(|err| {
        // There may be nothing to remove; the first error is the one to tell.
        drop(fs::remove_file(&temporary));
        named(path, &err)
    })
}

/// Adds to a file in one write.
fn add(path: &Path, content: &[u8]) -> io::Result<()> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.and_then(|mut file| file.write_all(content)).map_err(|err| named(path, &err))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

fn named(path: &Path, err: &io::Error) -> io::Error {
    io::Error::new(err.kind(), format!("cannot write {}: {err}", path.display()))
}

#[cfg(test)]
mod tests;
