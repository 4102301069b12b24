//! Finds files that were rotated away from a path before anybody saw them there: when a path has
//! got a new file twice or more between two looks. Never decides how they are read.

use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use super::log::Identity;
use crate::compression::Compression;
use crate::opening::{Opened, open_file};
use crate::site::Site;

/// Most files looked at beside the path.
const MAX_SIBLINGS: usize = 1000;
/// A file that begins like the one before is taken for a copy of it.
const HEAD_SIZE: usize = 256;

/// A file that was at the path for a while.
pub(super) struct Rotated {
    pub(super) identity: Identity,
    pub(super) file: File,
}

/// The files in the folder of `path` whose names begin with its name and which came into being
/// after `before` and until `after`, oldest first, without copies of `before` and compressed
/// files. Empty where the file system keeps no times of birth.
pub(super) fn between(path: &Path, before: &File, after: &File, site: &Site) -> Vec<Rotated> {
    find(path, before, after, site).unwrap_or_default()
}

fn find(path: &Path, before: &File, after: &File, site: &Site) -> Option<Vec<Rotated>> {
    let name = path.file_name()?.as_bytes();
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let born = |file: &File| file.metadata().and_then(|metadata| metadata.created()).ok();
    let (first, last) = (born(before)?, born(after)?);
    let ends = [before, after].map(|file| file.metadata().ok().map(|it| Identity::of(&it)));
    let is_between = |metadata: &Metadata| -> Option<SystemTime> {
        let born = metadata.created().ok()?;
        let is_end = ends.contains(&Some(Identity::of(metadata)));
        (metadata.is_file() && !is_end && first < born && born <= last).then_some(born)
    };
    let head = head(before);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).ok()?.take(MAX_SIBLINGS).flatten() {
        let file_name = entry.file_name();
        if !file_name.as_bytes().starts_with(name) || file_name.as_bytes() == name {
            continue;
        }
        // Most are older, so that nothing need be opened.
        if entry.metadata().ok().as_ref().and_then(is_between).is_none() {
            continue;
        }
        let Ok(Opened::Regular(file)) = open_file(&entry.path(), site) else { continue };
        let Ok(metadata) = file.metadata() else { continue };
        let Some(born) = is_between(&metadata) else { continue };
        let is_copy = !head.is_empty() && self::head(&file).starts_with(&head);
        if is_copy || !matches!(Compression::of(&file), Ok(None)) {
            continue;
        }
        found.push((born, Rotated { identity: Identity::of(&metadata), file }));
    }
    found.sort_by_key(|(born, _)| *born);
    Some(found.into_iter().map(|(_, rotated)| rotated).collect())
}

fn head(file: &File) -> Vec<u8> {
    let mut head = vec![0; HEAD_SIZE];
    let length = file.read_at(&mut head, 0).unwrap_or(0);
    head.truncate(length);
    head
}
