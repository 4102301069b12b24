//! Colours, attributes and their escape sequences, in DTail's names and order. Never decides what
//! is coloured how.

use std::fmt::Write;

pub(crate) const COLORS: [&str; 9] =
    ["Black", "Red", "Green", "Yellow", "Blue", "Magenta", "Cyan", "White", "Default"];

/// In the order of DTail's colour table, each with its code; the last has none.
pub(crate) const ATTRIBUTES: [(&str, &str); 8] = [
    ("Bold", "\x1b[1m"),
    ("Dim", "\x1b[2m"),
    ("Italic", "\x1b[3m"),
    ("Underline", "\x1b[4m"),
    ("Blink", "\x1b[5m"),
    ("RapidBlink", "\x1b[6m"),
    ("Reverse", "\x1b[7m"),
    ("None", ""),
];

/// Attributes known by a name but not shown in the colour table.
const MORE_ATTRIBUTES: [(&str, &str); 2] = [("SlowBlink", "\x1b[5m"), ("Hidden", "\x1b[8m")];

/// What ends a painted text: attribute (if there was one), background, foreground.
const RESET: &str = "\x1b[0m";
const DEFAULTS: &str = "\x1b[49m\x1b[39m";

/// Escape sequences for one kind of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) foreground: String,
    pub(crate) background: String,
    /// Empty: none.
    pub(crate) attribute: String,
}

impl Style {
    /// Of names that are known to be right.
    pub(crate) fn named(foreground: &str, background: &str, attribute: &str) -> Style {
        Style {
            foreground: self::foreground(foreground).unwrap_or_default(),
            background: self::background(background).unwrap_or_default(),
            attribute: self::attribute(attribute).unwrap_or_default(),
        }
    }

    /// What stands before the text.
    pub(crate) fn before(&self) -> String {
        [self.foreground.as_str(), &self.background, &self.attribute].concat()
    }

    /// What stands after the text, before a line's newline.
    pub(crate) fn after(&self) -> String {
        let reset = if self.attribute.is_empty() { "" } else { RESET };
        [reset, DEFAULTS].concat()
    }

    /// The text with everything around it.
    pub(crate) fn paint(&self, text: &str) -> String {
        [&self.before(), text, &self.after()].concat()
    }

    /// With further attributes on top.
    pub(crate) fn with_attribute(&self, attribute: &str) -> Style {
        Style { attribute: [&self.attribute, attribute].concat(), ..self.clone() }
    }
}

/// The code of a foreground colour: `Red`, `FgRed` in any case, or an escape sequence itself.
pub(crate) fn foreground(name: &str) -> Option<String> {
    escape_sequence(name).or_else(|| color(name, "fg", 3))
}

/// The code of a background colour: `Red`, `BgRed` in any case, or an escape sequence itself.
pub(crate) fn background(name: &str) -> Option<String> {
    escape_sequence(name).or_else(|| color(name, "bg", 4))
}

/// The code of an attribute: `Dim`, `AttrDim` in any case, or an escape sequence itself.
pub(crate) fn attribute(name: &str) -> Option<String> {
    let bare = without_prefix(name, "attr");
    let mut known = ATTRIBUTES.iter().chain(&MORE_ATTRIBUTES);
    let code = known.find(|(known, _)| known.eq_ignore_ascii_case(bare));
    escape_sequence(name).or_else(|| code.map(|(_, code)| (*code).to_owned()))
}

fn color(name: &str, prefix: &str, tens: u8) -> Option<String> {
    let bare = without_prefix(name, prefix);
    let index = COLORS.iter().position(|known| known.eq_ignore_ascii_case(bare))?;
    // The codes have a gap: 38 and 48 begin an extended colour.
    let ones = if index == 8 { 9 } else { index };
    let mut code = String::new();
    write!(code, "\x1b[{tens}{ones}m").ok()?;
    Some(code)
}

fn without_prefix<'a>(name: &'a str, prefix: &str) -> &'a str {
    match name.split_at_checked(prefix.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(prefix) => rest,
        _ => name,
    }
}

/// Written as it is: what works in a DTail config today.
fn escape_sequence(text: &str) -> Option<String> {
    let inside = text.strip_prefix("\x1b[")?.strip_suffix('m')?;
    inside.chars().all(|c| c.is_ascii_digit() || c == ';').then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{Style, attribute, background, foreground};

    #[test]
    fn names_and_escape_sequences_are_understood() {
        assert_eq!(foreground("red").as_deref(), Some("\x1b[31m"));
        assert_eq!(foreground("FgDefault").as_deref(), Some("\x1b[39m"));
        assert_eq!(background("BgWhite").as_deref(), Some("\x1b[47m"));
        assert_eq!(attribute("AttrDim").as_deref(), Some("\x1b[2m"));
        assert_eq!(attribute("none").as_deref(), Some(""));
        assert_eq!(foreground("\x1b[38;5;9m").as_deref(), Some("\x1b[38;5;9m"));
        assert_eq!(
            (foreground("BgRed"), background("Rad"), attribute("\x1b[2J")),
            (None, None, None)
        );
    }

    #[test]
    fn an_attribute_is_reset_only_where_there_is_one() {
        assert_eq!(
            Style::named("White", "Blue", "Dim").paint("x"),
            "\x1b[37m\x1b[44m\x1b[2mx\x1b[0m\x1b[49m\x1b[39m"
        );
        assert_eq!(
            Style::named("White", "Black", "None").paint("x"),
            "\x1b[37m\x1b[40mx\x1b[49m\x1b[39m"
        );
    }
}
