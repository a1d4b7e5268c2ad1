mod anchoring;
mod attacks;
mod hook;
mod layout;
mod retention;
