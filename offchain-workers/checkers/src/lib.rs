//! Checkers that need more than the chain may spend.
