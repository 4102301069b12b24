//! How many values are in each bucket of numbers, exactly.

use std::io::Write;

use crate::{evaluate::write_shortest, memory::heap_of, query::Width};

/// Added to the exponent of 2, so that all buckets of numbers above 0 are.
const OFFSET: i64 = 2000;
const INFINITE: i64 = 4000;

/// Buckets that have values, in order: multiples of a width, or powers of two. NaN is left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Histogram {
    pub(crate) buckets: Vec<(i64, u64)>,
}

impl Histogram {
    pub(crate) fn add(&mut self, number: f64, width: Option<Width>) {
        if !number.is_nan() {
            self.add_to_bucket(bucket_of(number, width), 1);
        }
    }

    fn add_to_bucket(&mut self, bucket: i64, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |(bucket, _)| *bucket) {
            Ok(index) => {
                let (_, known) = &mut self.buckets[index];
                *known = known.saturating_add(count);
            }
            Err(index) => self.buckets.insert(index, (bucket, count)),
        }
    }

    pub(crate) fn merge(&mut self, other: &Histogram) {
        for &(bucket, count) in &other.buckets {
            self.add_to_bucket(bucket, count);
        }
    }

    /// `0..10:5 10..20:3`: from, up to but without, how many.
    pub(crate) fn write(&self, width: Option<Width>, text: &mut Vec<u8>) {
        for (index, &(bucket, count)) in self.buckets.iter().enumerate() {
            if index > 0 {
                text.push(b' ');
            }
            let (from, to) = ends_of(bucket, width);
            write_shortest(from, text);
            if to != from {
                text.extend_from_slice(b"..");
                write_shortest(to, text);
            }
            let written = write!(text, ":{count}");
            debug_assert!(written.is_ok(), "a Vec takes every write");
        }
    }

    pub(crate) fn heap(&self) -> usize {
        heap_of(self.buckets.capacity() * size_of::<(i64, u64)>())
    }

    /// A histogram of foreign buckets, if they can be those of one.
    pub(crate) fn of_parts(buckets: Vec<(i64, u64)>) -> Option<Histogram> {
        let is_sorted = buckets.is_sorted_by(|left, right| left.0 < right.0);
        let have_values = buckets.iter().all(|(_, count)| *count > 0);
        (is_sorted && have_values).then_some(Histogram { buckets })
    }
}

fn bucket_of(number: f64, width: Option<Width>) -> i64 {
    if let Some(width) = width {
        // A cast stops at the ends of the range.
        return (number / width.get()).floor() as i64;
    }
    let size = number.abs();
    let bucket = if size == 0.0 {
        return 0;
    } else if size == f64::INFINITY {
        INFINITE
    } else {
        OFFSET + exponent(size)
    };
    if number < 0.0 { -bucket } else { bucket }
}

/// Of 2, in a finite number above 0.
fn exponent(size: f64) -> i64 {
    let bits = size.to_bits();
    match bits >> 52 {
        0 => -1011 - i64::from(bits.leading_zeros()),
        exponent => i64::from(u16::try_from(exponent).unwrap_or(0)) - 1023,
    }
}

fn ends_of(bucket: i64, width: Option<Width>) -> (f64, f64) {
    if let Some(width) = width {
        return match bucket {
            i64::MIN => (f64::NEG_INFINITY, f64::NEG_INFINITY),
            i64::MAX => (f64::INFINITY, f64::INFINITY),
            // Far away, floats lie wider apart than the buckets.
            _ => (bucket as f64 * width.get(), (bucket + 1) as f64 * width.get()),
        };
    }
    if bucket == 0 {
        return (0.0, 0.0);
    }
    let size = bucket.unsigned_abs().min(INFINITE.unsigned_abs());
    if size == INFINITE.unsigned_abs() {
        let infinity = f64::INFINITY * bucket.signum() as f64;
        return (infinity, infinity);
    }
    let exponent = i32::try_from(size).unwrap_or(0) - 2000;
    // In two steps, since the smallest are 1 divided by what is no float.
    let from = 2_f64.powi(exponent / 2) * 2_f64.powi(exponent - exponent / 2);
    if bucket < 0 { (-2.0 * from, -from) } else { (from, 2.0 * from) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(numbers: &[f64], width: Option<f64>) -> String {
        let width = width.and_then(Width::of);
        let mut histogram = Histogram::default();
        numbers.iter().for_each(|it| histogram.add(*it, width));
        let mut text = Vec::new();
        histogram.write(width, &mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn buckets_have_a_width_or_are_powers_of_two() {
        assert_eq!(
            shown(&[1.0, 9.9, 10.0, -0.5, 35.0], Some(10.0)),
            "-10..0:1 0..10:2 10..20:1 30..40:1"
        );
        assert_eq!(
            shown(&[0.0, 1.0, 1.5, 3.0, 1000.0, -5.0], None),
            "-8..-4:1 0:1 1..2:2 2..4:1 512..1024:1"
        );
        assert_eq!(shown(&[f64::INFINITY, f64::NAN, f64::NEG_INFINITY], None), "-inf:1 inf:1");
        assert_eq!(shown(&[f64::INFINITY, 0.25], Some(0.5)), "0..0.5:1 inf:1");
        assert_eq!(shown(&[5e-324], None), "5e-324..1e-323:1");
        assert_eq!(shown(&[], None), "");
    }
}
