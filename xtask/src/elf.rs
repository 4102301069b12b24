//! The sections of an ELF program, as far as a person needs them to see where two programs differ.
//! Of what is no 64-bit ELF file it tells offsets.

use std::ops::Range;

use object::read::elf::{ElfFile64, ElfSection64};
use object::{Endianness, Object as _, ObjectSection as _};

/// A section that has bytes in the file.
struct Section {
    name: String,
    bytes: Range<usize>,
}

/// Where two programs that are not equal differ first, in words.
pub(crate) fn first_difference(one: &[u8], two: &[u8]) -> String {
    let (Some(first), Some(second)) = (sections(one), sections(two)) else {
        return at(one, two)
            .map_or_else(|| "nothing".to_owned(), |offset| format!("byte {offset}"));
    };
    // In the order of the file; headers differ only because something behind them does.
    for section in &first {
        let name = &section.name;
        let Some(other) = second.iter().find(|other| other.name == *name) else {
            return format!("section {name}, which only one of them has");
        };
        let (mine, theirs) = (&one[section.bytes.clone()], &two[other.bytes.clone()]);
        if let Some(offset) = at(mine, theirs) {
            let (mine, theirs) = (mine.len(), theirs.len());
            let size = if mine == theirs {
                String::new()
            } else {
                format!(" ({mine} and {theirs} bytes long)")
            };
            return format!("section {name} at byte {offset}{size}");
        }
    }
    "nothing but headers and padding".to_owned()
}

/// The first offset at which two slices differ, or at which the shorter one ends.
fn at(one: &[u8], two: &[u8]) -> Option<usize> {
    let both = one.iter().zip(two).position(|(a, b)| a != b);
    both.or_else(|| (one.len() != two.len()).then_some(one.len().min(two.len())))
}

/// The sections that have bytes in the file, in its order.
fn sections(file: &[u8]) -> Option<Vec<Section>> {
    let elf = ElfFile64::<Endianness>::parse(file).ok()?;
    let section = |section: ElfSection64<'_, '_, Endianness>| {
        let (offset, size) = section.file_range()?;
        let start = usize::try_from(offset).ok()?;
        let bytes = start..start.checked_add(usize::try_from(size).ok()?)?;
        file.get(bytes.clone())?;
        Some(Section { name: String::from_utf8_lossy(section.name_bytes().ok()?).into(), bytes })
    };
    let mut sections: Vec<Section> = elf.sections().filter_map(section).collect();
    sections.sort_by_key(|section| section.bytes.start);
    Some(sections)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_section_of_a_changed_byte_is_named() {
        // This test's own program: what it prints below is in its read-only data.
        let program = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let data = sections(&program).unwrap();
        let data = data.iter().find(|section| section.name == ".rodata").unwrap();
        let mut other = program.clone();
        other[data.bytes.start + 7] ^= 1;
        assert_eq!(first_difference(&program, &other), "section .rodata at byte 7");
    }

    #[test]
    fn what_is_no_program_differs_at_an_offset() {
        assert_eq!(first_difference(b"text", b"test"), "byte 2");
        assert_eq!(first_difference(b"text", b"text."), "byte 4");
        assert!(sections(b"\x7fELF\x02\x01 cut").is_none());
    }
}
