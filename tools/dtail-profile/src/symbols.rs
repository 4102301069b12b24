//! Names of addresses: of the program by its debug information, with files, lines and inlined
//! functions, of libraries by their symbols. It reads those files and nothing else.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use addr2line::Loader;
use object::read::{Object as _, ObjectSymbol as _, ReadCache, SymbolKind};

use crate::allocator::unsampled;
use crate::machine::{self, MappedFile};

/// Where distributions keep debug information.
const DEBUG_FOLDER: &str = "/usr/lib/debug/.build-id";
/// The build id lies within the first bytes of a file.
const HEAD: u64 = 1 << 16;

/// A function at an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Its name.
    pub(crate) name: String,
    /// Its name for linkers.
    pub(crate) system_name: String,
    /// Empty if unknown.
    pub(crate) file: String,
    /// 0 if unknown.
    pub(crate) line: u32,
}

/// The files and what was read of them.
pub(crate) struct Symbols {
    files: Vec<(MappedFile, Option<Names>)>,
    /// What was learnt beforehand, by addresses.
    learnt: HashMap<u64, Vec<Frame>>,
}

/// What a file says about its functions.
enum Names {
    Nothing,
    /// The program's, whose lines are ours to improve.
    Debug(Box<Loader>),
    /// A library's functions by their first addresses. Distributions compress debug information:
    /// unpacking that of libc alone takes longer than many a run of a program.
    Symbols(Vec<(u64, String)>),
}

impl Symbols {
    /// Those of this process. Reads nothing yet.
    pub(crate) fn new() -> Symbols {
        let files = machine::mapped_files();
        let files = files.into_iter().map(|file| (file, None)).collect();
        Symbols { files, learnt: HashMap::new() }
    }

    /// The files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &MappedFile> {
        self.files.iter().map(|(file, _)| file)
    }

    /// Looks up addresses of the program beforehand, from the lowest up and on a thread of its own
    /// from the highest down: nearly all of the time goes into what debug information says of a
    /// crate when its first address is met, and crates lie one behind the other.
    pub(crate) fn learn<'a>(&mut self, addresses: impl Iterator<Item = &'a u64>) {
        let mut addresses: Vec<u64> = addresses.copied().collect();
        addresses.retain(|address| {
            let file = self.file_of(*address).map(|index| &self.files[index].0);
            file.is_some_and(MappedFile::is_program) && !self.learnt.contains_key(address)
        });
        addresses.sort_unstable();
        addresses.dedup();
        let Some(index) = addresses.first().and_then(|address| self.file_of(*address)) else {
            return;
        };
        let (file, names) = &mut self.files[index];
        let waiting = Mutex::new(addresses.iter());
        let take = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let other = || {
            let _kept_out = machine::keep_out();
            unsampled(|| load(file).frames_of(file, || take().next_back()))
        };
        let learnt = thread::scope(|scope| {
            // Without it we look up all.
            let other = thread::Builder::new().name("names".to_owned()).spawn_scoped(scope, other);
            let names = names.get_or_insert_with(|| load(file));
            let mut learnt = names.frames_of(file, || take().next());
            learnt.extend(other.into_iter().flat_map(|other| other.join().unwrap_or_default()));
            learnt
        });
        self.learnt.extend(learnt);
    }

    fn file_of(&self, address: u64) -> Option<usize> {
        let after = self.files.partition_point(|(file, _)| file.range.start <= address);
        after.checked_sub(1).filter(|at| self.files[*at].0.range.contains(&address))
    }

    /// Which of the files an address lies in, and the functions there, the innermost inlined one
    /// first. There is always one, if only the file's name.
    pub(crate) fn resolve(&mut self, address: u64) -> (Option<usize>, Vec<Frame>) {
        let index = self.file_of(address);
        let Some(index) = index else { return (None, vec![Frame::unknown("[unknown]")]) };
        let (file, names) = &mut self.files[index];
        let mut frames =
            self.learnt.get(&address).cloned().unwrap_or_else(|| {
                names.get_or_insert_with(|| load(file)).frames(address - file.bias)
            });
        if frames.is_empty() {
            let name = Path::new(&file.name).file_name();
            let name = name.map_or_else(String::new, |name| name.to_string_lossy().into_owned());
            frames.push(Frame::unknown(&format!("[{}]", name.trim_matches(['[', ']']))));
        }
        (Some(index), frames)
    }
}

impl Names {
    fn frames(&self, probe: u64) -> Vec<Frame> {
        match self {
            Names::Nothing => Vec::new(),
            Names::Debug(loader) => frames(loader, probe),
            Names::Symbols(symbols) => symbol(symbols, probe),
        }
    }

    fn frames_of<'a>(
        &self,
        file: &MappedFile,
        next: impl FnMut() -> Option<&'a u64>,
    ) -> Vec<(u64, Vec<Frame>)> {
        let addresses = std::iter::from_fn(next);
        addresses.map(|address| (*address, self.frames(address - file.bias))).collect()
    }
}

impl Frame {
    fn unknown(name: &str) -> Frame {
        let name = name.to_owned();
        Frame { system_name: name.clone(), name, file: String::new(), line: 0 }
    }
}

