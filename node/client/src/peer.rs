//! Libp2p peer ids of ed25519 keys: the identity multihash of the key's protobuf encoding, in base58.

use sp_core::{ByteArray, ed25519};

/// Multihash `identity`, 36 bytes; then protobuf: key type ed25519, 32 bytes of key.
const PREFIX: [u8; 6] = [0x00, 0x24, 0x08, 0x01, 0x12, 0x20];

/// Peer id of a node key, as text.
pub fn peer_id(node_key: &ed25519::Public) -> String {
    encode(&[PREFIX.as_slice(), node_key.as_slice()].concat())
}

/// Text form of a peer id in bytes.
pub fn encode(bytes: &[u8]) -> String {
    bs58::encode(bytes).into_string()
}

/// Bytes of a peer id in text form, as the chain keeps it; or what is wrong with it.
pub fn decode(text: &str) -> Result<Vec<u8>, String> {
    let bytes = bs58::decode(text)
        .into_vec()
        .map_err(|e| format!("`{text}` is not base58: {e}"))?;
    if bytes.len() != PREFIX.len() + 32 || !bytes.starts_with(&PREFIX) {
        return Err(format!(
            "`{text}` is not the peer id of an ed25519 key; `touchstone-node key inspect-node-key` shows it"
        ));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sp_core::Pair;

    #[test]
    fn the_peer_id_of_the_well_known_key_one() {
        let mut secret = [0; 32];
        secret[31] = 1;
        let id = peer_id(&ed25519::Pair::from_seed(&secret).public());
        assert_eq!(id, "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp");
        assert_eq!(encode(&decode(&id).unwrap()), id);
    }

    #[test]
    fn other_texts_are_refused() {
        assert!(decode("0OIl").unwrap_err().contains("base58"));
        assert!(decode("QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnTEST").is_err());
    }
}
