//! JSON lines: one object per line, nested fields by dotted path (`a.b`), elements by index
//! (`a.0`). Checks what it passes only as far as it must to find what is named.

use super::json_text::{self, Text};
use super::marks::Marks;
use super::{Misfit, Outcome, TIME_NAMES};
use crate::fields::{Fields, Slot, Span};
use crate::same::{begins_with, same};

/// The node that is the line itself.
const LINE: usize = 0;
/// A name with more dots is only looked for as one key.
const MAX_DOTS: usize = 4;

/// Members of an object that are remembered, and bytes of each.
const MAX_HINTS: usize = 64;

/// The fields that are wanted, as a tree of keys.
#[derive(Debug, Clone)]
pub(super) struct JsonReader {
    /// What the members of the line before began with. Lines of one kind are alike.
    hints: Vec<Hint>,
    /// The first one is the line itself.
    nodes: Vec<Node>,
    /// Brackets that are open in what is skipped.
    open: Vec<u8>,
}

/// What is between the member before and a value.
#[derive(Debug, Clone, Default)]
struct Hint {
    /// A key without escapes and the colon, and the quote if the value is a string; empty if
    /// nothing is remembered.
    text: Vec<u8>,
    is_string: bool,
    /// The node of the key, if anything in it is wanted.
    node: Option<usize>,
}

#[derive(Debug, Clone, Default)]
struct Node {
    slots: Vec<Slot>,
    keys: Vec<(Box<[u8]>, usize)>,
}

impl JsonReader {
    pub(super) fn new(fields: &Fields) -> JsonReader {
        let mut reader =
            JsonReader { hints: Vec::new(), nodes: vec![Node::default()], open: Vec::new() };
        for slot in 0..fields.count() {
            let name = fields.name(slot);
            if name == b"$time" {
                for time in TIME_NAMES {
                    reader.want(0, time.as_bytes(), slot);
                }
            } else if !fields.is_constant(slot) && name != b"$line" {
                reader.want(0, name, slot);
            }
        }
        reader
    }

    /// Wants the field `name` of a node: any of its dots may be part of a key.
    fn want(&mut self, node: usize, name: &[u8], slot: Slot) {
        let child = self.child(node, name);
        self.nodes[child].slots.push(slot);
        let dots = name.iter().filter(|&&byte| byte == b'.').count();
        if dots > MAX_DOTS {
            return;
        }
        for dot in (0..name.len()).filter(|&at| name[at] == b'.') {
            let child = self.child(node, &name[..dot]);
            self.want(child, &name[dot + 1..], slot);
        }
    }

    fn child(&mut self, node: usize, key: &[u8]) -> usize {
        if let Some((_, child)) = self.nodes[node].keys.iter().find(|(known, _)| **known == *key) {
            return *child;
        }
        let child = self.nodes.len();
        self.nodes.push(Node::default());
        self.nodes[node].keys.push((key.into(), child));
        child
    }

    /// Reads a line up to its newline, which is at the place that is returned.
    #[inline]
    pub(super) fn read(&mut self, marks: &mut Marks<'_>, fields: &mut Fields) -> (usize, Outcome) {
        let mut text = Text::new(marks);
        if text.is_over() {
            return (text.finish(), Outcome::Nothing);
        }
        let JsonReader { hints, nodes, open } = self;
        let mut scan = Scan { text, hints, nodes, open, fields };
        let is_whole = scan.text.eat(b'{').and_then(|()| scan.object(LINE)).is_some();
        let is_record = is_whole && scan.text.is_over();
        let misfit = Outcome::Misfit(Misfit::NotJson);
        (scan.text.finish(), if is_record { Outcome::Record } else { misfit })
    }
}

/// One line being read.
struct Scan<'m, 'a> {
    text: Text<'m, 'a>,
    hints: &'m mut Vec<Hint>,
    nodes: &'m [Node],
    open: &'m mut Vec<u8>,
    fields: &'m mut Fields,
}

