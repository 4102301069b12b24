//! Symbol names apart from what changes when nothing but a version or a build setting does: the
//! disambiguators of crates and the hashes in the names of modules. Reads Rust's v0 mangling (RFC
//! 2603); every other name stands for itself. Never demangles.

/// A name, and what was taken out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Symbol {
    /// The name without the crates' disambiguators. Equal for two builds of the same function.
    pub(crate) neutral: String,
    /// The crates in the order in which the name mentions them, each with what was taken out.
    pub(crate) crates: Vec<(String, String)>,
}

impl Symbol {
    /// Reads a name as it stands in a profile: functions with internal linkage carry their module
    /// before a `;`.
    pub(crate) fn read(name: &str) -> Self {
        let (module, symbol) = match name.rsplit_once(';') {
            Some((module, symbol)) => (Some(module), symbol),
            None => (None, name),
        };
        let mut crates = Vec::new();
        let mut neutral = module.map(|module| read_module(module, &mut crates)).unwrap_or_default();
        let outside = crates.len();
        match read_v0(symbol, &mut crates) {
            Some(text) => neutral.push_str(&text),
            None => {
                crates.truncate(outside);
                neutral.push_str(symbol);
            }
        }
        Self { neutral, crates }
    }

    /// The crate whose code the function is, as far as its name tells.
    pub(crate) fn home(&self) -> &str {
        self.crates.first().map_or("(no crate)", |(name, _)| name)
    }
}

/// `tokio.5de0db94c528f4b7-cgu.0` is the codegen unit 0 of one build of crate tokio.
fn read_module(module: &str, crates: &mut Vec<(String, String)>) -> String {
    let parts = module.rsplit_once("-cgu.").and_then(|(build, unit)| {
        let (name, hash) = build.rsplit_once('.')?;
        hash.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some((name, hash, unit))
    });
    match parts {
        Some((name, hash, unit)) => {
            crates.push((name.to_owned(), format!("module {hash}")));
            format!("{name}-cgu.{unit};")
        }
        None => format!("{module};"),
    }
}

fn read_v0(symbol: &str, crates: &mut Vec<(String, String)>) -> Option<String> {
    let body = symbol.strip_prefix("_R")?;
    let mut reader = Reader { body, at: 0, depth: 0, neutral: "_R".into(), starts: vec![], crates };
    reader.path()?;
    // The crate that a generic function was instantiated in.
    if reader.peek().is_some_and(|byte| byte == b'C' || byte == b'B') {
        reader.path()?;
    }
    let rest = &body[reader.at..];
    if !(rest.is_empty() || rest.starts_with(['.', '$'])) {
        return None;
    }
    let mut neutral = reader.neutral;
    neutral.push_str(rest);
    Some(neutral)
}

/// Types and paths nest; a name that nests deeper than this is not read.
const DEEPEST: usize = 500;

