mod attacks;
mod governing;
mod groups;
mod layout;
mod recording;
mod soundness;
mod views;
mod watching;
