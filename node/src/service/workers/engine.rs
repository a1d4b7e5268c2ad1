//! The engine that the command line asks for.
