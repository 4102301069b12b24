//! Which part of the output has which colours: DTail's defaults, changed by the configuration.
//! Never paints.

use dtail_process::config::TermColor;

use crate::color::{self, Style};

/// A part of the output that has its own colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Remote,
    RemoteDelimiter,
    RemoteHostname,
    RemoteStatsOk,
    RemoteCount,
    RemoteId,
    RemoteText,
    Client,
    ClientDelimiter,
    ClientHostname,
    ClientText,
    Server,
    ServerDelimiter,
    ServerHostname,
    ServerText,
    Warn,
    Error,
    Fatal,
    TableHeader,
    TableSortKey,
    TableGroupKey,
    TableDelimiter,
    TableData,
    TableQuery,
}

/// Each with its section and name in the configuration, and its colours.
const DEFAULTS: [(Part, &str, &str, [&str; 3]); 24] = [
    (Part::Remote, "Remote", "Remote", ["White", "Blue", "Dim"]),
    (Part::RemoteDelimiter, "Remote", "Delimiter", ["Cyan", "Blue", "Dim"]),
    (Part::RemoteHostname, "Remote", "Hostname", ["White", "Blue", "Bold"]),
    (Part::RemoteStatsOk, "Remote", "StatsOk", ["Black", "Green", "None"]),
    (Part::RemoteCount, "Remote", "Count", ["White", "Blue", "Dim"]),
    (Part::RemoteId, "Remote", "ID", ["White", "Blue", "Dim"]),
    (Part::RemoteText, "Remote", "Text", ["White", "Black", "None"]),
    (Part::Client, "Client", "Client", ["Black", "Yellow", "Dim"]),
    (Part::ClientDelimiter, "Client", "Delimiter", ["Black", "Yellow", "Dim"]),
    (Part::ClientHostname, "Client", "Hostname", ["Black", "Yellow", "Dim"]),
    (Part::ClientText, "Client", "Text", ["White", "Black", "None"]),
    (Part::Server, "Server", "Server", ["Black", "Cyan", "Dim"]),
    (Part::ServerDelimiter, "Server", "Delimiter", ["Black", "Cyan", "Dim"]),
    (Part::ServerHostname, "Server", "Hostname", ["Black", "Cyan", "Bold"]),
    (Part::ServerText, "Server", "Text", ["White", "Black", "None"]),
    (Part::Warn, "Common", "SeverityWarn", ["White", "Black", "Bold"]),
    (Part::Error, "Common", "SeverityError", ["White", "Red", "Bold"]),
    (Part::Fatal, "Common", "SeverityFatal", ["White", "Magenta", "Bold"]),
    (Part::TableHeader, "MaprTable", "Header", ["White", "Blue", "Bold"]),
    // Of these two only the attribute is used, on top of the header's.
    (Part::TableSortKey, "MaprTable", "HeaderSortKey", ["White", "Blue", "Underline"]),
    (Part::TableGroupKey, "MaprTable", "HeaderGroupKey", ["White", "Blue", "Reverse"]),
    (Part::TableDelimiter, "MaprTable", "Delimiter", ["White", "Blue", "Dim"]),
    (Part::TableData, "MaprTable", "Data", ["White", "Blue", "None"]),
    (Part::TableQuery, "MaprTable", "RawQuery", ["Cyan", "Black", "Dim"]),
];

/// The colours in force.
#[derive(Debug, Clone)]
pub(crate) struct Palette {
    styles: Vec<(Part, Style)>,
}

impl Palette {
    /// DTail's defaults with the configuration's changes. The second part are complaints about
    /// colours nobody knows, one line each.
    pub(crate) fn new(changes: &[TermColor]) -> (Palette, Vec<String>) {
        let mut styles: Vec<(Part, Style)> = DEFAULTS
            .iter()
            .map(|(part, _, _, [fg, bg, attribute])| (*part, Style::named(fg, bg, attribute)))
            .collect();
        let mut complaints = Vec::new();
        for change in changes {
            for (index, (_, section, name, _)) in DEFAULTS.iter().enumerate() {
                if section.eq_ignore_ascii_case(&change.section)
                    && let Some(kind) = suffix_after(&change.name, name)
                    && apply(&mut styles[index].1, kind, &change.value).is_none()
                {
                    complaints.push(format!(
                        "config: TermColors.{}.{}: \"{}\" is not known, the default stays",
                        change.section,
                        change.name,
                        change.value.escape_debug()
                    ));
                }
            }
        }
        (Palette { styles }, complaints)
    }

    /// The colours of a part.
    pub(crate) fn style(&self, part: Part) -> &Style {
        // `DEFAULTS` lists the parts in the order of the enum; a test says so.
        &self.styles[part as usize].1
    }
}

/// `Fg` of `HostnameFg`, if the name is `Hostname`.
fn suffix_after<'a>(key: &'a str, name: &str) -> Option<&'a str> {
    let (start, suffix) = key.split_at_checked(name.len())?;
    let is_suffix = ["fg", "bg", "attr"].iter().any(|known| suffix.eq_ignore_ascii_case(known));
    (start.eq_ignore_ascii_case(name) && is_suffix).then_some(suffix)
}

fn apply(style: &mut Style, kind: &str, value: &str) -> Option<()> {
    match kind.to_ascii_lowercase().as_str() {
        "fg" => style.foreground = color::foreground(value)?,
        "bg" => style.background = color::background(value)?,
        _ => style.attribute = color::attribute(value)?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use dtail_process::config::TermColor;

    use super::{DEFAULTS, Palette, Part};
    use crate::color::Style;

    #[test]
    fn every_part_has_its_place() {
        for (index, (part, _, _, colors)) in DEFAULTS.iter().enumerate() {
            assert_eq!(*part as usize, index);
            let style = Style::named(colors[0], colors[1], colors[2]);
            assert!(!style.foreground.is_empty() && !style.background.is_empty(), "{part:?}");
        }
    }

    #[test]
    fn the_configuration_changes_colours_by_name() {
        let change = |section: &str, name: &str, value: &str| TermColor {
            section: section.to_owned(),
            name: name.to_owned(),
            value: value.to_owned(),
        };
        let (palette, complaints) = Palette::new(&[
            change("remote", "hostnameFg", "Red"),
            change("Remote", "HostnameAttr", "AttrUnderline"),
            change("Remote", "TextBg", "Rad"),
            change("MaprTable", "HeaderSortKeyAttr", "Dim"),
            change("Nobody", "TextBg", "Rad"),
        ]);
        assert_eq!(*palette.style(Part::RemoteHostname), Style::named("Red", "Blue", "Underline"));
        assert_eq!(*palette.style(Part::RemoteText), Style::named("White", "Black", "None"));
        assert_eq!(palette.style(Part::TableSortKey).attribute, "\x1b[2m");
        assert_eq!(
            complaints,
            ["config: TermColors.Remote.TextBg: \"Rad\" is not known, the default stays"]
        );
    }
}
