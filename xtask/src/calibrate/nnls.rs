//! Non-negative least squares: which mixture of columns, none of them taken away, comes nearest to
//! a wanted column. The algorithm is the active-set method of Lawson and Hanson, "Solving Least
//! Squares Problems", chapter 23. It knows nothing of profiles.

/// A weight below this is none: sums of shares are 1.
const TOLERANCE: f64 = 1e-12;
/// Rounds for each column; the method needs about one.
const ROUNDS: usize = 30;

/// The x ≥ 0 for which the sum of `columns` times x is nearest to `wanted`. Columns have the length
/// of `wanted`.
pub(crate) fn nnls(columns: &[Vec<f64>], wanted: &[f64]) -> Vec<f64> {
    let count = columns.len();
    let mut x = vec![0.0; count];
    let mut is_free = vec![false; count];
    for _ in 0..ROUNDS * count.max(1) {
        let rest = residual(columns, wanted, &x);
        let gradient = |at: usize| dot(&columns[at], &rest);
        // The column that would help most.
        let best = (0..count)
            .filter(|at| !is_free[*at] && gradient(*at) > TOLERANCE)
            .max_by(|a, b| gradient(*a).total_cmp(&gradient(*b)));
        let Some(best) = best else { break };
        is_free[best] = true;
        if !settle(columns, wanted, &mut x, &mut is_free) {
            // It says the same as those that are free already.
            is_free[best] = false;
            x[best] = 0.0;
            break;
        }
    }
    x
}

/// Solves for the free columns; those that would become negative are bound again, one after the
/// other. False if the free columns depend on each other.
fn settle(columns: &[Vec<f64>], wanted: &[f64], x: &mut [f64], is_free: &mut [bool]) -> bool {
    loop {
        let free: Vec<usize> = (0..columns.len()).filter(|at| is_free[*at]).collect();
        let Some(solved) = least_squares(columns, wanted, &free) else { return false };
        if solved.iter().all(|value| *value > TOLERANCE) {
            free.iter().zip(solved).for_each(|(at, value)| x[*at] = value);
            return true;
        }
        // As far towards the solution as nothing becomes negative.
        let step = free
            .iter()
            .zip(&solved)
            .filter(|(_, value)| **value <= TOLERANCE)
            .map(|(at, value)| x[*at] / (x[*at] - value).max(f64::MIN_POSITIVE))
            .fold(1.0, f64::min);
        for (at, value) in free.iter().zip(&solved) {
            x[*at] += step * (value - x[*at]);
            if x[*at] <= TOLERANCE {
                x[*at] = 0.0;
                is_free[*at] = false;
            }
        }
        if !is_free.iter().any(|free| *free) {
            return true;
        }
    }
}

/// The normal equations of the free columns by Gaussian elimination with pivots. Cases are few and
/// shares are of one size, so that their conditioning is no matter.
fn least_squares(columns: &[Vec<f64>], wanted: &[f64], free: &[usize]) -> Option<Vec<f64>> {
    let size = free.len();
    let mut rows: Vec<Vec<f64>> = free
        .iter()
        .map(|a| {
            let products = free.iter().map(|b| dot(&columns[*a], &columns[*b]));
            products.chain([dot(&columns[*a], wanted)]).collect()
        })
        .collect();
    for at in 0..size {
        let pivot = (at..size).max_by(|a, b| rows[*a][at].abs().total_cmp(&rows[*b][at].abs()))?;
        rows.swap(at, pivot);
        if rows[at][at].abs() < TOLERANCE {
            return None;
        }
        let (above, below) = rows.split_at_mut(at + 1);
        let row = &above[at];
        for other in below {
            let factor = other[at] / row[at];
            other.iter_mut().zip(row).for_each(|(cell, of_row)| *cell -= factor * of_row);
        }
    }
    let mut solved = vec![0.0; size];
    for at in (0..size).rev() {
        let known: f64 = (at + 1..size).map(|other| rows[at][other] * solved[other]).sum();
        solved[at] = (rows[at][size] - known) / rows[at][at];
    }
    Some(solved)
}

