//! Drawing with SVG elements: shapes with classes, whose colours are the style sheet's business,
//! and linear scales. Knows no reports.

use std::fmt::Write as _;

/// Text inside an element or an attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A drawing that grows downwards.
pub(crate) struct Svg {
    body: String,
    width: f64,
    height: f64,
    label: String,
}

/// Which side of its place a text stands on.
#[derive(Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Svg {
    /// An empty drawing; `label` is what a screen reader says.
    pub(crate) fn new(width: f64, height: f64, label: &str) -> Self {
        Self { body: String::new(), width, height, label: label.to_owned() }
    }

    // Writing to a String cannot fail, here and below.
    pub(crate) fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let ((x1, y1), (x2, y2)) = (from, to);
        let _infallible = writeln!(
            self.body,
            r#"<line class="{class}" x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}"/>"#
        );
    }

    pub(crate) fn rect(&mut self, class: &str, corner: (f64, f64), size: (f64, f64)) {
        let ((x, y), (width, height)) = (corner, (size.0.max(0.0), size.1.max(0.0)));
        let _infallible = writeln!(
            self.body,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}"/>"#
        );
    }

    pub(crate) fn circle(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        let _infallible = writeln!(
            self.body,
            r#"<circle class="{class}" cx="{x:.1}" cy="{y:.1}" r="{radius}"/>"#
        );
    }

    /// A square that stands on its corner.
    pub(crate) fn diamond(&mut self, class: &str, (x, y): (f64, f64), radius: f64) {
        let _infallible = writeln!(
            self.body,
            r#"<path class="{class}" d="M{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}Z"/>"#,
            x - radius,
            y - radius,
            x + radius,
            y + radius
        );
    }

    /// A triangle that says: it goes on in this direction (1 right, -1 left).
    pub(crate) fn arrow(&mut self, class: &str, (x, y): (f64, f64), direction: f64) {
        let back = x - 7.0 * direction;
        let _infallible = writeln!(
            self.body,
            r#"<path class="{class}" d="M{x:.1} {y:.1}L{back:.1} {:.1}L{back:.1} {:.1}Z"/>"#,
            y - 4.0,
            y + 4.0
        );
    }

    pub(crate) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let _infallible = writeln!(
            self.body,
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#,
            escaped(text)
        );
    }

    /// Opens a group whose `title` a browser shows under the pointer; `close` ends it.
    pub(crate) fn open(&mut self, class: &str, title: &str) {
        let _infallible =
            writeln!(self.body, r#"<g class="{class}"><title>{}</title>"#, escaped(title));
    }

    pub(crate) fn close(&mut self) {
        self.body.push_str("</g>\n");
    }

    /// The whole element.
    pub(crate) fn finish(self) -> String {
        let Self { body, width, height, label } = self;
        let label = escaped(&label);
        format!(
            "<svg role=\"img\" aria-label=\"{label}\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\">\n{body}</svg>\n"
        )
    }
}

/// Numbers on a line of the drawing.
#[derive(Clone, Copy)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From `low..high` to `from..to`; equal ends are parted.
    pub(crate) fn new((low, high): (f64, f64), (from, to): (f64, f64)) -> Self {
        let high = if high > low { high } else { low + 1.0 };
        Self { low, high, from, to }
    }

    /// Where `value` is drawn, which is inside always.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = (value.clamp(self.low, self.high) - self.low) / (self.high - self.low);
        self.from + share * (self.to - self.from)
    }

    /// Whether `value` is beyond the low (-1) or the high end (1), or inside (0).
    pub(crate) fn beyond(&self, value: f64) -> i8 {
        i8::from(value > self.high) - i8::from(value < self.low)
    }

    /// About `count` round numbers inside.
    pub(crate) fn ticks(&self, count: f64) -> Vec<f64> {
        let rough = (self.high - self.low) / count;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * decade);
        let step = step.into_iter().find(|step| *step >= rough).unwrap_or(10.0 * decade);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|number| number as f64 * step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let scale = Scale::new((-13.0, 47.0), (0.0, 600.0));
        assert_eq!(scale.ticks(6.0), [-10.0, 0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(scale.place(17.0), 300.0);
        assert_eq!((scale.place(90.0), scale.beyond(90.0)), (600.0, 1));
        assert_eq!((scale.beyond(-20.0), scale.beyond(0.0)), (-1, 0));
        assert!(Scale::new((1.0, 1.0), (0.0, 1.0)).place(1.0).is_finite());
    }

    #[test]
    fn text_cannot_become_markup() {
        let mut svg = Svg::new(1.0, 1.0, "a \"label\"");
        svg.text("x", (0.0, 0.0), Anchor::End, "<b> & c");
        let text = svg.finish();
        assert!(text.contains("&lt;b&gt; &amp; c") && text.contains("a &quot;label&quot;"));
    }
}
