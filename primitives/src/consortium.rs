//! Members, nodes, roles and statuses (whitepaper 9.1, 9.6).

use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use scale_info::TypeInfo;

/// Where a member stands.
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
pub enum MemberStatus {
    /// Has applied and is not admitted yet.
    Candidate,
    /// Has a council seat and may run nodes.
    Active,
    /// Keeps its seat on paper; its nodes do not work until reinstated.
    Suspended,
    /// Has announced that it leaves; bonds unlock after the unbonding delay.
    Leaving,
    /// Was put out by the council.
    Revoked,
}

/// Where a node stands.
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
pub enum NodeStatus {
    /// Registered and bonded, not working yet.
    Registered,
    /// Works in its roles.
    Active,
    /// Stopped by the council or by an offence.
    Suspended,
    /// Announced that it leaves.
    Leaving,
}

/// One thing a node may do.
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
pub enum NodeRole {
    /// Authors blocks and votes on finality.
    Validator,
    /// Trains adapters and registers models.
    Producer,
    /// Teaches: supplies outputs to distil from.
    Teacher,
    /// Poses canaries and checks answers.
    Auditor,
    /// Takes queries from clients and anchors receipts.
    Gateway,
    /// A person who decides on T3 answers works here.
    Expert,
}

/// Set of [`NodeRole`]s, one bit each in the order of the enum.
#[derive(
    Clone,
    Copy,
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
pub struct Roles(pub u8);

impl Roles {
    /// The set of these roles.
    pub fn of(roles: &[NodeRole]) -> Self {
        Self(roles.iter().fold(0, |bits, role| bits | role.bit()))
    }

    /// Whether the role is in the set.
    pub fn contains(self, role: NodeRole) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether only known roles are in the set, and at least one.
    pub fn is_valid(self) -> bool {
        self.0 != 0 && self.0 < 1 << 6
    }
}

impl NodeRole {
    fn bit(self) -> u8 {
        match self {
            NodeRole::Validator => 1,
            NodeRole::Producer => 1 << 1,
            NodeRole::Teacher => 1 << 2,
            NodeRole::Auditor => 1 << 3,
            NodeRole::Gateway => 1 << 4,
            NodeRole::Expert => 1 << 5,
        }
    }
}

/// What a machine can sustain (whitepaper: 'Hardware tiers').
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
pub enum HardwareTier {
    /// One workstation card, 48-96 GB. CPU-only machines declare this too.
    Light,
    /// One data-centre card, 141-256 GB.
    Mid,
    /// Eight data-centre cards.
    Heavy,
}

/// How many of `validators` may be suspended at once without giving up finality: `floor((n-1)/3)`.
pub fn max_suspended(validators: u32) -> u32 {
    validators.saturating_sub(1).checked_div(3).unwrap_or(0)
}

/// Most validators one member may run among `validators`: a third, at least one.
pub fn max_validators_per_member(validators: u32) -> u32 {
    validators.checked_div(3).unwrap_or(0).max(1)
}

/// Whether `ayes` are strictly more than half of `seats`.
pub fn more_than_half(ayes: u32, seats: u32) -> bool {
    u64::from(ayes).saturating_mul(2) > u64::from(seats)
}

/// Whether `ayes` are at least two thirds of `seats` (and there are seats).
pub fn at_least_two_thirds(ayes: u32, seats: u32) -> bool {
    seats > 0 && u64::from(ayes).saturating_mul(3) >= u64::from(seats).saturating_mul(2)
}

/// Whether the bytes are a libp2p PeerId: an Ed25519 key in an identity multihash, or a SHA-256 multihash.
pub fn is_peer_id(bytes: &[u8]) -> bool {
    match bytes {
        [0x00, 0x24, 0x08, 0x01, 0x12, 0x20, key @ ..] => key.len() == 32,
        [0x12, 0x20, digest @ ..] => digest.len() == 32,
        _ => false,
    }
}

/// Whether the bytes are the text of a multiaddress, as far as the chain cares: printable ASCII after a slash.
pub fn is_multiaddress(bytes: &[u8]) -> bool {
    bytes.len() > 1 && bytes.starts_with(b"/") && bytes.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suspensions_never_reach_a_third() {
        assert_eq!(
            [1, 2, 3, 4, 6, 7, 10, 100].map(max_suspended),
            [0, 0, 0, 1, 1, 2, 3, 33]
        );
    }

    #[test]
    fn a_member_runs_at_most_a_third() {
        assert_eq!(
            [1, 3, 4, 6, 9, 10].map(max_validators_per_member),
            [1, 1, 1, 2, 3, 3]
        );
    }

    #[test]
    fn majorities_are_exact() {
        assert!(!more_than_half(2, 4) && more_than_half(3, 4) && more_than_half(2, 3));
        assert!(at_least_two_thirds(2, 3) && !at_least_two_thirds(2, 4));
        assert!(at_least_two_thirds(3, 4) && !at_least_two_thirds(0, 0));
    }

    #[test]
    fn roles_are_a_set() {
        let roles = Roles::of(&[NodeRole::Validator, NodeRole::Gateway]);
        assert!(roles.contains(NodeRole::Validator) && roles.contains(NodeRole::Gateway));
        assert!(!roles.contains(NodeRole::Producer));
        assert!(roles.is_valid() && !Roles(0).is_valid() && !Roles(64).is_valid());
    }

    #[test]
    fn peer_ids_are_known_multihashes() {
        let ed25519 = [&[0, 0x24, 8, 1, 0x12, 0x20][..], &[7; 32]].concat();
        let sha256 = [&[0x12, 0x20][..], &[7; 32]].concat();
        assert!(is_peer_id(&ed25519) && is_peer_id(&sha256));
        for bad in [
            &ed25519[..37],
            &sha256[..33],
            &[],
            &[7; 38],
            &[ed25519.clone(), sha256.clone()].concat(),
        ] {
            assert!(!is_peer_id(bad));
        }
    }

    #[test]
    fn addresses_look_like_multiaddresses() {
        assert!(is_multiaddress(b"/ip4/127.0.0.1/tcp/30333"));
        for bad in [&b"/"[..], b"", b"ip4/1", b"/ip4 /1", b"/\xff"] {
            assert!(!is_multiaddress(bad));
        }
    }
}
