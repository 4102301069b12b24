//! Arithmetic and the functions of numbers. What has no result, such as a division by 0, is
//! missing.

use std::io::Write;

use crate::{expression::Arithmetic, function::Function};

pub(super) fn compute(operator: Arithmetic, left: f64, right: f64) -> Option<f64> {
    Some(match operator {
        Arithmetic::Add => left + right,
        Arithmetic::Subtract => left - right,
        Arithmetic::Multiply => left * right,
        Arithmetic::Divide | Arithmetic::Remainder if right == 0.0 => return None,
        Arithmetic::Divide => left / right,
        Arithmetic::Remainder => left % right,
    })
}

pub(super) fn apply(function: Function, number: f64, second: Option<f64>) -> Option<f64> {
    let result = match function {
        Function::Abs => number.abs(),
        Function::Round => rounded(number, second.unwrap_or(0.0)),
        Function::Floor => number.floor(),
        Function::Ceiling => number.ceil(),
        Function::SquareRoot if number < 0.0 => return None,
        Function::SquareRoot => number.sqrt(),
        Function::Logarithm | Function::Logarithm10 | Function::Logarithm2 if number <= 0.0 => {
            return None;
        }
        Function::Logarithm => number.ln(),
        Function::Logarithm10 => number.log10(),
        Function::Logarithm2 => number.log2(),
        Function::Exponential => number.exp(),
        Function::Power => number.powf(second?),
        Function::Bucket => {
            let width = second?;
            return (width > 0.0).then(|| (number / width).floor() * width);
        }
        _ => return None,
    };
    Some(result)
}

/// Half away from 0, to so many decimals.
fn rounded(number: f64, decimals: f64) -> f64 {
    // Beyond this, floats have no such decimals.
    let scale = 10_f64.powi(decimals.clamp(-300.0, 300.0) as i32);
    let scaled = number * scale;
    if scaled.is_finite() && scale.is_finite() && scale > 0.0 {
        scaled.round() / scale
    } else {
        number
    }
}

/// The shortest decimal that is this number.
pub(crate) fn write_shortest(number: f64, text: &mut Vec<u8>) {
    // Adding 0 makes -0 the same as 0.
    let number = number + 0.0;
    let size = number.abs();
    let written = if size != 0.0 && size.is_finite() && !(1e-7..1e21).contains(&size) {
        write!(text, "{number:e}")
    } else if number.is_nan() {
        write!(text, "NaN")
    } else {
        write!(text, "{number}")
    };
    debug_assert!(written.is_ok(), "a Vec takes every write");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_texts_that_are_the_same_numbers() {
        let shown = |number: f64| {
            let mut text = Vec::new();
            write_shortest(number, &mut text);
            if !number.is_nan() {
                assert_eq!(crate::number::parse(&text), Some(number + 0.0));
            }
            String::from_utf8(text).unwrap()
        };
        assert_eq!(shown(5.0), "5");
        assert_eq!(shown(-0.0), "0");
        assert_eq!(shown(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(shown(1e300), "1e300");
        assert_eq!(shown(5e-324), "5e-324");
        assert_eq!(shown(f64::INFINITY), "inf");
        assert_eq!(shown(f64::NAN), "NaN");
    }

    #[test]
    fn rounding_is_away_from_0_and_survives_any_number_of_decimals() {
        assert_eq!(rounded(2.5, 0.0), 3.0);
        assert_eq!(rounded(-2.5, 0.0), -3.0);
        assert_eq!(rounded(1.005_1, 2.0), 1.01);
        assert_eq!(rounded(1234.0, -2.0), 1200.0);
        assert_eq!(rounded(1.5, 1e9), 1.5);
        assert_eq!(rounded(1.5, f64::NAN), 2.0);
    }
}
