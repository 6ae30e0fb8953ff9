//! What a person at a terminal sees.

#[path = "../support/mod.rs"]
mod support;

mod redrawing;
mod reports;
mod screen;
mod screens;
