//! Fixed-point numbers: what consensus code computes with instead of floats.
//!
//! [`Fixed`] is an unsigned Q64.64 (64 bits before the point, 64 after), [`Signed`] its signed sister. Every operation is
//! total: nothing panics, nothing wraps, results that do not fit stop at the nearest bound. Plain results are rounded
//! down, so that a rule never gives more than it says.
//!
//! [`exp2`], [`exp2_neg`], [`Fixed::log2`], [`Fixed::ln_1p`], [`Fixed::pow`] and [`decay`] are within 2^-40 of the true
//! value (relative) or 2^-60 (absolute), whichever is larger, and monotone: every step of theirs is a monotone integer
//! operation, so a larger input can never give a smaller result, whatever the rounding.

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::{fmt, str::FromStr};
use scale_info::TypeInfo;

/// An unsigned number with 64 bits before and 64 after the binary point, in [0, 2^64).
///
/// Prints as a decimal with 20 digits after the point, rounded down, without trailing zeros; that text parses back to the
/// same number.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Fixed(u128);

/// A signed number with 64 bits after the binary point, in [-2^63, 2^63). Prints like [`Fixed`], rounded towards 0.
#[derive(
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct Signed(i128);

/// ln 2 with 64 bits after the point.
const LN_2: Fixed = Fixed(0xb172_17f7_d1cf_79ab);

/// Bits after the point of the logarithm inside [`Fixed::pow`]: enough for any exponent below 2^64.
const POW_BITS: u32 = 112;

/// Taylor coefficients of 2^x on [0, 1): `(ln 2)^k / k!` with 127 bits after the point, k = 0..=21.
const EXP2: [u128; 22] = [
    0x80000000_00000000_00000000_00000000,
    0x58b90bfb_e8e7bcd5_e4f1d9cc_01f97b57,
    0x1ebfbdff_82c58ea8_6f16b06e_c9735fca,
    0x071ac235_c1282fe2_cce9d8ae_ccaf4b7b,
    0x013b2ab6_fba4e772_9ccbbe0b_53eeac50,
    0x002bb0ff_cf14ce62_20e2fed3_4a297d86,
    0x00050c24_4be1b1e1_dbd2c2a2_61ac8d07,
    0x00007ff2_ff1622c3_1a1ac547_321f639a,
    0x00000b16_0111d2e4_11fec7ff_3036d3be,
    0x000000da_929e9caf_3e1ed253_872d27fc,
    0x0000000f_267a8ac5_c764fb7e_d0eca973,
    0x00000000_f465639a_8dd92607_abccaf23,
    0x00000000_0e1deb28_7e14c2f1_5ab43f0b,
    0x00000000_00c0b0c9_8b3687cb_140d6180,
    0x00000000_00098a4b_26ac3c54_b9f8a1b1,
    0x00000000_000070db_a10ec100_8799ec55,
    0x00000000_000004e3_a26b9e7e_2ce48e3f,
    0x00000000_00000033_08896838_4b4faac3,
    0x00000000_00000001_f7176bdb_43695d73,
    0x00000000_00000000_125a7ecb_835c64da,
    0x00000000_00000000_00a2d662_5a8289ac,
    0x00000000_00000000_00055ff1_5e0f8271,
];

impl Fixed {
    /// 0.
    pub const ZERO: Self = Self(0);
    /// 1.
    pub const ONE: Self = Self(1 << 64);
    /// 1/2.
    pub const HALF: Self = Self(1 << 63);
    /// The largest number, 2^64 - 2^-64. Stands for "too large".
    pub const MAX: Self = Self(u128::MAX);

    /// The number whose 2^64-fold is `bits`.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    /// The number times 2^64.
    pub const fn to_bits(self) -> u128 {
        self.0
    }

    /// A whole number.
    pub const fn from_int(n: u64) -> Self {
        Self((n as u128) << 64)
    }

