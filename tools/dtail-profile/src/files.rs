//! Profile files: their names, written whole or not at all, never over another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use dtail_pprof::Profile;

use crate::local_time::local_now;

/// Profiles of one tool within a second; there is no end of suffixes otherwise.
const MOST_OF_A_NAME: u32 = 10_000;

/// Writes `<tool>_<what>_<time>.prof` into `folder`, which is made if it is missing. The error is
/// one line.
pub(crate) fn write(
    folder: &Path,
    tool: &str,
    what: &str,
    profile: &Profile,
) -> Result<PathBuf, String> {
    let made = fs::DirBuilder::new().recursive(true).mode(0o755).create(folder);
    made.map_err(|err| format!("cannot make {}: {err}", folder.display()))?;
    let time = local_now().strftime("%Y%m%d_%H%M%S").to_string();
    let stem = format!("{tool}_{what}_{time}");
    let temporary = folder.join(format!(".{stem}.{}.tmp", std::process::id()));
    let written = write_whole(&temporary, profile)
        .and_then(|()| name(&temporary, folder, &stem))
        .map_err(|err| format!("cannot write a profile into {}: {err}", folder.display()));
    // It has its name, or nobody wants it.
    let _may_be_gone = fs::remove_file(&temporary).is_ok();
    written
}

fn write_whole(path: &Path, profile: &Profile) -> io::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    let mut file: BufWriter<File> = BufWriter::new(file);
    profile.encode(&mut file)?;
    file.flush()
}

/// A link fails if there is such a name already, which a rename does not.
fn name(temporary: &Path, folder: &Path, stem: &str) -> io::Result<PathBuf> {
    let mut path = folder.join(format!("{stem}.prof"));
    for suffix in 2..MOST_OF_A_NAME {
        match fs::hard_link(temporary, &path) {
            Ok(()) => return Ok(path),
            Err(err) if err.kind() == io::ErrorKind::AlreadyExists => {
                path = folder.join(format!("{stem}_{suffix}.prof"));
            }
            // A file system without links.
            Err(_) => {
                OpenOptions::new().write(true).create_new(true).open(&path)?;
                fs::rename(temporary, &path)?;
                return Ok(path);
            }
        }
    }
    Err(io::Error::from(io::ErrorKind::AlreadyExists))
}

/// A label as a part of a file name.
pub(crate) fn plain(label: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    label.chars().take(64).map(plain).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use dtail_pprof::{Profile, ValueType};

    use super::{plain, write};

    fn profile() -> Profile {
        Profile { sample_types: vec![ValueType::new("a", "b")], ..Profile::default() }
    }

    #[test]
    fn nothing_is_overwritten_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("a/b");
        let written = |_| write(&below, "dcat", "cpu", &profile()).unwrap();
        let paths: BTreeSet<_> = (0..5).map(written).collect();
        assert_eq!(paths.len(), 5);
        assert_eq!(fs::read_dir(&below).unwrap().count(), 5);
        for path in paths {
            let bytes = fs::read(&path).unwrap();
            assert_eq!(Profile::decode(&bytes), Ok(profile()));
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(name.starts_with("dcat_cpu_20") && name.ends_with(".prof"), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        let err = write(&file.join("below"), "dcat", "cpu", &profile()).unwrap_err();
        assert!(err.starts_with("cannot make ") && !err.contains('\n'), "{err}");
        let err = write(&file, "dcat", "cpu", &profile()).unwrap_err();
        assert!(err.starts_with("cannot make ") && !err.contains('\n'), "{err}");
        assert_eq!(plain("a b/../c"), "a-b----c");
    }
}
