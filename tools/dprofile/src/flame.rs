//! A flame graph as an SVG file that needs nothing else: search and zoom are in it. It computes no
//! value, and no name gets into it unescaped.

use std::fmt::Write as _;

use crate::tree::{Node, Tree};
use crate::unit;

const WIDTH: f64 = 1200.0;
const ROW: usize = 17;
const TOP: usize = 44;
/// Of a letter.
const LETTER: f64 = 6.6;
/// What is narrower than a tenth of a pixel is left out.
const PARTS: i64 = 12_000;

/// Draws the tree, the whole at the top.
pub(crate) fn svg(tree: &Tree) -> Vec<u8> {
    let visible = tree.visible(PARTS);
    let deepest = visible.iter().map(|(_, node)| usize::from(node.depth)).max().unwrap_or(0);
    let height = TOP + (deepest + 1) * ROW + 24;
    let whole = tree.nodes.first().copied();
    let total = whole.map_or(0, |node| node.value);
    let mut out = String::new();
    let _infallible = write!(
        out,
        r##"<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}" font-family="ui-monospace,Menlo,Consolas,monospace" font-size="11">
<style>rect{{stroke:#fff;stroke-width:.4}}g.f{{cursor:pointer}}g.f:hover rect{{stroke:#000;stroke-width:1}}g.above{{opacity:.5}}text{{pointer-events:none}}.button{{cursor:pointer;pointer-events:all;fill:#0645ad}}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="6" y="16" font-size="13">{}</text>
<text x="6" y="34" class="button" id="search">search (/)</text><text x="100" y="34" class="button" id="reset">reset (Esc)</text><text x="200" y="34" id="told">{}</text>
<g id="frames">
"##,
        escaped(&tree.title),
        if tree.is_difference { "red has grown, blue has shrunk" } else { "" },
    );
    for (start, node) in &visible {
        frame(&mut out, tree, *start, node, total);
    }
    out.push_str("</g>\n<script><![CDATA[\n");
    out.push_str(include_str!("flame.js"));
    out.push_str("]]></script>\n</svg>\n");
    out.into_bytes()
}

fn frame(out: &mut String, tree: &Tree, start: i64, node: &Node, total: i64) {
    let name = &tree.names[node.name as usize];
    let scale = WIDTH / total as f64;
    let (x, width) = (start as f64 * scale, node.value as f64 * scale);
    let y = TOP + usize::from(node.depth) * ROW;
    let text_y = y + 12;
    let _infallible = write!(
        out,
        r#"<g class="f"><title>{}
{}, {:.2} %{}</title><rect x="{x:.2}" y="{y}" width="{width:.2}" height="{}" fill="{}"/><text x="{:.2}" y="{text_y}">{}</text></g>
"#,
        escaped(name),
        unit::shown(node.value, &tree.unit),
        unit::share(node.value, total),
        change(tree, node),
        ROW - 1,
        colour(tree, name, node),
        x + 3.0,
        escaped(&shortened(name, width)),
    );
}

fn change(tree: &Tree, node: &Node) -> String {
    if !tree.is_difference {
        return String::new();
    }
    let change = node.value.saturating_sub(node.base);
    let base = unit::shown(node.base, &tree.unit);
    format!(", was {base}, {}", unit::signed(change, &tree.unit))
}

/// As much of a name as there is room for.
fn shortened(name: &str, width: f64) -> String {
    let room = ((width - 6.0) / LETTER).max(0.0) as usize;
    if name.chars().count() <= room {
        return name.to_owned();
    }
    if room < 3 {
        return String::new();
    }
    name.chars().take(room - 1).chain(['…']).collect()
}

/// Warm colours that only tell neighbours apart; in a difference red and blue that mean something.
fn colour(tree: &Tree, name: &str, node: &Node) -> String {
    if tree.is_difference {
        let change = unit::share(node.value.saturating_sub(node.base), node.value.max(node.base));
        let pale = 235.0 - 175.0 * change.abs().min(100.0) / 100.0;
        return if change > 0.0 {
            format!("rgb(255,{pale:.0},{pale:.0})")
        } else if change < 0.0 {
            format!("rgb({pale:.0},{pale:.0},255)")
        } else {
            "#eee".to_owned()
        };
    }
    let hash = name
        .bytes()
        .fold(2_166_136_261_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
    format!("hsl({},85%,{}%)", 15 + hash % 40, 62 + hash / 64 % 14)
}

/// A text as it may stand in XML and HTML.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::{shortened, svg};
    use crate::recording::tests::recorded;
    use crate::tree::Tree;

    fn drawn(stacks: &[&str], base: Option<&[&str]>) -> String {
        let base = base.map(recorded);
        let tree = Tree::of(&recorded(stacks), base.as_ref(), None, false).unwrap();
        String::from_utf8(svg(&tree)).unwrap()
    }

    #[test]
    fn widths_are_shares() {
        let picture = drawn(&["3 main run", "1 main"], None);
        assert!(
            picture.contains(
                "<title>run\n3ns, 75.00 %</title><rect x=\"0.00\" y=\"78\" width=\"900.00\""
            ),
            "{picture}"
        );
        assert_eq!(picture.matches("<g class=\"f\">").count(), 3);
    }

    #[test]
    fn names_are_escaped() {
        let picture = drawn(&["3 </title><script>alert('1')</script>&\"]]>"], None);
        assert!(!picture.contains("<script>alert"), "{picture}");
        assert!(picture.contains(
            "&lt;/title&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;]]&gt;"
        ));
    }

    #[test]
    fn a_difference_has_two_colours() {
        let picture = drawn(&["3 a", "1 b"], Some(&["1 a", "3 b", "4 c"]));
        assert!(picture.contains("<title>a\n3ns, 75.00 %, was 1ns, +2ns</title>"), "{picture}");
        assert!(picture.contains("fill=\"rgb(255,") && picture.contains(",255)\""));
    }

    #[test]
    fn an_empty_profile_is_an_empty_picture() {
        assert!(drawn(&[], None).contains("</svg>"));
    }

    #[test]
    fn what_has_no_room_is_shortened() {
        assert_eq!(shortened("memchr", 60.0), "memchr");
        assert_eq!(shortened("memchr::größe", 40.0), "memc…");
        assert_eq!(shortened("memchr", 20.0), "");
    }
}