fn frames(loader: &Loader, probe: u64) -> Vec<Frame> {
    let mut frames = Vec::new();
    if let Ok(mut found) = loader.find_frames(probe) {
        while let Ok(Some(frame)) = found.next() {
            let name =
                |name: Result<Cow<'_, str>, _>| name.map(Cow::into_owned).unwrap_or_default();
            let function = frame.function.as_ref();
            let place = frame.location.as_ref();
            frames.push(Frame {
                name: function.map(|it| name(it.demangle())).unwrap_or_default(),
                system_name: function.map(|it| name(it.raw_name())).unwrap_or_default(),
                file: place.and_then(|it| it.file).unwrap_or_default().to_owned(),
                line: place.and_then(|it| it.line).unwrap_or(0),
            });
        }
    }
    // The function that was not inlined is a symbol as well, whose name is whole even where debug
    // information is down to lines and has short names or none.
    if frames.last().is_none_or(|frame| !frame.name.contains("::"))
        && let Some(symbol) = loader.find_symbol(probe)
    {
        let mut outermost = frames.pop().unwrap_or_else(|| Frame::unknown(""));
        outermost.name = demangled(symbol);
        symbol.clone_into(&mut outermost.system_name);
        frames.push(outermost);
    }
    frames.retain(|frame| !frame.name.is_empty());
    frames
}

fn symbol(symbols: &[(u64, String)], probe: u64) -> Vec<Frame> {
    let after = symbols.partition_point(|(start, _)| *start <= probe);
    let found = after.checked_sub(1).map(|at| &symbols[at].1);
    found.into_iter().map(|name| Frame::unknown(&demangled(name))).collect()
}

fn demangled(name: &str) -> String {
    addr2line::demangle_auto(name.into(), None).into_owned()
}

/// What is known of a file: by the file that was split off, if there is one and it is of this very
/// build, otherwise by its own.
fn load(file: &MappedFile) -> Names {
    if file.path.as_os_str().is_empty() {
        return Names::Nothing;
    }
    let split = split_off(file).into_iter().find(|path| is_of_build(path, &file.build_id));
    for path in split.iter().chain([&file.path]) {
        if file.is_program() {
            if let Ok(loader) = Loader::new(path) {
                return Names::Debug(Box::new(loader));
            }
        } else if let Some(symbols) = symbols_of(path) {
            return Names::Symbols(symbols);
        }
    }
    Names::Nothing
}

fn symbols_of(path: &Path) -> Option<Vec<(u64, String)>> {
    // Reads the tables of symbols out of a file that may be a hundred times as large.
    let cache = ReadCache::new(File::open(path).ok()?);
    let object = object::File::parse(&cache).ok()?;
    let all = object.symbols().chain(object.dynamic_symbols());
    let functions =
        all.filter(|symbol| symbol.is_definition() && symbol.kind() == SymbolKind::Text);
    let named = functions.filter_map(|it| Some((it.address(), it.name().ok()?.to_owned())));
    let mut symbols: Vec<(u64, String)> = named.collect();
    // Of several names for a function the shortest is the one that people call it by.
    symbols.sort_by_key(|symbol| (symbol.0, symbol.1.len()));
    symbols.dedup_by_key(|symbol| symbol.0);
    Some(symbols)
}

fn split_off(file: &MappedFile) -> Vec<PathBuf> {
    let mut places = Vec::new();
    if let Some((folder, rest)) = file.build_id.split_at_checked(2).filter(|it| !it.1.is_empty()) {
        places.push(Path::new(DEBUG_FOLDER).join(folder).join(format!("{rest}.debug")));
        let path = Path::new(&file.name);
        if let (Some(folder), Some(name)) = (path.parent(), path.file_name()) {
            let name = format!("{}.debug", name.to_string_lossy());
            places.push(folder.join(&name));
            places.push(folder.join(".debug").join(name));
        }
    }
    places
}

fn is_of_build(path: &Path, build_id: &str) -> bool {
    let mut head = Vec::new();
    let Ok(file) = File::open(path) else { return false };
    let digits = build_id.as_bytes().chunks_exact(2);
    let wanted: Option<Vec<u8>> =
        digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok()).collect();
    let Some(wanted) = wanted.filter(|it| !it.is_empty()) else { return false };
    file.take(HEAD).read_to_end(&mut head).is_ok()
        && head.windows(wanted.len()).any(|bytes| bytes == wanted)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::Symbols;

    #[inline(never)]
    fn known_function() -> u32 {
        std::hint::black_box(line!())
    }

    #[test]
    fn addresses_have_names_files_and_lines() {
        let line = known_function();
        let mut symbols = Symbols::new();
        let (file, frames) = symbols.resolve(known_function as *const () as u64);
        assert!(file.is_some());
        let frame = frames.last().unwrap();
        assert!(frame.name.ends_with("symbols::tests::known_function"), "{frame:?}");
        assert!(frame.file.ends_with("symbols.rs") && line.abs_diff(frame.line) < 3, "{frame:?}");
    }

    #[test]
    fn what_was_learnt_beforehand_is_what_would_have_been_found() {
        let near = known_function as *const () as u64;
        let other = Symbols::new as *const () as u64;
        let addresses = [near, near + 1, other, libc::getpid as *const () as u64, 8];
        let (mut learnt, mut asked) = (Symbols::new(), Symbols::new());
        learnt.learn(addresses.iter());
        assert_eq!(learnt.learnt.len(), 3);
        for address in addresses {
            assert_eq!(learnt.resolve(address), asked.resolve(address));
        }
    }

    #[test]
    fn functions_of_libraries_have_names_and_nothing_is_ever_nameless() {
        let mut symbols = Symbols::new();
        let (_, frames) = symbols.resolve(libc::getpid as *const () as u64);
        assert!(frames[0].name.contains("getpid") || frames[0].name.starts_with('['), "{frames:?}");
        let (file, frames) = symbols.resolve(8);
        assert_eq!((file, frames[0].name.as_str()), (None, "[unknown]"));
    }
}
