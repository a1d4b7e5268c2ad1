//! Fixed point against big numbers of 256 bits, over the whole domain.

#![allow(clippy::float_arithmetic)]

use super::*;
use proptest::prelude::*;
use sp_core::U256;
use std::{format, string::ToString};

fn fixed(text: &str) -> Fixed {
    text.parse().unwrap()
}

#[test]
fn exact_values_are_exact() {
    assert_eq!(Fixed::ratio(1, 2), Fixed::HALF);
    assert_eq!(Fixed::percent(25), fixed("0.25"));
    assert_eq!(exp2(Fixed::from_int(10)), Fixed::from_int(1024));
    assert_eq!(exp2_neg(Fixed::from_int(64)), Fixed::from_bits(1));
    assert_eq!(exp2_neg(Fixed::ZERO), Fixed::ONE);
    assert_eq!(fixed("0.125").log2(), Some(Signed::from_int(-3)));
    assert_eq!(Fixed::ZERO.log2(), None);
    assert_eq!(fixed("4").pow(Fixed::HALF), fixed("2"));
    assert_eq!(fixed("0.25").pow(fixed("1.5")), fixed("0.125"));
    assert_eq!(Fixed::ZERO.pow(Fixed::ZERO), Fixed::ONE);
    assert_eq!(Fixed::ZERO.pow(Fixed::HALF), Fixed::ZERO);
    assert_eq!(Fixed::ZERO.ln_1p(), Fixed::ZERO);
    assert_eq!(decay(30, 10), fixed("0.125"));
    assert_eq!(decay(0, 0), Fixed::ONE);
    assert_eq!(decay(1, 0), Fixed::ZERO);
    assert_eq!(fixed("2.5").times(fixed("0.5")), fixed("1.25"));
    assert_eq!(fixed("2.5").over(fixed("0.5")), fixed("5"));
    assert_eq!(Fixed::from_bits(1).times(Fixed::HALF), Fixed::ZERO);
    assert_eq!(
        Fixed::from_bits(1).times_up(Fixed::HALF),
        Fixed::from_bits(1)
    );
}

#[test]
fn known_values_are_close() {
    for (got, expected) in [
        (exp2(fixed("0.5")), core::f64::consts::SQRT_2),
        (exp2(fixed("13.7")), 13.7_f64.exp2()),
        (exp2_neg(fixed("3.3")), (-3.3_f64).exp2()),
        (fixed("1.5").ln_1p(), 2.5_f64.ln()),
        (fixed("172.8").pow(Fixed::HALF), 172.8_f64.sqrt()),
        (fixed("0.3").pow(fixed("2.7")), 0.3_f64.powf(2.7)),
        (fixed("0.3").log2().unwrap().magnitude(), 1.7369655941662063),
    ] {
        let got = got.to_bits() as f64 / 2_f64.powi(64);
        assert!(
            (got / expected - 1.0).abs() < 1e-14,
            "{got} instead of {expected}"
        );
    }
}

type Big = dashu_float::FBig<dashu_float::round::mode::HalfEven, 2>;

fn big(n: u128) -> Big {
    Big::from(n).with_precision(256).value()
}

/// The exact value.
fn exact(x: Fixed) -> Big {
    big(x.to_bits()) >> 64
}

fn ln_2() -> Big {
    big(2).ln()
}

fn exp2_big(x: &Big) -> Big {
    (x * ln_2()).exp()
}

/// Within 2^-40 (relative) or 2^-60 (absolute) of the true value; the bound where the true value does not fit.
fn close(got: Fixed, truth: &Big) -> bool {
    let limit = exact(Fixed::MAX);
    if truth >= &limit {
        return exact(got) >= &limit - (limit.clone() >> 40);
    }
    let got = exact(got);
    let error = if &got > truth {
        &got - truth
    } else {
        truth - &got
    };
    error <= (truth.clone() >> 40).max(big(1) >> 60)
}

