//! Exact fractions with numerator and denominator of at most 512 bits.

use alloc::{format, string::String};
use core::cmp::Ordering;
use sp_core::U512;

/// An exact fraction in lowest terms. Operations give `None` where a part would need more than 512 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rational {
    negative: bool,
    numerator: U512,
    denominator: U512,
}

/// Most digits of a number that is parsed: 10^150 has 499 bits.
const MAX_DIGITS: usize = 150;

fn gcd(mut a: U512, mut b: U512) -> U512 {
    while !b.is_zero() {
        let rest = a.checked_rem(b).unwrap_or_default();
        a = b;
        b = rest;
    }
    a
}

impl Rational {
    fn new(negative: bool, numerator: U512, denominator: U512) -> Option<Self> {
        let common = gcd(numerator, denominator);
        let numerator = numerator.checked_div(common)?;
        Some(Self {
            negative: negative && !numerator.is_zero(),
            numerator,
            denominator: denominator.checked_div(common).filter(|d| !d.is_zero())?,
        })
    }

    /// A whole number.
    pub fn whole(n: i128) -> Self {
        Self {
            negative: n < 0,
            numerator: n.unsigned_abs().into(),
            denominator: U512::one(),
        }
    }

    /// Reads `-12`, `3.50`, `1,234.5` (groups of three), `7/3`; nothing else may stand around it.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(text).ok()?.trim();
        let (negative, text) = match text.strip_prefix(['-', '\u{2212}']) {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        if let Some((above, below)) = text.split_once('/') {
            let (above, below) = (digits(above.trim())?, digits(below.trim())?);
            return Self::new(negative, above, below);
        }
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) => (whole, fraction),
            None => (text, ""),
        };
        let whole = ungroup(whole)?;
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let numerator = digits(&format!("{whole}{fraction}"))?;
        let denominator = U512::from(10u8).checked_pow(U512::from(fraction.len() as u64))?;
        Self::new(negative, numerator, denominator)
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }

    /// Without its sign.
    pub fn absolute(&self) -> Self {
        Self {
            negative: false,
            ..self.clone()
        }
    }

    /// With the other sign.
    pub fn negate(&self) -> Self {
        Self {
            negative: !self.negative && !self.is_zero(),
            ..self.clone()
        }
    }

    /// Sum.
    pub fn plus(&self, other: &Self) -> Option<Self> {
        let a = self.numerator.checked_mul(other.denominator)?;
        let b = other.numerator.checked_mul(self.denominator)?;
        let denominator = self.denominator.checked_mul(other.denominator)?;
        if self.negative == other.negative {
            return Self::new(self.negative, a.checked_add(b)?, denominator);
        }
        match a.cmp(&b) {
            Ordering::Less => Self::new(other.negative, b.checked_sub(a)?, denominator),
            _ => Self::new(self.negative, a.checked_sub(b)?, denominator),
        }
    }

    /// Difference.
    pub fn minus(&self, other: &Self) -> Option<Self> {
        self.plus(&other.negate())
    }

    /// Product.
    pub fn times(&self, other: &Self) -> Option<Self> {
        // Across first, so that intermediate values stay as small as the result allows.
        let (g, h) = (
            gcd(self.numerator, other.denominator),
            gcd(other.numerator, self.denominator),
        );
        if g.is_zero() || h.is_zero() {
            return Some(Self::whole(0));
        }
        let numerator = self
            .numerator
            .checked_div(g)?
            .checked_mul(other.numerator.checked_div(h)?)?;
        let denominator = self
            .denominator
            .checked_div(h)?
            .checked_mul(other.denominator.checked_div(g)?)?;
        Self::new(self.negative != other.negative, numerator, denominator)
    }

    /// Quotient; `None` for a divisor of zero too.
    pub fn over(&self, other: &Self) -> Option<Self> {
        if other.is_zero() {
            return None;
        }
        self.times(&Self {
            negative: other.negative,
            numerator: other.denominator,
            denominator: other.numerator,
        })
    }

    /// Power with a small whole exponent.
    pub fn power(&self, exponent: u32) -> Option<Self> {
        let mut result = Self::whole(1);
        for _ in 0..exponent {
            result = result.times(self)?;
        }
        Some(result)
    }

    /// The value if it is whole and fits.
    pub fn to_u32(&self) -> Option<u32> {
        (self.denominator == U512::one() && !self.negative && self.numerator <= u32::MAX.into())
            .then(|| self.numerator.low_u32())
    }

    /// `-7/3`, or `5` where the denominator is 1.
    #[allow(clippy::inherent_to_string)]
    pub fn to_string(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        if self.denominator == U512::one() {
            format!("{sign}{}", self.numerator)
        } else {
            format!("{sign}{}/{}", self.numerator, self.denominator)
        }
    }
}

impl PartialOrd for Rational {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let difference = self.minus(other)?;
        Some(if difference.is_zero() {
            Ordering::Equal
        } else if difference.negative {
            Ordering::Less
        } else {
            Ordering::Greater
        })
    }
}

fn digits(text: &str) -> Option<U512> {
    if text.is_empty() || text.len() > MAX_DIGITS || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    U512::from_dec_str(text).ok()
}

/// Digits without the commas that group them by three.
fn ungroup(text: &str) -> Option<String> {
    let mut groups = text.split(',');
    let first = groups.next()?;
    let mut whole = String::from(first);
    let mut grouped = false;
    for group in groups {
        grouped = true;
        if group.len() != 3 {
            return None;
        }
        whole.push_str(group);
    }
    let well_grouped = !grouped || (1..=3).contains(&first.len());
    (well_grouped && whole.bytes().all(|b| b.is_ascii_digit())).then_some(whole)
}
