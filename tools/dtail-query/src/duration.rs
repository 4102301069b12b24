//! Spans of time as a query writes them: `500ms`, `30s`, `5m`, `1h`, `1d`, `1w`.

const UNITS: [(&str, f64); 6] =
    [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0), ("w", 604_800.0)];

/// The seconds of a span, which are more than none.
pub(crate) fn seconds(text: &str) -> Option<f64> {
    let digits = text.find(|it: char| !it.is_ascii_digit() && it != '.')?;
    let (number, unit) = text.split_at(digits);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: f64 = number.parse().ok()?;
    let seconds = number * seconds;
    (0.001..1e12).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("1.5h"), Some(5400.0));
        assert_eq!(seconds("2w"), Some(1_209_600.0));
        for wrong in ["", "5", "m", "0s", "1y", "1m30s", "-1s", "1..5s", "9999999999999w"] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }
}