/// What is left of `wanted` after the mixture.
fn residual(columns: &[Vec<f64>], wanted: &[f64], x: &[f64]) -> Vec<f64> {
    let mut rest = wanted.to_vec();
    for (column, weight) in columns.iter().zip(x) {
        rest.iter_mut().zip(column).for_each(|(rest, value)| *rest -= weight * value);
    }
    rest
}

/// How far a mixture stays away from what is wanted: the root of the sum of squares.
pub(crate) fn distance(columns: &[Vec<f64>], wanted: &[f64], x: &[f64]) -> f64 {
    let rest = residual(columns, wanted, x);
    dot(&rest, &rest).sqrt()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Columns and wanted values come from the rows of `text`, the last number being the wanted.
    #[track_caller]
    fn check(text: &str, expected: &[f64], norm: f64) {
        let number = |word: &str| word.parse::<f64>().unwrap();
        let rows: Vec<Vec<f64>> =
            text.lines().map(|row| row.split_whitespace().map(number).collect()).collect();
        let last = rows[0].len() - 1;
        let columns: Vec<Vec<f64>> =
            (0..last).map(|at| rows.iter().map(|row| row[at]).collect()).collect();
        let wanted: Vec<f64> = rows.iter().map(|row| row[last]).collect();
        let x = nnls(&columns, &wanted);
        for (value, expected) in x.iter().zip(expected) {
            assert!((value - expected).abs() < 1e-9, "{x:?}, not {expected}");
        }
        let rest = distance(&columns, &wanted, &x);
        assert!((rest - norm).abs() < 1e-9, "{rest}, not {norm}");
    }

    /// `scipy.optimize.nnls`, scipy 1.17.1.
    #[test]
    fn results_are_those_of_scipy() {
        check(
            "1 0 2\n\
             1 1 1\n\
             0 2 -1",
            &[1.4999999999999998, 0.0],
            1.2247448713915892,
        );
        check(
            "0.625 0.897 0.776 0.651\n\
             0.225 0.3 0.874 0.68\n\
             0.005 0.821 0.797 0.547\n\
             0.468 0.303 0.278 0.304\n\
             0.255 0.445 0.505 0.392\n\
             0.553 0.996 0.793 0.759",
            &[0.24247838914671235, 0.008041563919198786, 0.6962729097386641],
            0.08728247774334898,
        );
        check(
            "0.0111455 0.188369 0.134333 0.378613 0.143837 0.176647\n\
             0.159133 0.181785 0.0714903 0.00495458 0.0439058 0.181138\n\
             0.214241 0.0735187 0.106659 0.00165153 0.189801 0.191018\n\
             0.047678 0.0980249 0.253675 0.21057 0.193689 0.202395\n\
             0.198142 0.271397 0.0262323 0.223369 0.116167 0.0452096\n\
             0.269659 0.132041 0.172384 0.02436 0.0887263 0.131737\n\
             0.1 0.0548647 0.235226 0.156482 0.223874 0.0718563",
            &[
                0.08992890729456426,
                0.3192016979297999,
                0.5103478751451239,
                0.0,
                0.04658760175388066,
            ],
            0.16923711026077803,
        );
        check(
            "-0.196 0.899 1.145 -1.324 -1.114\n\
             -0.795 0.647 -1.992 -0.463 -0.012\n\
             -0.097 1.257 0.689 -0.327 -0.444\n\
             -0.369 -0.25 1.524 -0.428 1.166\n\
             -0.304 0.353 -0.121 -0.197 0.653",
            &[0.0, 0.0, 0.10719260514177589, 0.5021819914319716],
            1.6456047343883524,
        );
    }

    #[test]
    fn equal_columns_and_none_are_no_trouble() {
        let same = vec![0.5, 0.5];
        let x = nnls(&[same.clone(), same.clone()], &same);
        assert!((x[0] + x[1] - 1.0).abs() < 1e-9, "{x:?}");
        assert!(nnls(&[], &[3.0, 4.0]).is_empty());
        assert!((distance(&[], &[3.0, 4.0], &[]) - 5.0).abs() < 1e-12);
        assert_eq!(nnls(&[vec![1.0, 0.0]], &[-1.0, 0.0]), vec![0.0]);
    }
}
