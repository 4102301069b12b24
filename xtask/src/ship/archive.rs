//! Archives that are the same bytes for the same files: sorted, with one time for all, nobody's.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ruzstd::encoding::{CompressionLevel, compress};
use tar::{Builder, EntryType, Header};

use crate::atomic;
use crate::digest;

/// The files below `folder`, sorted by their path in it.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder) {
        let entry = entry.with_context(|| format!("cannot walk {}", folder.display()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    files.sort();
    Ok(files)
}

/// Packs `folder` as `<name>/…` into a compressed archive; `time` is what all files get.
pub(crate) fn pack(folder: &Path, name: &str, time: u64, to: &Path) -> Result<()> {
    atomic::replace(to, |temporary| {
        let plain = temporary.with_extension("tar");
        let packed = write_tar(folder, name, time, &plain).and_then(|()| {
            compress(File::open(&plain)?, File::create(temporary)?, CompressionLevel::Fastest);
            Ok(())
        });
        std::fs::remove_file(&plain).ok();
        packed.with_context(|| format!("cannot pack {}", to.display()))
    })
}

fn write_tar(folder: &Path, name: &str, time: u64, to: &Path) -> Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let mut tar = Builder::new(File::create(to)?);
    let mut packed = BTreeMap::new();
    for file in files(folder)? {
        let path = Path::new(name).join(file.strip_prefix(folder)?);
        let facts = std::fs::metadata(&file)?;
        let mut header = Header::new_ustar();
        header.set_mode(mode(&file)?);
        header.set_mtime(time);
        header.set_uid(0);
        header.set_gid(0);
        // Another name of a file that is in the archive already is a link there, too.
        if let Some(first) = packed.insert((facts.dev(), facts.ino()), path.clone()) {
            header.set_entry_type(EntryType::Link);
            header.set_size(0);
            tar.append_link(&mut header, path, &first)?;
            continue;
        }
        header.set_entry_type(EntryType::Regular);
        header.set_size(facts.len());
        tar.append_data(&mut header, path, File::open(&file)?)?;
    }
    tar.finish()?;
    Ok(())
}

/// 755 for programs and 644 for everything else, whatever the umask was.
fn mode(file: &Path) -> Result<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let runs = std::fs::metadata(file)?.permissions().mode() & 0o100 != 0;
    Ok(if runs { 0o755 } else { 0o644 })
}

/// `SHA256SUMS` of a folder, which `sha256sum --check` reads.
pub(crate) fn sums(folder: &Path) -> Result<String> {
    let mut text = String::new();
    for file in files(folder)? {
        let name = file.strip_prefix(folder)?.display().to_string();
        text.push_str(&format!("{}  {name}\n", digest::of_file(&file)?));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn the_same_files_make_the_same_bytes() {
        let dir = tempfile::tempdir().unwrap();
        let make = |name: &str, order: [&str; 2]| {
            let folder = dir.path().join(name);
            for file in order {
                atomic::write(&folder.join(file), file.as_bytes()).unwrap();
            }
            let program = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(folder.join("bin/x"), program).unwrap();
            let to = dir.path().join(format!("{name}.tar.zst"));
            pack(&folder, "x-1", 1_700_000_000, &to).unwrap();
            std::fs::read(to).unwrap()
        };
        let (one, other) = (make("a", ["bin/x", "share/y"]), make("b", ["share/y", "bin/x"]));
        assert_eq!(one, other);
        let mut tar = Vec::new();
        ruzstd::decoding::StreamingDecoder::new(&one[..]).unwrap().read_to_end(&mut tar).unwrap();
        let mut archive = tar::Archive::new(&tar[..]);
        let entries = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let facts = (header.mode().unwrap(), header.mtime().unwrap(), header.uid().unwrap());
            (entry.path().unwrap().display().to_string(), facts)
        });
        let expected = [("x-1/bin/x", 0o755), ("x-1/share/y", 0o644)]
            .map(|(path, mode)| (path.to_owned(), (mode, 1_700_000_000, 0)));
        assert_eq!(entries.collect::<Vec<_>>(), expected);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 4, "a temporary file is left");
    }

    #[test]
    fn a_second_name_is_a_link() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("files");
        atomic::write(&folder.join("dcat"), b"a program").unwrap();
        for name in ["dgrep", "dmap"] {
            std::fs::hard_link(folder.join("dcat"), folder.join(name)).unwrap();
        }
        let plain = dir.path().join("x.tar");
        write_tar(&folder, "x-1", 0, &plain).unwrap();
        let out = dir.path().join("out");
        let archived = std::fs::read(&plain).unwrap();
        tar::Archive::new(&archived[..]).unpack(&out).unwrap();
        assert_eq!(std::fs::read(out.join("x-1/dmap")).unwrap(), b"a program");
        let contents = archived.windows(9).filter(|bytes| *bytes == b"a program");
        assert_eq!(contents.count(), 1);
    }

    #[test]
    fn sums_are_those_of_sha256sum() {
        let dir = tempfile::tempdir().unwrap();
        atomic::write(&dir.path().join("b/c"), b"abc").unwrap();
        let digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sums(dir.path()).unwrap(), format!("{digest}  b/c\n"));
    }
}