    /// `n/d`, rounded down; `d = 0` and results of 2^64 or more give [`Fixed::MAX`].
    pub const fn ratio(n: u128, d: u128) -> Self {
        let (mut quotient, mut rest) = match (n.checked_div(d), n.checked_rem(d)) {
            (Some(whole), Some(rest)) if whole >> 64 == 0 => (whole, rest),
            _ => return Self::MAX,
        };
        // Long division, one bit at a time: the remainder stays below `d`, its double may need a 129th bit.
        let mut bit = 0;
        while bit < 64 {
            let carry = rest >> 127 == 1;
            rest <<= 1;
            quotient <<= 1;
            if carry || rest >= d {
                rest = rest.wrapping_sub(d);
                quotient |= 1;
            }
            bit = i32::wrapping_add(bit, 1);
        }
        Self(quotient)
    }

    /// `n` hundredths, rounded down.
    pub const fn percent(n: u32) -> Self {
        Self::ratio(n as u128, 100)
    }

    /// The whole part.
    pub const fn floor(self) -> u64 {
        (self.0 >> 64) as u64
    }

    /// Whether it is 0.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Sum, at most [`Fixed::MAX`].
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, at least 0.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Product, rounded down, at most [`Fixed::MAX`].
    pub const fn times(self, other: Self) -> Self {
        let (high, low) = wide_product(self.0, other.0);
        if high >> 64 == 0 {
            Self((high << 64) | (low >> 64))
        } else {
            Self::MAX
        }
    }

    /// Product, rounded up, at most [`Fixed::MAX`].
    pub const fn times_up(self, other: Self) -> Self {
        let (_, low) = wide_product(self.0, other.0);
        let exact = low as u64 == 0;
        Self(self.times(other).0.saturating_add(!exact as u128))
    }

    /// Quotient, rounded down; by 0, and where it does not fit, [`Fixed::MAX`].
    pub const fn over(self, other: Self) -> Self {
        Self::ratio(self.0, other.0)
    }

    /// `1 - x`, at least 0.
    pub const fn complement(self) -> Self {
        Self::ONE.minus(self)
    }

    /// This many times an amount, rounded down, at most the largest amount.
    pub const fn of(self, amount: u128) -> u128 {
        self.times(Self(amount)).0
    }

    /// Base-2 logarithm, rounded down; `None` of 0.
    pub fn log2(self) -> Option<Signed> {
        self.log2_bits(64).map(Signed)
    }

    /// Natural logarithm of `1 + x`.
    pub fn ln_1p(self) -> Self {
        let log2 = Self::ONE.plus(self).log2().unwrap_or(Signed::ZERO);
        log2.magnitude().times(LN_2)
    }

    /// `x^exponent`. `0^0` is 1.
    pub fn pow(self, exponent: Self) -> Self {
        let Some(log2) = self.log2_bits(POW_BITS) else {
            return if exponent.is_zero() {
                Self::ONE
            } else {
                Self::ZERO
            };
        };
        let (high, low) = wide_product(log2.unsigned_abs(), exponent.0);
        let magnitude = if high >> POW_BITS == 0 {
            Self((high << (128 - POW_BITS)) | (low >> POW_BITS))
        } else {
            Self::MAX
        };
        if log2 < 0 {
            exp2_neg(magnitude)
        } else {
            exp2(magnitude)
        }
    }

    /// Base-2 logarithm with `precision` <= 112 bits after the point, by repeated squaring: each square tells one more bit.
    fn log2_bits(self, precision: u32) -> Option<i128> {
        if self.0 == 0 {
            return None;
        }
        let zeros = self.0.leading_zeros();
        // x = mantissa · 2^whole with the mantissa in [1, 2), kept with 127 bits after the point.
        let mut mantissa = self.0.wrapping_shl(zeros);
        let mut log = 63_i128.wrapping_sub(zeros.into());
        for _ in 0..precision {
            let (high, low) = wide_product(mantissa, mantissa);
            log = log.wrapping_shl(1);
            if high >> 127 == 1 {
                log |= 1;
                mantissa = high;
            } else {
                mantissa = (high << 1) | (low >> 127);
            }
        }
        Some(log)
    }
}

