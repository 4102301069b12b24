//! Writes results to the outfile of a query. Never decides when.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use dtail_query::{Query, ResultTable};

/// Results are written in pieces of this size.
const BUFFER: usize = 128 * 1024;

/// A result as it is written: with the line of titles, if its form has one, or without.
pub type Render<'a> = dyn Fn(bool, &mut dyn Write) -> io::Result<()> + 'a;

/// Writes a report to the query's outfile `P` as comma separated values, see
/// [`write_outfile_with`].
pub fn write_outfile(query: &Query, table: &ResultTable) -> io::Result<()> {
    write_outfile_with(query, &|header, mut w| table.write_csv(header, &mut w))
}

/// Writes a report to the query's outfile `P`, and the query to `P.query`: each under a temporary
/// name first, so that readers never see half a file. In append mode rows are added to `P`, after
/// the titles if it is missing or empty. A device or FIFO is written to as it is. Does nothing for
/// a query without outfile. The error names the path.
pub fn write_outfile_with(query: &Query, render: &Render<'_>) -> io::Result<()> {
    let Some(outfile) = query.outfile() else {
        return Ok(());
    };
    let path = &outfile.path;
    let existing = fs::metadata(path).ok();
    // To rename a file over `/dev/stdout` would destroy it, also where it leads to a file.
    let is_special = path.starts_with("/dev")
        || path.starts_with("/proc")
        || existing.as_ref().is_some_and(|metadata| !metadata.is_file());
    let has_rows = existing.is_some_and(|metadata| metadata.len() > 0);
    if !is_special {
        replace(&with_suffix(path, ".query"), &|w| w.write_all(query.text().as_bytes()))?;
    }
    let header = !outfile.append || !has_rows;
    match outfile.append || is_special {
        true => add(path, &|w| render(header, w)),
        false => replace(path, &|w| render(header, w)),
    }
}

/// Writes a file anew, all or nothing.
fn replace(path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let temporary = with_suffix(path, ".tmp");
    let write_all = || -> io::Result<()> {
        let mut file = BufWriter::with_capacity(BUFFER, File::create(&temporary)?);
        write(&mut file)?;
        file.flush()?;
        fs::rename(&temporary, path)
    };
    write_all().map_err(|err| {
        // There may be nothing to remove; the first error is the one to tell.
        drop(fs::remove_file(&temporary));
        named(path, &err)
    })
}

/// Adds to a file in one write, so that programs that append to the same file do not mix.
fn add(path: &Path, write: &dyn Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut content = Vec::new();
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened
        .and_then(|mut file| {
            write(&mut content)?;
            file.write_all(&content)
        })
        .map_err(|err| named(path, &err))
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
