//! What a person at a terminal sees.

#[path = "../support/mod.rs"]
mod support;

mod drafts;
mod heard;
mod long_texts;
mod notifying;
mod readable;
mod redrawing;
mod reports;
mod screen;
mod screens;