/// `2^x`, at most [`Fixed::MAX`].
pub fn exp2(x: Fixed) -> Fixed {
    match 63_u64.checked_sub(x.floor()) {
        Some(shift) => Fixed(exp2_fraction(x.0 as u64).wrapping_shr(shift as u32)),
        None => Fixed::MAX,
    }
}

/// `2^-x`, rounded down, in [0, 1].
pub fn exp2_neg(x: Fixed) -> Fixed {
    let (whole, fraction) = (x.floor(), x.0 as u64);
    if whole > 64 {
        return Fixed::ZERO;
    }
    // Whole powers are exact; otherwise 2^-(w+f) = 2^(1-f) / 2^(w+1).
    let (mantissa, shift) = if fraction == 0 {
        (1 << 127, whole)
    } else {
        (
            exp2_fraction(fraction.wrapping_neg()),
            whole.saturating_add(1),
        )
    };
    let shift = shift.saturating_add(63) as u32;
    Fixed(mantissa.checked_shr(shift).unwrap_or(0))
}

/// What is left of 1 after `elapsed_ms` when half of it is left after `half_life_ms`: `2^(-elapsed/half_life)`.
/// With a half-life of 0 nothing is left, except of what is new.
pub fn decay(elapsed_ms: u64, half_life_ms: u64) -> Fixed {
    if elapsed_ms == 0 {
        return Fixed::ONE;
    }
    exp2_neg(Fixed::ratio(elapsed_ms.into(), half_life_ms.into()))
}

/// `2^f` for `f/2^64` in [0, 1), with 127 bits after the point, by Horner's rule; never more than the true value.
fn exp2_fraction(f: u64) -> u128 {
    let f = u128::from(f);
    EXP2.iter().rev().fold(0, |sum, coefficient| {
        // sum · f / 2^64 <= sum, and the sums stay below 2 (the series of 2^f is positive); qed
        let product = (sum >> 64)
            .wrapping_mul(f)
            .wrapping_add(u128::from(sum as u64).wrapping_mul(f) >> 64);
        product.wrapping_add(*coefficient)
    })
}

/// The 256-bit product of two 128-bit numbers: (high, low).
pub(crate) const fn wide_product(a: u128, b: u128) -> (u128, u128) {
    let (a1, a0) = (a >> 64, a as u64 as u128);
    let (b1, b0) = (b >> 64, b as u64 as u128);
    // Products of 64-bit numbers fit 128 bits, three 64-bit numbers fit too, and the high half of a 256-bit product
    // fits; qed
    let (low, mid1) = (a0.wrapping_mul(b0), a0.wrapping_mul(b1));
    let (mid2, high) = (a1.wrapping_mul(b0), a1.wrapping_mul(b1));
    let mid = (low >> 64)
        .wrapping_add(mid1 as u64 as u128)
        .wrapping_add(mid2 as u64 as u128);
    let high = high
        .wrapping_add(mid1 >> 64)
        .wrapping_add(mid2 >> 64)
        .wrapping_add(mid >> 64);
    (high, (low as u64 as u128) | (mid << 64))
}

impl Signed {
    /// 0.
    pub const ZERO: Self = Self(0);

    /// The number whose 2^64-fold is `bits`.
    pub const fn from_bits(bits: i128) -> Self {
        Self(bits)
    }

    /// The number times 2^64.
    pub const fn to_bits(self) -> i128 {
        self.0
    }

    /// A whole number; at most 2^63 - 2^-64 and at least -2^63 by its type.
    pub const fn from_int(n: i64) -> Self {
        Self((n as i128) << 64)
    }

    /// An unsigned number, at most the largest signed one.
    pub const fn from_fixed(x: Fixed) -> Self {
        if x.0 > i128::MAX as u128 {
            Self(i128::MAX)
        } else {
            Self(x.0 as i128)
        }
    }

