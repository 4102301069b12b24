//! dtail's table of everything a configuration can name. Never consults the configuration.

use std::io::{self, Write};

use crate::color::{ATTRIBUTES, COLORS, Style};

/// Writes each attribute on each pair of different colours: one to a line, or all backgrounds of a
/// foreground side by side if `wide`.
pub(crate) fn write(wide: bool, painted: bool, w: &mut impl Write) -> io::Result<()> {
    for (attribute, _) in ATTRIBUTES {
        for foreground in COLORS {
            for background in COLORS.iter().filter(|it| **it != foreground) {
                let text = format!(
                    " Foreground:{foreground:>10}  |  Background:{background:>10}  |  \
                     Attribute:{attribute:>10} "
                );
                let style = Style::named(foreground, background, attribute);
                let text = if painted { style.paint(&text) } else { text };
                write!(w, "{text}{}", if wide { " " } else { "\n" })?;
            }
            if wide {
                writeln!(w)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write;

    #[test]
    fn the_table_has_576_entries() {
        let mut table = Vec::new();
        write(false, true, &mut table).unwrap();
        let table = String::from_utf8(table).unwrap();
        assert_eq!(table.lines().count(), 576);
        assert_eq!(
            table.lines().next(),
            Some(
                "\x1b[30m\x1b[41m\x1b[1m Foreground:     Black  |  Background:       Red  |  \
                 Attribute:      Bold \x1b[0m\x1b[49m\x1b[39m"
            )
        );
        let mut wide = Vec::new();
        write(true, false, &mut wide).unwrap();
        assert_eq!(String::from_utf8(wide).unwrap().lines().count(), 72);
    }
}
