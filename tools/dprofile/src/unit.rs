//! Values as people read them. It never rounds what goes to JSON.

/// Units of time in nanoseconds, the largest first.
const TIMES: [(f64, &str); 5] =
    [(3600e9, "h"), (60e9, "min"), (1e9, "s"), (1e6, "ms"), (1e3, "us")];
const SIZES: [(f64, &str); 4] =
    [(1_099_511_627_776.0, "TiB"), (1_073_741_824.0, "GiB"), (1_048_576.0, "MiB"), (1024.0, "KiB")];

/// A value in a unit that suits its size, such as `1.25s`.
pub(crate) fn shown(value: i64, unit: &str) -> String {
    let (scales, factor, least): (&[_], f64, &str) = match unit {
        "nanoseconds" | "nanosecond" | "ns" => (&TIMES, 1.0, "ns"),
        "microseconds" | "microsecond" | "us" => (&TIMES, 1e3, "ns"),
        "milliseconds" | "millisecond" | "ms" => (&TIMES, 1e6, "ns"),
        "seconds" | "second" | "s" => (&TIMES, 1e9, "ns"),
        "bytes" | "byte" | "b" | "B" => (&SIZES, 1.0, "B"),
        "kilobytes" | "kb" => (&SIZES, 1024.0, "B"),
        "count" | "" => return value.to_string(),
        other => return format!("{value} {other}"),
    };
    let amount = value as f64 * factor;
    for (scale, name) in scales {
        // 59.999 s is a minute when it is rounded.
        if (amount.abs() / scale) >= 0.999_95 {
            return format!("{}{name}", digits(amount / scale));
        }
    }
    if value == 0 { "0".to_owned() } else { format!("{amount}{least}") }
}

/// Three digits or four, without needless zeros.
fn digits(amount: f64) -> String {
    let size = amount.abs();
    let places = if size >= 99.995 { 1 } else { 2 };
    let text = format!("{amount:.places$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A share in percent; nothing of nothing is nothing.
pub(crate) fn share(part: i64, total: i64) -> f64 {
    if total == 0 { 0.0 } else { 100.0 * part as f64 / total as f64 }
}

/// A value with its sign.
pub(crate) fn signed(value: i64, unit: &str) -> String {
    let sign = if value > 0 { "+" } else { "" };
    format!("{sign}{}", shown(value, unit))
}

#[cfg(test)]
mod tests {
    use super::{share, shown, signed};

    #[test]
    fn the_unit_suits_the_value() {
        let check = |value, unit, expected: &str| assert_eq!(shown(value, unit), expected);
        check(0, "nanoseconds", "0");
        check(999, "nanoseconds", "999ns");
        check(1500, "nanoseconds", "1.5us");
        check(10_000_000, "nanoseconds", "10ms");
        check(-1_234_000_000, "nanoseconds", "-1.23s");
        check(59_999_900_000, "nanoseconds", "1min");
        check(90, "seconds", "1.5min");
        check(1023, "bytes", "1023B");
        check(524_288, "bytes", "512KiB");
        check(-1_572_864, "bytes", "-1.5MiB");
        check(1_000_000, "count", "1000000");
        check(3, "contentions", "3 contentions");
        assert_eq!(signed(10_000_000, "nanoseconds"), "+10ms");
        assert_eq!((share(1, 4), share(1, 0)), (25.0, 0.0));
    }
}
