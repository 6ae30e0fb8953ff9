//! What a person at a terminal sees.

#[path = "../support/mod.rs"]
mod support;

mod screen;
mod screens;
