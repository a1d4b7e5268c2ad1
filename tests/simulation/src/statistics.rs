//! The little statistics that the scenarios need.

use touchstone_primitives::fixed::Fixed;

/// As a float, for reports.
pub fn float(x: Fixed) -> f64 {
    x.to_bits() as f64 / (1u128 << 64) as f64
}

/// Place of each value among all, 1 for the largest; equal ones share the mean of their places.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let place = |x: &f64| {
        let above = values.iter().filter(|y| *y > x).count();
        let equal = values.iter().filter(|y| *y == x).count();
        above as f64 + (equal as f64 + 1.0) / 2.0
    };
    values.iter().map(place).collect()
}

/// Spearman's rank correlation.
pub fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(p, q)| (p - mean) * (q - mean)).sum()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

#[test]
fn ranks_share_places_and_correlate_with_themselves() {
    assert_eq!(ranks(&[5.0, 9.0, 5.0]), [2.5, 1.0, 2.5]);
    let values = [1.0, 4.0, 2.0, 3.0];
    assert_eq!(rank_correlation(&values, &values), 1.0);
    assert_eq!(rank_correlation(&values, &values.map(|x| -x)), -1.0);
}