/// Numbers of all sizes, numbers close to one, and the ends.
fn any_fixed() -> impl Strategy<Value = Fixed> {
    let all_sizes = || (any::<u128>(), 0_u32..128).prop_map(|(bits, shift)| bits >> shift);
    let one = Fixed::ONE.to_bits();
    prop_oneof![
        4 => all_sizes(),
        1 => all_sizes().prop_map(move |bits| one + (bits >> 64)),
        1 => all_sizes().prop_map(move |bits| one - (bits >> 64)),
        1 => (0_u32..128).prop_map(|shift| 1 << shift),
        1 => prop_oneof![Just(0), Just(one), Just(u128::MAX), Just(1)],
    ]
    .prop_map(Fixed::from_bits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn products_and_quotients_are_exact_to_the_last_bit(a in any_fixed(), b in any_fixed()) {
        let cut = |wide: U256| u128::try_from(wide).unwrap_or(u128::MAX);
        let (x, y) = (U256::from(a.to_bits()), U256::from(b.to_bits()));
        let product: U256 = x * y;
        prop_assert_eq!(a.times(b).to_bits(), cut(product >> 64));
        let up = (product.overflowing_add(U256::from(u64::MAX)).0) >> 64;
        if product < (U256::MAX >> 1) {
            prop_assert_eq!(a.times_up(b).to_bits(), cut(up));
        }
        let quotient = (x << 64).checked_div(y).map_or(u128::MAX, cut);
        prop_assert_eq!(a.over(b).to_bits(), quotient);
        prop_assert_eq!(Fixed::ratio(a.to_bits(), b.to_bits()).to_bits(), quotient);
    }

    #[test]
    fn powers_of_two_are_close_to_the_truth(x in any_fixed()) {
        let x = Fixed::from_bits(x.to_bits() % Fixed::from_int(70).to_bits());
        let up = exp2_big(&exact(x));
        prop_assert!(close(exp2(x), &up), "2^{} = {}", x, exp2(x));
        prop_assert!(close(exp2_neg(x), &(big(1) / up)), "2^-{} = {}", x, exp2_neg(x));
    }

    #[test]
    fn logarithms_are_close_to_the_truth(x in any_fixed()) {
        let log = exact(Fixed::ONE.plus(x)).ln();
        prop_assert!(close(x.ln_1p(), &log), "ln(1 + {}) = {}", x, x.ln_1p());
        if let Some(log2) = x.log2() {
            let truth = exact(x).ln() / ln_2();
            let got = big(log2.magnitude().to_bits()) >> 64;
            let got = if log2.is_negative() { -got } else { got };
            let error = truth - got;
            // Rounded down, by less than 2^-63.
            prop_assert!(error > -(big(1) >> 120) && error < big(1) >> 63, "log2 {} = {}", x, log2);
        }
    }

    #[test]
    fn powers_are_close_to_the_truth(x in any_fixed(), exponent in any_fixed()) {
        prop_assume!(!x.is_zero());
        let log2 = exact(x).ln() / ln_2() * exact(exponent);
        let truth = if log2 > big(70) {
            exact(Fixed::MAX)
        } else if log2 < -big(200) {
            big(0)
        } else {
            exp2_big(&log2)
        };
        prop_assert!(close(x.pow(exponent), &truth), "{}^{} = {}", x, exponent, x.pow(exponent));
    }

    #[test]
    fn everything_is_monotone(a in any_fixed(), b in any_fixed(), exponent in any_fixed(), step in 0_u128..4) {
        let neighbour = Fixed::from_bits(a.to_bits().saturating_add(step));
        for (low, high) in [(a.min(b), a.max(b)), (a, neighbour)] {
            prop_assert!(exp2(low) <= exp2(high));
            prop_assert!(exp2_neg(low) >= exp2_neg(high));
            prop_assert!(low.log2() <= high.log2());
            prop_assert!(low.ln_1p() <= high.ln_1p());
            prop_assert!(low.pow(exponent) <= high.pow(exponent));
            if exponent >= Fixed::ONE {
                prop_assert!(exponent.pow(low) <= exponent.pow(high));
            } else if !exponent.is_zero() {
                prop_assert!(exponent.pow(low) >= exponent.pow(high));
            }
        }
    }

    #[test]
    fn decay_composes(a in 0_u64..1 << 50, b in 0_u64..1 << 50, half_life in 1_u64..1 << 40) {
        let (apart, together) = (
            decay(a, half_life).times(decay(b, half_life)),
            decay(a + b, half_life),
        );
        let error = apart.to_bits().abs_diff(together.to_bits());
        prop_assert!(error <= 1 << 4, "{apart} and {together}");
    }

    #[test]
    fn nothing_panics(
        a in any_fixed(), b in any_fixed(), c in any::<i128>(), d in any::<i128>(),
        n in any::<u128>(), m in any::<u128>(), t in any::<u64>(), u in any::<u64>(),
    ) {
        let (x, y) = (Signed::from_bits(c), Signed::from_bits(d));
        let _ = (a.plus(b), a.minus(b), a.times(b), a.times_up(b), a.over(b), a.pow(b), a.complement());
        let _ = (a.log2(), a.ln_1p(), exp2(a), exp2_neg(a), decay(t, u), Fixed::ratio(n, m));
        let _ = (x.plus(y), x.minus(y), x.negate(), x.times(a), x.exp2(), x.positive_part());
        let _ = (Signed::from_fixed(a), a.to_string(), x.to_string(), format!("{a:.3}"));
        let _ = a.to_string().replace('.', "").parse::<Fixed>();
    }

    #[test]
    fn printed_numbers_read_back(a in any_fixed(), bits in any::<i128>(), shift in 0_u32..128) {
        let b = Signed::from_bits(bits >> shift);
        prop_assert_eq!(b.to_string().parse(), Ok(b));
        let json = serde_json::to_value(b).unwrap();
        prop_assert_eq!(serde_json::from_value::<Signed>(json).unwrap(), b);
        prop_assert_eq!(a.to_string().parse(), Ok(a));
        let json = serde_json::to_value(a).unwrap();
        prop_assert_eq!(serde_json::from_value::<Fixed>(json).unwrap(), a);
    }
}

#[test]
fn only_decimals_are_read() {
    for bad in [
        "",
        ".5",
        "5.",
        "-1",
        "+1",
        "1e3",
        "0x1",
        "1.2.3",
        " 1",
        "18446744073709551616",
        "0.000000000000000000001",
    ] {
        assert_eq!(bad.parse::<Fixed>(), Err(NotFixed), "{bad}");
    }
    assert_eq!(fixed("18446744073709551615").floor(), u64::MAX);
    assert_eq!(format!("{:.3}", fixed("1.23456")), "1.234");
    assert_eq!(Signed::from_int(-3).to_string(), "-3");
    for bad in [
        "--1",
        "- 1",
        "9223372036854775808",
        "-9223372036854775808.5",
    ] {
        assert_eq!(bad.parse::<Signed>(), Err(NotFixed), "{bad}");
    }
}

/// A bit that changes here would split the chain.
#[test]
fn results_are_pinned_to_the_last_bit() {
    let third = Fixed::ratio(1, 3);
    let got = [
        third,
        exp2(third),
        exp2_neg(third),
        third.ln_1p(),
        third.pow(third),
        Fixed::from_int(180).pow(Fixed::HALF),
        decay(86_400_000, 30 * 86_400_000),
    ]
    .map(Fixed::to_bits);
    assert_eq!(
        got,
        [
            6148914691236517205,
            23241441160490167841,
            14641190473997345813,
            5306797565112371680,
            12790257978567273278,
            247489042274135691525,
            18025419856780639094,
        ],
    );
    assert_eq!(
        third.log2().map(Signed::to_bits),
        Some(-29237397617229858722)
    );
}