    /// Sum, between the bounds.
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, between the bounds.
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// `-x`, between the bounds.
    pub const fn negate(self) -> Self {
        Self(self.0.saturating_neg())
    }

    /// Product with an unsigned number, rounded towards 0, between the bounds.
    pub const fn times(self, other: Fixed) -> Self {
        let magnitude = Self::from_fixed(self.magnitude().times(other));
        if self.is_negative() {
            magnitude.negate()
        } else {
            magnitude
        }
    }

    /// Whether it is below 0.
    pub const fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// The absolute value.
    pub const fn magnitude(self) -> Fixed {
        Fixed(self.0.unsigned_abs())
    }

    /// The number if it is at least 0, otherwise 0.
    pub const fn positive_part(self) -> Fixed {
        if self.is_negative() {
            Fixed::ZERO
        } else {
            self.magnitude()
        }
    }

    /// `2^x`, at most [`Fixed::MAX`].
    pub fn exp2(self) -> Fixed {
        if self.is_negative() {
            exp2_neg(self.magnitude())
        } else {
            exp2(self.magnitude())
        }
    }
}

impl fmt::Display for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}", self.floor())?;
        let mut rest = self.0 as u64;
        let digits = f.precision().unwrap_or(20);
        for place in 0..digits {
            if rest == 0 && f.precision().is_none() {
                break;
            }
            let scaled = u128::from(rest).wrapping_mul(10);
            write!(f, "{}{}", if place == 0 { "." } else { "" }, scaled >> 64)?;
            rest = scaled as u64;
        }
        Ok(())
    }
}

impl fmt::Debug for Fixed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Signed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.is_negative() {
            f.write_str("-")?;
        }
        fmt::Display::fmt(&self.magnitude(), f)
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text is not a decimal number in range with at most 20 digits after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotFixed;

impl fmt::Display for NotFixed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("not a decimal number in range with at most 20 digits after the point")
    }
}

/// Reads a decimal, rounded up to the next multiple of 2^-64: what was printed rounded down comes back unchanged.
impl FromStr for Fixed {
    type Err = NotFixed;

    fn from_str(text: &str) -> Result<Self, NotFixed> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| {
            (!part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())).then_some(())
        };
        digits(whole).and(digits(places)).ok_or(NotFixed)?;
        let whole: u64 = whole.parse().map_err(|_| NotFixed)?;
        let scale = 10_u128
            .checked_pow(places.len() as u32)
            .filter(|_| places.len() <= 20)
            .ok_or(NotFixed)?;
        let numerator: u128 = places.parse().map_err(|_| NotFixed)?;
        let floor = Self::ratio(numerator, scale);
        // Rounded up unless exact: n = floor · scale / 2^64 exactly iff the product has no lower bits and equals n.
        let exact = wide_product(floor.0, scale) == (numerator >> 64, numerator << 64);
        Self::from_int(whole)
            .0
            .checked_add(floor.0.saturating_add(u128::from(!exact)))
            .map(Self)
            .ok_or(NotFixed)
    }
}

/// Reads a decimal like [`Fixed`], with or without a minus sign.
impl FromStr for Signed {
    type Err = NotFixed;

    fn from_str(text: &str) -> Result<Self, NotFixed> {
        let (is_negative, magnitude) = match text.strip_prefix('-') {
            Some(magnitude) => (true, magnitude),
            None => (false, text),
        };
        let bits = magnitude.parse::<Fixed>()?.0;
        let bits = if is_negative {
            0_i128.checked_sub_unsigned(bits)
        } else {
            bits.try_into().ok()
        };
        bits.map(Self).ok_or(NotFixed)
    }
}

/// Numbers are strings in JSON, because its numbers are floats to most programs.
#[cfg(feature = "serde")]
mod json {
    use super::{Fixed, Signed};
    use alloc::borrow::Cow;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    impl Serialize for Fixed {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Fixed {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = <Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        }
    }

    impl Serialize for Signed {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.collect_str(self)
        }
    }

    impl<'de> Deserialize<'de> for Signed {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let text = <Cow<'de, str>>::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests;
