//! What a producer declares of a model and signs (whitepaper: 'The specialist production line', 10.1).

use crate::{
    H256,
    apis::{ModelFormat, TopicId},
    provenance::{Provenance, Text, is_jurisdiction},
    tagged_hash,
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Domain of a producer's signature over a [`ModelRecord`].
pub const MODEL_DOMAIN: &str = "touchstone/model/1";

/// Whether a model is a base or an adapter.
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
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum ModelKind {
    /// A frozen base; belongs to no topic.
    Base,
    /// A small addition to one base, for one topic.
    Adapter {
        /// Base that it applies to.
        base: H256,
        /// Topic that it was trained for.
        topic: TopicId,
    },
}

/// The signed provenance manifest of a base or an adapter: what it is, where it comes from, under which licence.
#[derive(
    Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "camelCase"))]
pub struct ModelRecord {
    /// Blake2b-256 of the canonical file: the model's id.
    pub hash: H256,
    /// Name for people, UTF-8.
    pub name: Text,
    /// Size of the file in bytes.
    pub size: u64,
    /// Format of the file.
    pub format: ModelFormat,
    /// Base, or adapter of a base.
    pub kind: ModelKind,
    /// SPDX expression of the licence.
    pub licence: Text,
    /// Hash of the training recipe, if one is published.
    pub recipe: Option<H256>,
    /// Where it comes from.
    pub provenance: Provenance,
}

/// What is wrong with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadModel {
    /// The name is no name ([`is_name`]).
    Name,
    /// The licence does not look like an SPDX expression ([`is_licence`]).
    Licence,
    /// The file is empty.
    Size,
    /// An axis of the provenance is empty or malformed.
    Provenance,
    /// The recipe or the file's hash is all zeroes, or an adapter is its own base.
    Hash,
}

impl ModelRecord {
    /// Whether everything in the record is well-formed. What it refers to is checked elsewhere.
    pub fn check(&self) -> Result<(), BadModel> {
        if !is_name(&self.name) {
            return Err(BadModel::Name);
        }
        if !is_licence(&self.licence) {
            return Err(BadModel::Licence);
        }
        if self.size == 0 {
            return Err(BadModel::Size);
        }
        if !is_complete(&self.provenance) {
            return Err(BadModel::Provenance);
        }
        let own_base = matches!(self.kind, ModelKind::Adapter { base, .. } if base == self.hash);
        if self.hash.is_zero() || self.recipe.is_some_and(|recipe| recipe.is_zero()) || own_base {
            return Err(BadModel::Hash);
        }
        Ok(())
    }
}

/// What the worker key of the producing `node` signs to vouch for a record on the chain of this genesis.
pub fn declaration(genesis: &H256, node: &impl Encode, record: &ModelRecord) -> H256 {
    tagged_hash(
        MODEL_DOMAIN,
        &[genesis.as_bytes(), &node.encode(), &record.encode()],
    )
}

/// Whether this is a name for people: UTF-8, not empty, no control characters, no white space around it.
pub fn is_name(text: &[u8]) -> bool {
    core::str::from_utf8(text).is_ok_and(|name| {
        !name.is_empty() && name.trim() == name && !name.chars().any(char::is_control)
    })
}

/// Whether this has the shape of an SPDX licence expression. Which licences exist is not the chain's business.
pub fn is_licence(text: &[u8]) -> bool {
    is_name(text)
        && text
            .iter()
            .all(|c| c.is_ascii_alphanumeric() || b".-+ ():".contains(c))
}

/// Whether every axis says something; who cannot name the data writes `undisclosed`.
pub fn is_complete(provenance: &Provenance) -> bool {
    let Provenance {
        base_lineage,
        data_sources,
        architecture,
        operator,
        jurisdiction,
        method,
        ..
    } = provenance;
    [base_lineage, architecture, operator, method]
        .into_iter()
        .all(|text| is_name(text))
        && !data_sources.is_empty()
        && data_sources.iter().all(|source| is_name(source))
        && is_jurisdiction(jurisdiction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provenance::Openness;

    fn text(s: &str) -> Text {
        s.as_bytes().to_vec().try_into().unwrap()
    }

    fn record() -> ModelRecord {
        ModelRecord {
            hash: H256::repeat_byte(1),
            name: text("SmolLM2 135M"),
            size: 1,
            format: ModelFormat::Gguf,
            kind: ModelKind::Base,
            licence: text("Apache-2.0"),
            recipe: None,
            provenance: Provenance {
                base_lineage: text("smollm2"),
                data_sources: vec![text("smollm-corpus")].try_into().unwrap(),
                architecture: text("llama"),
                operator: text("Hugging Face"),
                jurisdiction: *b"US",
                method: text("pretrain+sft"),
                openness: Openness::Full,
            },
        }
    }

    #[test]
    fn a_record_says_something_on_every_axis() {
        assert_eq!(record().check(), Ok(()));
        let broken: [(fn(&mut ModelRecord), BadModel); 12] = [
            (|r| r.name = text(""), BadModel::Name),
            (|r| r.name = vec![0xff].try_into().unwrap(), BadModel::Name),
            (
                |r| r.licence = text("Apache 2.0; see LICENSE"),
                BadModel::Licence,
            ),
            (|r| r.size = 0, BadModel::Size),
            (
                |r| r.provenance.base_lineage = text(""),
                BadModel::Provenance,
            ),
            (
                |r| r.provenance.data_sources = Default::default(),
                BadModel::Provenance,
            ),
            (
                |r| r.provenance.architecture = text(" llama"),
                BadModel::Provenance,
            ),
            (|r| r.provenance.jurisdiction = *b"us", BadModel::Provenance),
            (|r| r.provenance.method = text("a\nb"), BadModel::Provenance),
            (|r| r.hash = H256::zero(), BadModel::Hash),
            (|r| r.recipe = Some(H256::zero()), BadModel::Hash),
            (
                |r| {
                    r.kind = ModelKind::Adapter {
                        base: r.hash,
                        topic: 0,
                    }
                },
                BadModel::Hash,
            ),
        ];
        for (i, (change, expected)) in broken.into_iter().enumerate() {
            let mut record = record();
            change(&mut record);
            assert_eq!(record.check(), Err(expected), "case {i}");
        }
    }

    #[test]
    fn licences_are_spdx_expressions() {
        for good in [
            "MIT",
            "Apache-2.0 OR MIT",
            "(GPL-2.0+ WITH x)",
            "LicenseRef-llama3",
        ] {
            assert!(is_licence(good.as_bytes()), "{good}");
        }
        for bad in ["", " MIT", "MIT/Apache", "©"] {
            assert!(!is_licence(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn a_declaration_binds_chain_node_and_record() {
        let (genesis, node) = (H256::repeat_byte(7), 1u8);
        let good = declaration(&genesis, &node, &record());
        let mut other = record();
        other.size = 2;
        assert_ne!(good, declaration(&H256::zero(), &node, &record()));
        assert_ne!(good, declaration(&genesis, &2u8, &record()));
        assert_ne!(good, declaration(&genesis, &node, &other));
    }
}
