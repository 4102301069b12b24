//! The sections of an ELF program, as far as a person needs them to see where two programs differ.
//! Reads 64-bit little-endian files; of anything else it tells offsets.

use std::ops::Range;

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

/// The sections with their names, in the order of the file. The layout is that of the System V
/// ABI: a header with the table's offset at 0x28, entry size, count and name table from 0x3a on.
fn sections(file: &[u8]) -> Option<Vec<Section>> {
    if !file.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = usize::try_from(number(file, 0x28, 8)?).ok()?;
    let [size, count, names] = [0x3a, 0x3c, 0x3e].map(|offset| number(file, offset, 2));
    let (size, count, names) = (size? as usize, count? as usize, names? as usize);
    let field = |section: usize, offset: usize, bytes: usize| {
        let start = table.checked_add(section.checked_mul(size)?)?.checked_add(offset)?;
        usize::try_from(number(file, start, bytes)?).ok()
    };
    let names_at = field(names, 0x18, 8)?;
    let mut sections = Vec::new();
    for section in 0..count {
        let (kind, offset) = (field(section, 4, 4)?, field(section, 0x18, 8)?);
        // Nothing, and zeroed memory, have no bytes in the file.
        if kind == 0 || kind == 8 {
            continue;
        }
        let end = offset.checked_add(field(section, 0x20, 8)?)?;
        file.get(offset..end)?;
        let name = file.get(names_at.checked_add(field(section, 0, 4)?)?..)?;
        let name = name.split(|byte| *byte == 0).next()?;
        let name = String::from_utf8_lossy(name).into_owned();
        sections.push(Section { name, bytes: offset..end });
    }
    sections.sort_by_key(|section| section.bytes.start);
    Some(sections)
}

/// The little-endian number in `bytes` bytes at `offset`.
fn number(file: &[u8], offset: usize, bytes: usize) -> Option<u64> {
    let field = file.get(offset..offset.checked_add(bytes)?)?;
    Some(field.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)))
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
