mod gate;
mod genesis;
mod layout;
mod models;
mod serving;
mod topics;
