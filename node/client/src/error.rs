//! What can go wrong, and what to do about it.

use jsonrpsee::core::ClientError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a request to a node or to the chain did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody answers at the address.
    #[error(
        "no node answers at {url} ({reason}); start one (`scripts/devnet`), or give its address with `--url`"
    )]
    Unreachable {
        /// Where the node was expected.
        url: String,
        /// What the connection says.
        reason: String,
    },
    /// The node refused the request and says why.
    #[error("{method}: {message} (code {code})")]
    Refused {
        /// Method that was called.
        method: String,
        /// Error code of the node.
        code: i32,
        /// The node's explanation, with its details.
        message: String,
    },
    /// The connection failed while the request was running.
    #[error("{method}: {reason}; look into the node's log and try again")]
    Connection {
        /// Method that was called.
        method: String,
        /// What the connection says.
        reason: String,
    },
    /// What came back is not what this program knows.
    #[error(
        "{what} cannot be read ({reason}); node and program are of different versions, update the older one"
    )]
    Unreadable {
        /// What was to be read.
        what: String,
        /// Where reading stopped.
        reason: String,
    },
    /// The transaction was included and failed.
    #[error("the transaction was included in block {block:?} and failed: {error}")]
    Failed {
        /// Block that includes it.
        block: sp_core::H256,
        /// Name of the error, for example `Consortium(NotMember)`.
        error: String,
    },
    /// The transaction left the pool without being included.
    #[error(
        "the transaction was not included ({0}); check nonce and balance of the signer and send it again"
    )]
    NotIncluded(String),
}

impl Error {
    /// The error of a request.
    pub fn of(method: &str, error: ClientError) -> Self {
        match error {
            ClientError::Call(object) => Self::Refused {
                method: method.into(),
                code: object.code(),
                message: match object.data() {
                    Some(data) => format!("{}: {}", object.message(), data.get().trim_matches('"')),
                    None => object.message().into(),
                },
            },
            ClientError::ParseError(e) => Self::Unreadable {
                what: format!("the answer to {method}"),
                reason: e.to_string(),
            },
            other => Self::Connection {
                method: method.into(),
                reason: other.to_string(),
            },
        }
    }

    /// Code of the node's refusal, if that is what happened.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }
}
