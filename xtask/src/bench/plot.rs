//! A log-log plot as SVG text: lines with points, decades as a grid. Pure; knows no benches.

use std::fmt::Write as _;

/// A named line; both coordinates of every point are above zero.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 400.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 110.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
/// Told apart also by those who see no red and green, and in print by their brightness.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];

/// One axis: whole decades from `first`, as exponents of ten.
struct Axis {
    first: i32,
    decades: i32,
    /// Where its beginning and its end are drawn.
    from: f64,
    to: f64,
}

impl Axis {
    /// The decades that hold all `values`; at least one.
    fn around(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && *value > 0.0) {
            (low, high) = (low.min(value.log10()), high.max(value.log10()));
        }
        if low > high {
            (low, high) = (0.0, 1.0);
        }
        // Rounding in log10 must not open a decade of its own.
        let first = (low + 1e-9).floor() as i32;
        let last = ((high - 1e-9).ceil() as i32).max(first + 1);
        Self { first, decades: last - first, from, to }
    }

    fn place(&self, value: f64) -> f64 {
        let share = (value.log10() - f64::from(self.first)) / f64::from(self.decades);
        self.from + share * (self.to - self.from)
    }

    /// The powers of ten with their places.
    fn ticks(&self) -> impl Iterator<Item = (f64, f64)> {
        (0..=self.decades).map(|step| {
            let value = 10_f64.powi(self.first + step);
            (value, self.place(value))
        })
    }
}

/// The plot as a whole SVG file.
pub(crate) fn svg(title: &str, across: &str, upward: &str, lines: &[Line]) -> String {
    let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
    let points = || lines.iter().flat_map(|line| &line.points);
    let x = Axis::around(points().map(|point| point.0), LEFT, right);
    let y = Axis::around(points().map(|point| point.1), bottom, TOP);
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _infallible = writeln!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"15\">{}</text>\n\
         <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n\
         <text x=\"16\" y=\"{:.1}\" text-anchor=\"middle\" transform=\"rotate(-90 16 {:.1})\">{}</text>",
        escaped(title),
        f64::midpoint(LEFT, right),
        HEIGHT - 12.0,
        escaped(across),
        f64::midpoint(TOP, bottom),
        f64::midpoint(TOP, bottom),
        escaped(upward),
    );
    for (value, place) in x.ticks() {
        let _infallible = writeln!(
            text,
            "<path d=\"M{place:.1} {TOP}V{bottom}\" stroke=\"#ddd\"/><text x=\"{place:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            bottom + 16.0,
            tick(value)
        );
    }
    for (value, place) in y.ticks() {
        let _infallible = writeln!(
            text,
            "<path d=\"M{LEFT} {place:.1}H{right}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            place + 4.0,
            tick(value)
        );
    }
    let ends = label_places(lines, &y);
    for (number, (line, end)) in lines.iter().zip(ends).enumerate() {
        draw(&mut text, line, COLOURS[number % COLOURS.len()], &x, &y, end);
    }
    text.push_str("</svg>\n");
    text
}

fn draw(text: &mut String, line: &Line, colour: &str, x: &Axis, y: &Axis, label: f64) {
    let places: Vec<_> =
        line.points.iter().map(|point| (x.place(point.0), y.place(point.1))).collect();
    let path: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let _infallible = writeln!(
        text,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
        path.join(" ")
    );
    for (x, y) in &places {
        let _infallible =
            writeln!(text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{colour}\"/>");
    }
    let last = places.last().map_or(LEFT, |place| place.0);
    let _infallible = writeln!(
        text,
        "<text x=\"{:.1}\" y=\"{label:.1}\" fill=\"{colour}\">{}</text>",
        last + 8.0,
        escaped(&line.name)
    );
}

/// Where the names of the lines are written: beside their ends, but not over each other.
fn label_places(lines: &[Line], y: &Axis) -> Vec<f64> {
    const APART: f64 = 14.0;
    let end = |line: &Line| line.points.last().map_or(TOP, |point| y.place(point.1) + 4.0);
    let mut order: Vec<(usize, f64)> = lines.iter().map(end).enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut places = vec![0.0; lines.len()];
    let mut free = f64::NEG_INFINITY;
    for (index, wanted) in order {
        places[index] = wanted.max(free);
        free = places[index] + APART;
    }
    places
}

fn tick(value: f64) -> String {
    for (unit, name) in [(1e9, "G"), (1e6, "M"), (1e3, "k")] {
        if value >= unit {
            return format!("{}{name}", value / unit);
        }
    }
    // Powers of ten below one are not exact; twelve digits are.
    format!("{value:.12}").trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, points: &[(f64, f64)]) -> Line {
        Line { name: name.to_owned(), points: points.to_vec() }
    }

    #[test]
    fn decades_hold_all_values_and_ticks_are_powers_of_ten() {
        let axis = Axis::around([0.02, 3.0].into_iter(), 100.0, 400.0);
        assert_eq!((axis.first, axis.decades), (-2, 3));
        assert!((axis.place(0.1) - 200.0).abs() < 1e-9);
        let ticks: Vec<_> = axis.ticks().map(|(value, _)| tick(value)).collect();
        assert_eq!(ticks, ["0.01", "0.1", "1", "10"]);
        let exact = Axis::around([10.0, 1000.0].into_iter(), 0.0, 1.0);
        assert_eq!((exact.first, exact.decades), (1, 2));
        let one = Axis::around([5.0].into_iter(), 0.0, 1.0);
        assert_eq!((one.first, one.decades), (0, 1));
        assert_eq!([1e3, 1e7, 1e9].map(tick), ["1k", "10M", "1G"]);
    }

    #[test]
    fn every_line_is_drawn_inside_the_frame_with_its_name() {
        let lines =
            [line("dgrep", &[(1e7, 0.01), (1e9, 0.1)]), line("a<b", &[(1e7, 0.011), (1e9, 0.101)])];
        let svg = svg("growth", "bytes", "seconds", &lines);
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<circle").count(), 4);
        assert!(svg.contains(">a&lt;b</text>"));
        let places: Vec<f64> = svg
            .lines()
            .filter_map(|line| line.strip_prefix("<circle cx=\""))
            .map(|rest| rest.split('"').next().unwrap().parse().unwrap())
            .collect();
        assert!(places.iter().all(|x| (LEFT..=WIDTH - RIGHT).contains(x)), "{places:?}");
    }

    #[test]
    fn names_do_not_lie_over_each_other() {
        let y = Axis::around([1.0, 10.0].into_iter(), 100.0, 0.0);
        let places = label_places(&[line("a", &[(1.0, 5.0)]), line("b", &[(1.0, 5.0)])], &y);
        assert!((places[0] - places[1]).abs() >= 14.0);
    }
}
