//! Numbers as DTail reads and prints them: Go's float syntax and Go's `%f`.
//!
//! Never guesses: text that is not a whole number literal is no number.

use std::io::{self, Write};

const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// Whole numbers below this are the same as integers.
const LARGEST_QUICK: f64 = 9e15;

/// The number that `text` is, in Go's syntax: decimals, exponents, `inf`, `nan`, and hexadecimal
/// floats such as `0x1p2`. No blanks, no underscores, and nothing beyond the range of an f64.
#[inline]
pub(crate) fn parse(text: &[u8]) -> Option<f64> {
    // Most numbers in logs.
    match parse_short_integer(text) {
        Some(integer) => Some(f64::from(integer)),
        None => parse_any_length(text),
    }
}

/// Up to eight digits, all at once.
#[inline]
fn parse_short_integer(text: &[u8]) -> Option<u32> {
    let length = text.len();
    let word = match (text.first_chunk::<4>(), text.last_chunk::<4>(), text) {
        (Some(first), Some(last), _) if length <= 8 => {
            // They overlap.
            let (first, last) = (u32::from_le_bytes(*first), u32::from_le_bytes(*last));
            u64::from(first) | u64::from(last) << (8 * (length - 4))
        }
        (.., [a]) => u64::from(*a),
        (.., [a, b]) => u64::from(u16::from_le_bytes([*a, *b])),
        (.., [a, b, c]) => u64::from(u32::from_le_bytes([*a, *b, *c, 0])),
        _ => return None,
    };
    // The last digit goes to the highest byte; what is missing at the other end is 0.
    let missing = 8 * (8 - length);
    let digits = (word << missing) ^ (0x3030_3030_3030_3030 << missing);
    // Adding this sets the highest bit of a byte above 9.
    if (digits | digits.wrapping_add(0x7676_7676_7676_7676)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    let pairs = (digits.wrapping_mul(10 << 8 | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100 << 16 | 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some((fours.wrapping_mul(10_000 << 32 | 1) >> 32) as u32)
}

fn parse_any_length(text: &[u8]) -> Option<f64> {
    parse_short_decimal(text).or_else(|| parse_any(text))
}

/// Plain decimals whose digits fit the 53 bits of an f64: one exact integer divided by one exact
/// power of ten is rounded once, so this equals the general parser (Clinger's observation).
fn parse_short_decimal(text: &[u8]) -> Option<f64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    // 15 digits are below 2^53, and 10^15 is among the exact powers.
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    let mut integer = 0_u64;
    let mut point = None;
    for (index, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => integer = integer * 10 + u64::from(byte - b'0'),
            b'.' if point.is_none() => point = Some(index),
            _ => return None,
        }
    }
    let decimals = point.map_or(0, |index| digits.len() - 1 - index);
    let digit_count = digits.len() - usize::from(point.is_some());
    if digit_count == 0 || digit_count > 15 {
        return None;
    }
    let mut magnitude = integer as f64;
    if decimals > 0 {
        magnitude /= POWERS_OF_TEN[decimals];
    }
    Some(if is_negative { -magnitude } else { magnitude })
}

fn parse_any(text: &[u8]) -> Option<f64> {
    let unsigned = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    match unsigned.first()?.to_ascii_lowercase() {
        b'n' => (text.eq_ignore_ascii_case(b"nan")).then_some(f64::NAN),
        b'i' => std::str::from_utf8(text).ok()?.parse().ok(),
        _ => {
            let number = match unsigned {
                [b'0', b'x' | b'X', digits @ ..] => {
                    let magnitude = parse_hexadecimal(digits)?;
                    if text[0] == b'-' { -magnitude } else { magnitude }
                }
                _ => std::str::from_utf8(text).ok()?.parse::<f64>().ok()?,
            };
            // Go reports a range error instead of rounding to infinity.
            number.is_finite().then_some(number)
        }
    }
}

/// `1.8p-3` after its `0x`. The exponent is mandatory, as in Go.
fn parse_hexadecimal(text: &[u8]) -> Option<f64> {
    let p = text.iter().position(|byte| byte.eq_ignore_ascii_case(&b'p'))?;
    let (digits, exponent) = (&text[..p], parse_exponent(&text[p + 1..])?);
    let mut mantissa = 0_u64;
    let mut lost_bits = false;
    let mut scale = exponent;
    let mut point_seen = false;
    let mut digit_count = 0_usize;
    for &byte in digits {
        if byte == b'.' && !point_seen {
            point_seen = true;
            continue;
        }
        let digit = u64::from(char::from(byte).to_digit(16)?);
        digit_count += 1;
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            scale -= if point_seen { 4 } else { 0 };
        } else {
            lost_bits |= digit != 0;
            scale += if point_seen { 0 } else { 4 };
        }
    }
    (digit_count > 0).then(|| rounded(mantissa, lost_bits, scale))
}

