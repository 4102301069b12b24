//! The program and the libraries in this process: where they are mapped and where their unwinding
//! tables lie. It reads no file.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::fmt::Write as _;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use framehop::{ExplicitModuleSectionInfo, Module};

/// Every file is seen in pages of this size: none are smaller on the processors we know.
const PAGE: u64 = 4096;
/// PC-relative and signed, in four bytes: what every linker writes into `.eh_frame_hdr`.
const PC_RELATIVE_4: u8 = 0x1b;
const NOTE_BUILD_ID: u32 = 3;
/// The program's file, also when another one has its name by now.
const PROGRAM: &str = "/proc/self/exe";

/// The executable part of a file that is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappedFile {
    /// Its addresses.
    pub(crate) range: Range<u64>,
    /// Where in the file the first of them lies.
    pub(crate) offset: u64,
    /// What to take from an address to get one of the file's own.
    pub(crate) bias: u64,
    /// The file.
    pub(crate) path: PathBuf,
    /// What to call it.
    pub(crate) name: String,
    /// In hexadecimal digits; empty if there is none.
    pub(crate) build_id: String,
}

impl MappedFile {
    /// Whether it is the program and no library.
    pub(crate) fn is_program(&self) -> bool {
        self.path == Path::new(PROGRAM)
    }
}

/// What was found of one of them.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Loaded {
    pub(super) file: MappedFile,
    /// Addresses of `.eh_frame_hdr` and `.eh_frame`.
    tables: Option<(Range<u64>, Range<u64>)>,
}

/// All that is mapped, in the order of addresses.
pub(crate) fn mapped_files() -> Vec<MappedFile> {
    loaded().into_iter().map(|loaded| loaded.file).collect()
}

/// The same with the unwinding tables.
pub(super) fn loaded() -> Vec<Loaded> {
    let mut all: Vec<Loaded> = Vec::new();
    // SAFETY: `add` gets what it expects, a vector of this type, and only during the call.
    unsafe { libc::dl_iterate_phdr(Some(add), (&raw mut all).cast()) };
    all.sort_by_key(|loaded| loaded.file.range.start);
    all
}

/// The module for the unwinder.
pub(super) fn module(loaded: &Loaded) -> Module<&'static [u8]> {
    let bias = loaded.file.bias;
    let own = |range: &Range<u64>| range.start - bias..range.end - bias;
    let mut sections = ExplicitModuleSectionInfo::default();
    if let Some((header, frames)) = &loaded.tables {
        sections.eh_frame_hdr_svma = Some(own(header));
        sections.eh_frame_hdr = Some(bytes(header));
        sections.eh_frame_svma = Some(own(frames));
        sections.eh_frame = Some(bytes(frames));
    }
    Module::new(loaded.file.name.clone(), loaded.file.range.clone(), bias, sections)
}

fn bytes(range: &Range<u64>) -> &'static [u8] {
    let length = usize::try_from(range.end - range.start).unwrap_or(0);
    // SAFETY: within a segment that the loader has mapped for reading. It stays: nothing in our
    // programs unloads a library.
    unsafe { std::slice::from_raw_parts(range.start as *const u8, length) }
}

unsafe extern "C" fn add(info: *mut libc::dl_phdr_info, _: usize, all: *mut c_void) -> c_int {
    // SAFETY: the loader hands out a valid record, and `all` is what `loaded` handed in.
    let (info, all) = unsafe { (&*info, &mut *all.cast::<Vec<Loaded>>()) };
    if info.dlpi_phdr.is_null() {
        return 0;
    }
    let count = usize::from(info.dlpi_phnum);
    // SAFETY: so many headers are there.
    let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, count) };
    let name = match info.dlpi_name.is_null() {
        true => Vec::new(),
        // SAFETY: a string of the loader's.
        false => unsafe { CStr::from_ptr(info.dlpi_name) }.to_bytes().to_owned(),
    };
    all.extend(describe(info.dlpi_addr, headers, &name, all.is_empty()));
    0
}

