mod attacks;
mod commits;
mod layout;
mod namespaces;
mod proofs;
mod snapshots;
mod views;