fn parse_exponent(text: &[u8]) -> Option<i64> {
    let (is_negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0_i64;
    for &byte in digits {
        let digit = char::from(byte).to_digit(10)?;
        // Anything this large is zero or out of range already; more digits must not overflow.
        exponent = (exponent * 10 + i64::from(digit)).min(1 << 40);
    }
    Some(if is_negative { -exponent } else { exponent })
}

/// `mantissa * 2^scale`, rounded half to even; `lost_bits`: there were non-zero digits below.
fn rounded(mantissa: u64, lost_bits: bool, scale: i64) -> f64 {
    if mantissa == 0 {
        return 0.0;
    }
    let zeros = i64::from(mantissa.leading_zeros());
    let mantissa = mantissa << zeros;
    let scale = scale - zeros;
    // 64 significant bits; an f64 keeps 53, and fewer when it is subnormal.
    let top_exponent = scale + 63;
    let precision = if top_exponent >= -1022 { 53 } else { 53 - (-1022 - top_exponent) };
    if top_exponent > 1023 {
        return f64::INFINITY;
    }
    if precision < 0 {
        return 0.0;
    }
    let dropped = 64 - precision;
    let kept = if dropped == 64 { 0 } else { mantissa >> dropped };
    let below = mantissa << precision;
    let half = 1_u64 << 63;
    let rounds_up = below > half || (below == half && (lost_bits || kept & 1 == 1));
    // The product is exact: it has at most 53 bits, and its lowest is representable.
    (kept + u64::from(rounds_up)) as f64 * power_of_two(scale + dropped)
}

/// 2 to an exponent of -1074 to 1023.
fn power_of_two(exponent: i64) -> f64 {
    let bits = if exponent >= -1022 { (exponent + 1023) << 52 } else { 1 << (exponent + 1074) };
    f64::from_bits(bits.unsigned_abs())
}

/// Writes a number as Go's `%f`: six decimals, `+Inf`, `-Inf`, `NaN`.
pub(crate) fn write(number: f64, w: &mut impl Write) -> io::Result<()> {
    if number.is_nan() {
        w.write_all(b"NaN")
    } else if number.is_infinite() {
        w.write_all(if number > 0.0 { b"+Inf" } else { b"-Inf" })
    } else if number.trunc() == number && number.abs() < LARGEST_QUICK && number != 0.0 {
        // Most numbers of results, and exact decimals take long. (0 has a sign.)
        write!(w, "{}.000000", number as i64)
    } else {
        write!(w, "{number:.6}")
    }
}

/// How many bytes [`write`] writes, if that is quick to tell.
pub(crate) fn width(number: f64) -> Option<usize> {
    let is_quick = number.trunc() == number && number.abs() < LARGEST_QUICK && number != 0.0;
    is_quick.then(|| {
        let digits = (number.abs() as u64).checked_ilog10().map_or(1, |it| it as usize + 1);
        usize::from(number < 0.0) + digits + ".000000".len()
    })
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "expect! makes a value")]
    fn check(texts: &str, expected: Expect) {
        let mut actual = String::new();
        for text in texts.lines() {
            let shown = match parse(text.as_bytes()) {
                Some(number) => format!("{number:?}"),
                None => "no number".to_owned(),
            };
            actual.push_str(&format!("{text} → {shown}\n"));
        }
        expected.assert_eq(&actual);
    }

    #[test]
    fn decimals_are_numbers_in_all_of_gos_spellings() {
        check(
            "0\n-0\n+1.5\n.5\n5.\n1e3\n1E-3\n123456789012345678901234567890\n0.1\n-7.25e+2",
            expect![[r#"
                0 → 0.0
                -0 → -0.0
                +1.5 → 1.5
                .5 → 0.5
                5. → 5.0
                1e3 → 1000.0
                1E-3 → 0.001
                123456789012345678901234567890 → 1.2345678901234568e29
                0.1 → 0.1
                -7.25e+2 → -725.0
            "#]],
        );
    }

    #[test]
    fn infinity_and_nan_are_numbers_but_overflow_is_none() {
        check(
            "inf\n+Inf\n-INFINITY\nnan\n+nan\n-nan\ninfi\n1e308\n1e309\n1e-400\n0x1p1024",
            expect![[r#"
                inf → inf
                +Inf → inf
                -INFINITY → -inf
                nan → NaN
                +nan → no number
                -nan → no number
                infi → no number
                1e308 → 1e308
                1e309 → no number
                1e-400 → 0.0
                0x1p1024 → no number
            "#]],
        );
    }

    #[test]
    fn hexadecimal_floats_need_an_exponent() {
        check(
            "0x1p2\n-0X1.8P1\n0x.8p0\n0x1\n0xp1\n0x1p\n0x1p+-1\n0x1.g\n0x0p99999999999999999999",
            expect![[r#"
                0x1p2 → 4.0
                -0X1.8P1 → -3.0
                0x.8p0 → 0.5
                0x1 → no number
                0xp1 → no number
                0x1p → no number
                0x1p+-1 → no number
                0x1.g → no number
                0x0p99999999999999999999 → 0.0
            "#]],
        );
    }

    #[test]
    fn hexadecimal_floats_round_half_to_even_down_to_the_smallest() {
        check(
            "0x1.fffffffffffff8p0\n0x1.00000000000008p0\n0x1.000000000000080000001p0\n\
             0x1p-1074\n0x1p-1075\n0x1.8p-1075\n0x1p-1076\n0x1.fffffffffffff8p1023\n\
             0x1.fffffffffffffp1023",
            expect![[r#"
                0x1.fffffffffffff8p0 → 2.0
                0x1.00000000000008p0 → 1.0
                0x1.000000000000080000001p0 → 1.0000000000000002
                0x1p-1074 → 5e-324
                0x1p-1075 → 0.0
                0x1.8p-1075 → 5e-324
                0x1p-1076 → 0.0
                0x1.fffffffffffff8p1023 → no number
                0x1.fffffffffffffp1023 → 1.7976931348623157e308
            "#]],
        );
    }

    #[test]
    fn what_only_begins_like_a_number_is_none() {
        check(
            "\n-\n.\n+.\n1_000\n1 \n 1\n1,5\n1e\n1.2.3\n--1\n0x\nabc\n١",
            expect![[r#"
                 → no number
                - → no number
                . → no number
                +. → no number
                1_000 → no number
                1  → no number
                 1 → no number
                1,5 → no number
                1e → no number
                1.2.3 → no number
                --1 → no number
                0x → no number
                abc → no number
                ١ → no number
            "#]],
        );
    }

    #[test]
    fn the_fast_path_equals_the_general_parser() {
        let mut random = crate::random::Random::new(7);
        let mut fast = 0;
        for _ in 0..300_000 {
            let text: Vec<u8> = (0..=random.below(18))
                .map(|_| b"0123456789012345678901.-+e"[random.below(26)])
                .collect();
            let is_short = text.len() <= 8 && text.iter().all(u8::is_ascii_digit);
            let short = String::from_utf8_lossy(&text).parse().ok().filter(|_| is_short);
            assert_eq!(parse_short_integer(&text), short);
            let Some(quick) = parse_short_decimal(&text) else { continue };
            fast += 1;
            let text = String::from_utf8(text).unwrap();
            let slow: f64 = text.parse().unwrap_or_else(|_| panic!("std rejects {text}"));
            assert_eq!(quick.to_bits(), slow.to_bits(), "{text}");
        }
        assert!(fast > 20_000, "only {fast} inputs took the fast path");
    }

    #[test]
    fn numbers_are_printed_as_go_does() {
        let shown = |number| {
            let mut text = Vec::new();
            write(number, &mut text).unwrap();
            assert!(width(number).is_none_or(|width| width == text.len()), "{number}");
            String::from_utf8(text).unwrap()
        };
        assert_eq!(shown(10.0), "10.000000");
        assert_eq!(shown(-9.0), "-9.000000");
        assert_eq!(shown(11.628_141), "11.628141");
        assert_eq!(shown(-0.0), "-0.000000");
        assert_eq!(shown(0.007_812_5), "0.007812");
        assert_eq!(shown(0.023_437_5), "0.023438");
        assert_eq!(shown(0.0), "0.000000");
        assert_eq!(shown(-1_234_567.0), "-1234567.000000");
        assert_eq!(shown(9e15 - 1.0), "8999999999999999.000000");
        assert_eq!(shown(9e15), "9000000000000000.000000");
        assert_eq!(shown(1e22), "10000000000000000000000.000000");
        assert_eq!(shown(f64::INFINITY), "+Inf");
        assert_eq!(shown(f64::NEG_INFINITY), "-Inf");
        assert_eq!(shown(f64::NAN), "NaN");
    }
}