/// Copies a name while it parses it, leaving out the crates' disambiguators. Back references are
/// offsets, which differ with the lengths of what is left out, so they become ordinal numbers.
struct Reader<'a> {
    body: &'a str,
    at: usize,
    depth: usize,
    neutral: String,
    /// The offset of every production that a back reference may point to, in order.
    starts: Vec<usize>,
    crates: &'a mut Vec<(String, String)>,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.body.as_bytes().get(self.at).copied()
    }

    /// Takes and copies one byte, which must be of ASCII.
    fn take(&mut self) -> Option<u8> {
        let byte = self.peek().filter(u8::is_ascii)?;
        self.at += 1;
        self.neutral.push(char::from(byte));
        Some(byte)
    }

    /// Takes and copies `byte` if it comes next.
    fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        if next {
            self.take();
        }
        next
    }

    /// Reads a back reference, or something that one may point to, by its first byte.
    fn production(&mut self, read: impl FnOnce(&mut Self, u8) -> Option<()>) -> Option<()> {
        if self.peek()? == b'B' {
            return self.back_reference();
        }
        self.starts.push(self.at);
        self.depth += 1;
        let first = self.take()?;
        let result = if self.depth > DEEPEST { None } else { read(self, first) };
        self.depth -= 1;
        result
    }

    fn path(&mut self) -> Option<()> {
        self.production(|reader, first| match first {
            b'C' => reader.crate_root(),
            b'M' => {
                reader.impl_path()?;
                reader.kind()
            }
            b'X' => {
                reader.impl_path()?;
                reader.kind()?;
                reader.path()
            }
            b'Y' => {
                reader.kind()?;
                reader.path()
            }
            b'N' => {
                reader.take()?;
                reader.path()?;
                reader.identifier()
            }
            b'I' => {
                reader.path()?;
                reader.until_end(Self::generic_argument)
            }
            _ => None,
        })
    }

    fn crate_root(&mut self) -> Option<()> {
        let start = self.at;
        if self.peek()? == b's' {
            self.at += self.body[start..].find('_')? + 1;
        }
        let disambiguator = self.body[start..self.at].to_owned();
        let named = self.neutral.len();
        self.plain_identifier()?;
        let name = self.neutral[named..].trim_start_matches(|c: char| c.is_ascii_digit());
        self.crates.push((name.to_owned(), disambiguator));
        Some(())
    }

    fn impl_path(&mut self) -> Option<()> {
        self.disambiguator()?;
        self.path()
    }

    fn disambiguator(&mut self) -> Option<()> {
        if self.eat(b's') { self.number() } else { Some(()) }
    }

    fn identifier(&mut self) -> Option<()> {
        self.disambiguator()?;
        self.plain_identifier()
    }

    fn plain_identifier(&mut self) -> Option<()> {
        self.eat(b'u');
        let digits = self.at;
        // A number has no leading zero: closures in closures are named `00`, which is two names.
        if !self.eat(b'0') {
            while self.peek()?.is_ascii_digit() {
                self.take()?;
            }
        }
        let length: usize = self.body[digits..self.at].parse().ok()?;
        self.eat(b'_');
        let name = self.body.get(self.at..self.at.checked_add(length)?)?;
        self.neutral.push_str(name);
        self.at += length;
        Some(())
    }

    /// A number to the base 62, with the `_` that ends it.
    fn number(&mut self) -> Option<()> {
        while self.take()? != b'_' {}
        Some(())
    }

    fn back_reference(&mut self) -> Option<()> {
        let end = self.at + self.body[self.at..].find('_')?;
        let mut target = 0_usize;
        for byte in self.body[self.at + 1..end].bytes() {
            let digit = match byte {
                b'0'..=b'9' => byte - b'0',
                b'a'..=b'z' => byte - b'a' + 10,
                b'A'..=b'Z' => byte - b'A' + 36,
                _ => return None,
            };
            target = target.checked_mul(62)?.checked_add(usize::from(digit))?;
        }
        // No digits are 0, and "0" is 1.
        let target = if end == self.at + 1 { 0 } else { target + 1 };
        let ordinal = self.starts.binary_search(&target).ok()?;
        self.neutral.push_str(&format!("B{ordinal}_"));
        self.at = end + 1;
        Some(())
    }

    fn until_end(&mut self, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        while !self.eat(b'E') {
            read(self)?;
        }
        Some(())
    }

    fn generic_argument(&mut self) -> Option<()> {
        if self.lifetime()? {
            return Some(());
        }
        if self.eat(b'K') { self.constant() } else { self.kind() }
    }

    fn lifetime(&mut self) -> Option<bool> {
        let is_one = self.eat(b'L');
        if is_one {
            self.number()?;
        }
        Some(is_one)
    }

    /// A type.
    fn kind(&mut self) -> Option<()> {
        if matches!(self.peek()?, b'C' | b'M' | b'X' | b'Y' | b'N' | b'I') {
            return self.path();
        }
        self.production(|reader, first| match first {
            b'a'..=b'z' => Some(()),
            b'A' => {
                reader.kind()?;
                reader.constant()
            }
            b'R' | b'Q' => {
                reader.lifetime()?;
                reader.kind()
            }
            b'S' | b'P' | b'O' => reader.kind(),
            b'T' => reader.until_end(Self::kind),
            b'F' => reader.signature(),
            b'D' => {
                reader.binder()?;
                reader.until_end(Self::dyn_trait)?;
                reader.lifetime()?.then_some(())
            }
            _ => None,
        })
    }

    fn binder(&mut self) -> Option<()> {
        if self.eat(b'G') { self.number() } else { Some(()) }
    }

    fn signature(&mut self) -> Option<()> {
        self.binder()?;
        self.eat(b'U');
        if self.eat(b'K') && !self.eat(b'C') {
            self.plain_identifier()?;
        }
        self.until_end(Self::kind)?;
        self.kind()
    }

    fn dyn_trait(&mut self) -> Option<()> {
        self.path()?;
        while self.eat(b'p') {
            self.plain_identifier()?;
            self.kind()?;
        }
        Some(())
    }

    fn constant(&mut self) -> Option<()> {
        self.production(|reader, first| match first {
            b'p' => Some(()),
            b'a'..=b'z' => reader.number(),
            b'R' | b'Q' => reader.constant(),
            b'A' | b'T' => reader.until_end(Self::constant),
            b'V' => {
                reader.path()?;
                match reader.take()? {
                    b'U' => Some(()),
                    b'T' => reader.until_end(Self::constant),
                    b'S' => reader.until_end(|reader| {
                        reader.identifier()?;
                        reader.constant()
                    }),
                    _ => None,
                }
            }
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(name: &str, expected: &Expect) {
        let symbol = Symbol::read(name);
        expected.assert_eq(&format!("{} {:?}", symbol.neutral, symbol.crates));
    }

    #[test]
    fn disambiguators_of_crates_and_hashes_of_modules_are_taken_out() {
        check("_RNvCs12_4dcat4main", &expect![[r#"_RNvC4dcat4main [("dcat", "s12_")]"#]]);
        check(
            "_RINvCspSCDSwf4nT_6subtle9black_boxhECs1bhOVfKiFGU_13crypto_bigint",
            &expect![[
                r#"_RINvC6subtle9black_boxhEC13crypto_bigint [("subtle", "spSCDSwf4nT_"), ("crypto_bigint", "s1bhOVfKiFGU_")]"#
            ]],
        );
        check(
            "tokio.5de0db94c528f4b7-cgu.0;_RNvNtNtCs83I9UNVLh41_5tokio7runtime4park4wake",
            &expect![[
                r#"tokio-cgu.0;_RNvNtNtC5tokio7runtime4park4wake [("tokio", "module 5de0db94c528f4b7"), ("tokio", "s83I9UNVLh41_")]"#
            ]],
        );
    }

    #[test]
    fn names_that_are_not_mangled_stand_for_themselves() {
        for name in ["main", "_ZN4core3fmt17h0123456789abcdefE", "_RNvC", "_R", "file.c;f"] {
            assert_eq!(Symbol::read(name), Symbol { neutral: name.to_owned(), crates: vec![] });
        }
    }

    #[test]
    fn disambiguators_inside_a_crate_and_types_that_look_like_them_stay() {
        // A closure's disambiguator, an i16 (`s`), a constant, a function pointer with an ABI.
        check("_RNCNCNvCs1_1a1fs_00B5_", &expect![[r#"_RNCNCNvC1a1fs_00B3_ [("a", "s1_")]"#]]);
        check(
            "_RINCNvCs1_1a1fs0_0sTssEFUKCsEsKj1f_Kb1_DNtB4_1TEL_E",
            &expect![[r#"_RINCNvC1a1fs0_0sTssEFUKCsEsKj1f_Kb1_DNtB3_1TEL_E [("a", "s1_")]"#]],
        );
    }

    #[test]
    fn back_references_do_not_depend_on_the_length_of_a_disambiguator() {
        let long = Symbol::read(
            "_RINvMNtCslKZyQlv7rYS_12clap_builder5errorNtB3_5Error24extend_context_uncheckedKj1_EB5_",
        );
        // One base-62 digit less moves everything behind it, and so every back reference.
        let short = Symbol::read(
            "_RINvMNtCslKZyQlv7rS_12clap_builder5errorNtB3_5Error24extend_context_uncheckedKj1_EB5_",
        );
        assert_eq!(long.neutral, short.neutral);
        assert!(long.neutral.ends_with("EB4_"), "{}", long.neutral);
        assert_eq!(long.home(), "clap_builder");
    }

    #[test]
    fn endless_nesting_is_not_followed() {
        let name = format!("_RNvC1a{}", "I".repeat(100_000));
        assert_eq!(Symbol::read(&name).neutral, name);
        let name = format!("_RI{}", "NvY".repeat(100_000));
        assert_eq!(Symbol::read(&name).neutral, name);
    }
}