impl Scan<'_, '_> {
    /// An object behind its opening brace. Goes no deeper than the names do.
    fn object(&mut self, node: usize) -> Option<()> {
        if self.text.first() == b'}' {
            self.text.pass();
            return Some(());
        }
        let mut place = 0;
        loop {
            if node != LINE || self.expected_member(place)?.is_none() {
                self.member(node, place)?;
            }
            place += 1;
            let next = self.text.first();
            self.text.pass();
            match next {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A member of the line itself that begins as the one at this place did in the line before. The
    /// inner `None`: it does not, and nothing was read.
    #[inline]
    fn expected_member(&mut self, place: usize) -> Option<Option<()>> {
        let Some(Hint { text, is_string, node }) = self.hints.get(place) else { return Some(None) };
        if text.is_empty() || !begins_with(self.text.remaining(), text) {
            return Some(None);
        }
        let (is_string, node) = (*is_string, *node);
        self.text.pass_known(text.len(), 2 + usize::from(is_string))?;
        if is_string {
            self.string_value(node)?;
        } else {
            self.value(node)?;
        }
        Some(Some(()))
    }

    /// A member of an object. Those of the line itself are remembered.
    fn member(&mut self, node: usize, place: usize) -> Option<()> {
        let start = self.text.at();
        self.text.eat(b'"')?;
        let (key, is_escaped) = self.text.string()?;
        let child = self.child(node, key, is_escaped);
        self.text.eat(b':')?;
        let is_string = self.text.first() == b'"';
        let known =
            if is_string { self.text.since_with_next(start) } else { self.text.since(start) };
        if node == LINE && place < MAX_HINTS && !is_escaped && known.len() <= MAX_HINTS {
            if place >= self.hints.len() {
                self.hints.resize(place + 1, Hint::default());
            }
            let hint = &mut self.hints[place];
            hint.text.clear();
            hint.text.extend_from_slice(known);
            (hint.is_string, hint.node) = (is_string, child);
        }
        self.value(child)
    }

    /// A string behind its opening quote, whose mark was passed.
    #[inline]
    fn string_value(&mut self, node: Option<usize>) -> Option<()> {
        let start = self.text.at();
        let (value, is_escaped) = self.text.string_end()?;
        if let Some(node) = node {
            self.put_text(node, value, is_escaped, Span::Line(start, start + value.len()));
        }
        Some(())
    }

    /// The node of a key, if anything in it is wanted.
    #[inline]
    fn child(&mut self, node: usize, key: &[u8], is_escaped: bool) -> Option<usize> {
        let keys = &self.nodes[node].keys;
        if !is_escaped {
            return keys.iter().find(|(known, _)| same(known, key)).map(|(_, child)| *child);
        }
        let start = self.fields.computed_length();
        json_text::unescape(key, self.fields);
        let span = self.fields.computed_since(start);
        let key = self.fields.bytes(span, &[])?;
        keys.iter().find(|(known, _)| same(known, key)).map(|(_, child)| *child)
    }

    fn array(&mut self, node: usize) -> Option<()> {
        if self.text.first() == b']' {
            self.text.pass();
            return Some(());
        }
        let mut index: usize = 0;
        loop {
            let mut digits = [0; 20];
            let child = self.child(node, decimal(index, &mut digits), false);
            self.value(child)?;
            let next = self.text.first();
            self.text.pass();
            match next {
                b',' => index += 1,
                b']' => return Some(()),
                _ => return None,
            }
        }
    }

    /// A value, behind blanks.
    #[inline]
    fn value(&mut self, node: Option<usize>) -> Option<()> {
        let first = self.text.first();
        let start = self.text.at();
        self.text.pass();
        match first {
            b'"' => {
                let (value, is_escaped) = self.text.string()?;
                if let Some(node) = node {
                    let span = Span::Line(start + 1, start + 1 + value.len());
                    self.put_text(node, value, is_escaped, span);
                }
                return Some(());
            }
            b'-' | b'0'..=b'9' => self.text.skip_number(),
            b'{' | b'[' => match node.filter(|&node| !self.nodes[node].keys.is_empty()) {
                Some(node) if first == b'{' => self.object(node)?,
                Some(node) => self.array(node)?,
                None => self.text.skip_nested(first, self.open)?,
            },
            b'n' => return self.text.eat_all(b"ull"),
            b't' => self.text.eat_all(b"rue")?,
            b'f' => self.text.eat_all(b"alse")?,
            _ => return None,
        }
        if let Some(node) = node {
            self.put(node, Span::Line(start, self.text.at()));
        }
        Some(())
    }

    #[inline]
    fn put_text(&mut self, node: usize, value: &[u8], is_escaped: bool, span: Span) {
        if is_escaped {
            let start = self.fields.computed_length();
            json_text::unescape(value, self.fields);
            let span = self.fields.computed_since(start);
            self.put(node, span);
        } else {
            self.put(node, span);
        }
    }

    #[inline]
    fn put(&mut self, node: usize, span: Span) {
        for &slot in &self.nodes[node].slots {
            self.fields.put(slot, span);
        }
    }
}

/// A number as text.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[start..];
        }
    }
}

/// Every field of a line with its value, as a query names it.
pub(super) fn each_field(line: &[u8], each: &mut dyn FnMut(&[u8], &[u8])) {
    let mut marks = Marks::of(line);
    let mut text = Text::new(&mut marks);
    if text.eat(b'{').is_some() {
        // What is no JSON shows what precedes the fault.
        let _whole = each_of_object(&mut text, &mut Vec::new(), 0, each);
    }
}

fn each_of_object(
    text: &mut Text<'_, '_>,
    path: &mut Vec<u8>,
    depth: usize,
    each: &mut dyn FnMut(&[u8], &[u8]),
) -> Option<()> {
    if text.eat(b'}').is_some() {
        return Some(());
    }
    loop {
        text.eat(b'"')?;
        let (key, is_escaped) = text.string()?;
        let length = path.len();
        path.extend_from_slice(&json_text::plain(key, is_escaped));
        text.eat(b':')?;
        let first = text.first();
        let start = text.at();
        text.pass();
        match first {
            b'\n' => return None,
            b'"' => {
                let (value, is_escaped) = text.string()?;
                each(path, &json_text::plain(value, is_escaped));
            }
            b'{' if depth < MAX_DOTS => {
                path.push(b'.');
                each_of_object(text, path, depth + 1, each)?;
            }
            first @ (b'{' | b'[') => {
                text.skip_nested(first, &mut Vec::new())?;
                each(path, text.since(start));
            }
            _ => {
                text.skip_word();
                each(path, text.since(start));
            }
        }
        path.truncate(length);
        let next = text.first();
        text.pass();
        match next {
            b',' => {}
            b'}' => return Some(()),
            _ => return None,
        }
    }
}