/// The loader names the program first, and without a name.
fn describe(
    bias: u64,
    headers: &[libc::Elf64_Phdr],
    name: &[u8],
    is_program: bool,
) -> Option<Loaded> {
    let segments = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
    let span = |header: &libc::Elf64_Phdr| {
        let start = bias.wrapping_add(header.p_vaddr);
        start..start.saturating_add(header.p_memsz)
    };
    let mut code = segments().filter(|header| header.p_flags & libc::PF_X != 0);
    let first = code.next()?;
    let end = code.map(|header| span(header).end).fold(span(first).end, u64::max);
    let start = span(first).start & !(PAGE - 1);
    let header = headers.iter().find(|header| header.p_type == libc::PT_GNU_EH_FRAME).map(span);
    let tables = header.and_then(|header| {
        let frames = frames_of(&header)?;
        let segment = segments().map(span).find(|segment| segment.contains(&frames))?;
        Some((header, frames..segment.end))
    });
    let notes = headers.iter().filter(|header| header.p_type == libc::PT_NOTE);
    let build_id = notes.map(span).find_map(|notes| build_id(bytes(&notes)));
    let (path, name) = if is_program {
        let name = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("program"));
        (PathBuf::from(PROGRAM), name.display().to_string())
    } else if name.is_empty() || !name.starts_with(b"/") {
        // What the kernel maps is no file.
        (PathBuf::new(), "[vdso]".to_owned())
    } else {
        let path = PathBuf::from(OsStr::from_bytes(name));
        let name = path.display().to_string();
        (path, name)
    };
    let file = MappedFile {
        range: start..end.next_multiple_of(PAGE),
        offset: first.p_offset & !(PAGE - 1),
        bias,
        path,
        name,
        build_id: build_id.unwrap_or_default(),
    };
    Some(Loaded { file, tables })
}

/// Where `.eh_frame` begins, as its header says.
fn frames_of(header: &Range<u64>) -> Option<u64> {
    let bytes = bytes(header);
    let (&[1, PC_RELATIVE_4, _, _], rest) = bytes.split_first_chunk::<4>()? else { return None };
    let offset = i32::from_ne_bytes(*rest.first_chunk()?);
    (header.start + 4).checked_add_signed(i64::from(offset))
}

fn build_id(mut notes: &[u8]) -> Option<String> {
    let number = |bytes: &[u8], at: usize| {
        let bytes = bytes.get(at..at + 4)?.first_chunk()?;
        usize::try_from(u32::from_ne_bytes(*bytes)).ok()
    };
    loop {
        let (name, text) = (number(notes, 0)?, number(notes, 4)?);
        let kind = number(notes, 8)?;
        let start = 12 + name.checked_next_multiple_of(4)?;
        let end = start.checked_add(text)?;
        if kind == NOTE_BUILD_ID as usize && notes.get(12..16) == Some(b"GNU\0") {
            let mut digits = String::new();
            for byte in notes.get(start..end)? {
                let _text_takes_all = write!(digits, "{byte:02x}");
            }
            return Some(digits);
        }
        notes = notes.get(end.checked_next_multiple_of(4)?..)?;
    }
}

#[cfg(test)]
mod tests {
    use super::{build_id, loaded};

    #[test]
    fn the_program_and_its_libraries_are_found_with_their_tables() {
        let all = loaded();
        let here = loaded as *const () as u64;
        let own = all.iter().find(|loaded| loaded.file.range.contains(&here)).unwrap();
        assert!(own.file.is_program());
        assert!(own.tables.is_some() && all.iter().filter(|it| it.tables.is_some()).count() > 1);
        let ordered = all.windows(2).all(|pair| pair[0].file.range.end <= pair[1].file.range.start);
        assert!(ordered, "ranges overlap");
    }

    #[test]
    fn a_build_id_is_found_among_notes() {
        let mut notes = Vec::new();
        for (kind, name, text) in [(1_u32, b"GNU\0", &b"ab"[..]), (3, b"GNU\0", &[0x1f, 0xa0, 3])] {
            notes.extend(4_u32.to_ne_bytes());
            notes.extend(u32::try_from(text.len()).unwrap().to_ne_bytes());
            notes.extend(kind.to_ne_bytes());
            notes.extend(name);
            notes.extend(text);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(build_id(&notes), Some("1fa003".to_owned()));
        assert_eq!(build_id(&notes[..20]), None);
        assert_eq!(build_id(&[0xff; 40]), None);
    }
}
