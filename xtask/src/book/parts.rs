//! The generated parts of a page: what stands between `<!-- codegen:NAME -->` and
//! `<!-- /codegen -->`, each on a line of its own. Pure: texts from texts.

const BEGIN: (&str, &str) = ("<!-- codegen:", " -->");
const END: &str = "<!-- /codegen -->";

/// The page with all its generated parts made anew. The error says which line is at fault.
pub(crate) fn filled(page: &str, part: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut text = String::with_capacity(page.len());
    let mut open: Option<(usize, &str)> = None;
    for (index, line) in page.lines().enumerate() {
        let number = index + 1;
        let name = line.strip_prefix(BEGIN.0).and_then(|rest| rest.strip_suffix(BEGIN.1));
        match (open, name) {
            (Some((begin, name)), Some(_)) => {
                return Err(format!("line {number}: a part within {name} of line {begin}"));
            }
            (None, Some(name)) => {
                let part = part(name).ok_or_else(|| format!("line {number}: no part {name}"))?;
                text.push_str(&format!("{line}\n{}\n", part.trim_end()));
                open = Some((number, name));
            }
            (Some(_), None) if line == END => {
                text.push_str(&format!("{END}\n"));
                open = None;
            }
            (None, None) if line == END => {
                return Err(format!("line {number}: the end of a part that has no begin"));
            }
            // What stood there before.
            (Some(_), None) => {}
            (None, None) => text.push_str(&format!("{line}\n")),
        }
    }
    match open {
        Some((begin, name)) => Err(format!("line {begin}: part {name} has no end")),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::filled;

    fn check(page: &str, expected: Result<&str, &str>) {
        let part = |name: &str| (name == "greeting").then(|| "hello\n".to_owned());
        let filled = filled(page, &part);
        assert_eq!(filled.as_deref().map_err(String::as_str), expected);
    }

    #[test]
    fn parts_are_made_anew_and_the_rest_stays() {
        let full = "a\n<!-- codegen:greeting -->\nhello\n<!-- /codegen -->\nb\n";
        check("a\n<!-- codegen:greeting -->\n<!-- /codegen -->\nb\n", Ok(full));
        check("a\n<!-- codegen:greeting -->\nold\n\nolder\n<!-- /codegen -->\nb\n", Ok(full));
        check(full, Ok(full));
        check("no part: `<!-- codegen:x -->`\n", Ok("no part: `<!-- codegen:x -->`\n"));
    }

    #[test]
    fn what_cannot_be_made_is_an_error_with_its_line() {
        check("\n<!-- codegen:other -->\n<!-- /codegen -->\n", Err("line 2: no part other"));
        check("<!-- codegen:greeting -->\n", Err("line 1: part greeting has no end"));
        check("<!-- /codegen -->\n", Err("line 1: the end of a part that has no begin"));
        check(
            "<!-- codegen:greeting -->\n<!-- codegen:greeting -->\n",
            Err("line 2: a part within greeting of line 1"),
        );
    }
}
