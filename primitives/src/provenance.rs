//! Trust tiers, verification classes and where models come from (whitepaper: 'Substrate & trust tiers', 10.1).

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;
use sp_core::{ConstU32, bounded::BoundedVec};

/// How sensitive a topic is; decides which origins of models are admitted.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Tier {
    /// Checkable: any origin, because an algorithm checks the answer.
    T1,
    /// Subjective and of low risk: any origin.
    T2,
    /// Strategic: only admitted origins, and a human in the loop.
    T3,
}

/// How answers on a topic are verified.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Class {
    /// Objective: an algorithm judges.
    A,
    /// Reference: compared with a signed snapshot.
    B,
    /// Consensus: a weighted panel judges.
    C,
}

/// Short text of a manifest, UTF-8.
pub type Text = BoundedVec<u8, ConstU32<64>>;
/// ISO 3166-1 alpha-2 country code, upper case.
pub type Jurisdiction = [u8; 2];

/// Most entries of a list on one axis.
pub const MAX_AXIS: u32 = 8;

/// The five axes along which models can be independent of each other (whitepaper 10.1).
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Provenance {
    /// Family that the weights descend from, for example `llama` or `smollm2`.
    pub base_lineage: Text,
    /// Sources of the training data.
    pub data_sources: BoundedVec<Text, ConstU32<MAX_AXIS>>,
    /// Architecture, for example `llama` or `gemma3`.
    pub architecture: Text,
    /// Who trained it.
    pub operator: Text,
    /// Jurisdiction of whoever trained it.
    pub jurisdiction: Jurisdiction,
    /// How it was trained, for example `pretrain+sft` or `qlora`.
    pub method: Text,
    /// How much of it is public.
    pub openness: Openness,
}

/// How much of a model is public (whitepaper: 'Open core').
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Openness {
    /// Weights only.
    Weights,
    /// Weights and code.
    WeightsAndCode,
    /// Weights, code and data.
    Full,
}

/// Which provenance a topic admits. An empty list admits everything on its axis.
#[derive(
    Clone,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct Policy {
    /// Admitted jurisdictions of the trainer.
    pub jurisdictions: BoundedVec<Jurisdiction, ConstU32<32>>,
    /// Lineages that are not admitted, whatever else holds.
    pub denied_lineages: BoundedVec<Text, ConstU32<MAX_AXIS>>,
    /// A fully open model is admitted even from another jurisdiction.
    pub admit_fully_open: bool,
}

/// Why a model is not admitted to a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAdmitted {
    /// Its lineage is on the topic's list of denied lineages.
    Lineage,
    /// Its trainer's jurisdiction is not on the topic's list.
    Jurisdiction,
    /// A T3 topic must name its admitted jurisdictions, and this one names none.
    NoPolicy,
}

/// The gate: may a model of this provenance serve a topic of this tier and policy?
///
/// T1 and T2 apply the policy as it is written (usually empty). T3 refuses everything until jurisdictions are named.
pub fn admits(tier: Tier, policy: &Policy, provenance: &Provenance) -> Result<(), NotAdmitted> {
    if policy.denied_lineages.contains(&provenance.base_lineage) {
        return Err(NotAdmitted::Lineage);
    }
    if policy.admit_fully_open && provenance.openness == Openness::Full {
        return Ok(());
    }
    if policy.jurisdictions.is_empty() {
        return if tier == Tier::T3 {
            Err(NotAdmitted::NoPolicy)
        } else {
            Ok(())
        };
    }
    if policy.jurisdictions.contains(&provenance.jurisdiction) {
        Ok(())
    } else {
        Err(NotAdmitted::Jurisdiction)
    }
}

/// Whether this is two upper-case ASCII letters. Which codes are assigned is not the chain's business.
pub fn is_jurisdiction(code: &Jurisdiction) -> bool {
    code.iter().all(u8::is_ascii_uppercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(s: &str) -> Text {
        s.as_bytes().to_vec().try_into().unwrap()
    }

    fn model(lineage: &str, jurisdiction: &[u8; 2], openness: Openness) -> Provenance {
        Provenance {
            base_lineage: text(lineage),
            data_sources: Default::default(),
            architecture: text("llama"),
            operator: text("somebody"),
            jurisdiction: *jurisdiction,
            method: text("pretrain"),
            openness,
        }
    }

    #[test]
    fn t3_admits_nothing_until_jurisdictions_are_named() {
        let model = model("olmo", b"US", Openness::WeightsAndCode);
        assert_eq!(
            admits(Tier::T3, &Policy::default(), &model),
            Err(NotAdmitted::NoPolicy)
        );
        for tier in [Tier::T1, Tier::T2] {
            assert_eq!(admits(tier, &Policy::default(), &model), Ok(()));
        }
    }

    #[test]
    fn t3_admits_by_jurisdiction_or_full_openness() {
        let policy = Policy {
            jurisdictions: vec![*b"FR", *b"US"].try_into().unwrap(),
            denied_lineages: vec![text("baked")].try_into().unwrap(),
            admit_fully_open: true,
        };
        let check = |model| admits(Tier::T3, &policy, &model);
        assert_eq!(check(model("mistral", b"FR", Openness::Weights)), Ok(()));
        assert_eq!(
            check(model("x", b"CN", Openness::Weights)),
            Err(NotAdmitted::Jurisdiction)
        );
        assert_eq!(check(model("x", b"CN", Openness::Full)), Ok(()));
        assert_eq!(
            check(model("baked", b"FR", Openness::Full)),
            Err(NotAdmitted::Lineage)
        );
    }
}
